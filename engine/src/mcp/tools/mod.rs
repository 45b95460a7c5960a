//! The tools of a server, within bounds.

mod bounds;
mod mirror;
mod page;

use serde_json::Value;

pub use bounds::Listing;
pub use mirror::{Mirrored, header_value};
pub use page::{ListParams, Page};

/// Most tools of a server that are taken.
pub const TOOLS_MAX: usize = 1000;
/// Most pages of a list that are fetched.
pub const PAGES_MAX: usize = 100;
/// Most bytes of a whole list.
pub const LIST_MAX: usize = 8 * 1024 * 1024;
/// Largest schema, in bytes.
pub const SCHEMA_MAX: usize = 256 * 1024;
/// Deepest nesting of a schema.
pub const SCHEMA_DEPTH: usize = 32;
/// Longest description, in bytes.
pub const DESCRIPTION_MAX: usize = 16 * 1024;
/// Longest name, in characters.
pub const NAME_MAX: usize = 128;

/// A tool as the server defines it, within bounds.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ToolDefinition {
    /// The server's name for it.
    pub name: String,
    /// The server's title.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// The server's description.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// JSON Schema of the arguments.
    pub input_schema: Value,
    /// JSON Schema of the structured result.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output_schema: Option<Value>,
    /// `readOnlyHint` and the others: hints, not facts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub annotations: Option<Value>,
}
