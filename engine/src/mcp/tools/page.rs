//! One page of `tools/list`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::mcp::McpError;

/// What a page is asked for with.
#[derive(Debug, Serialize)]
pub struct ListParams<'a> {
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<&'a str>,
    /// What each request of the session carries.
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<&'a RawValue>,
}

/// A page, its tools unread: one that is malformed must not cost the others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<'a> {
    /// The definitions.
    #[serde(borrow)]
    pub tools: Vec<&'a RawValue>,
    /// Where the next page begins.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

impl<'a> Page<'a> {
    /// Reads a page.
    pub fn read(result: &'a RawValue) -> Result<Self, McpError> {
        serde_json::from_str(result.get())
            .map_err(|_| McpError::Protocol("a list of tools that is none".to_owned()))
    }
}
