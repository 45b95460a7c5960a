//! What a tool answered, and what a server asks before it answers
//! (<https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/mrtr>).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::McpError;
use super::rpc::words;

/// What a tool answered.
#[derive(Debug, Clone)]
pub struct ToolResult {
    /// The server's `CallToolResult`, whole and byte for byte: text, images, audio, resources, `structuredContent`, `_meta`.
    pub json: Box<RawValue>,
    /// Its `isError`: the tool ran and failed.
    pub is_error: bool,
}

/// What a call came to.
#[derive(Debug)]
pub enum Outcome {
    /// A result.
    Done(ToolResult),
    /// The server wants to know something first.
    Asked(Asked),
}

/// What a server wants to know before it goes on.
#[derive(Debug)]
pub struct Asked {
    /// The same in words.
    pub what: String,
    /// The answers to it, which is no to each; `None` if not everything can be declined.
    pub declined: Option<BTreeMap<String, Declined>>,
    /// Goes back to the server as it is.
    pub state: Option<String>,
}

/// A person who says no.
#[derive(Debug, Serialize)]
pub struct Declined {
    action: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape<'a> {
    #[serde(borrow, default)]
    result_type: Option<Cow<'a, str>>,
    #[serde(default)]
    is_error: Option<bool>,
    #[serde(borrow, default)]
    input_requests: Option<BTreeMap<String, InputRequest<'a>>>,
    #[serde(default)]
    request_state: Option<String>,
}

#[derive(Deserialize)]
struct InputRequest<'a> {
    #[serde(borrow, default)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<InputParams<'a>>,
}

#[derive(Deserialize)]
struct InputParams<'a> {
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

impl Outcome {
    /// Reads as much of a result as has to be known; the rest stays as it came.
    pub fn read(json: Box<RawValue>) -> Result<Self, McpError> {
        let shape: Shape<'_> = serde_json::from_str(json.get())
            .map_err(|_| McpError::Protocol("a result that is none of a tool".to_owned()))?;
        match shape.result_type.as_deref() {
            None | Some("complete") => {
                let is_error = shape.is_error.unwrap_or(false);
                Ok(Self::Done(ToolResult { json, is_error }))
            }
            Some("input_required") => Ok(Self::Asked(Asked::new(
                &shape.input_requests.unwrap_or_default(),
                shape.request_state,
            ))),
            Some(other) => {
                let other = words(other);
                Err(McpError::Protocol(format!(
                    "a result of the type {other:?}"
                )))
            }
        }
    }
}

impl Asked {
    fn new(requests: &BTreeMap<String, InputRequest<'_>>, state: Option<String>) -> Self {
        let what: Vec<_> = requests.values().map(InputRequest::words).collect();
        let declinable = requests
            .values()
            .all(|request| request.method == "elicitation/create");
        let declined = requests
            .keys()
            .map(|key| (key.clone(), Declined { action: "decline" }));
        Self {
            what: words(&what.join("; ")),
            declined: declinable.then(|| declined.collect()),
            state,
        }
    }
}

impl InputRequest<'_> {
    fn words(&self) -> String {
        let params = self.params.as_ref();
        match params.and_then(|params| params.message.as_deref()) {
            Some(message) => format!("{}: {message}", self.method),
            None => self.method.to_string(),
        }
    }
}
