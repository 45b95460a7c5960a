//! The catalog: which servers can be connected.
//!
//! From the outside in: `folder` reads files, `json` parses them, `form` holds an entry against the published JSON Schema
//! (`schema`, made from `written` and `rules`), `meaning` judges the rest, `read` puts it together. [`LiveCatalog`] keeps the
//! last good state, and [`follow`] keeps it up to date. A mistake is a message, never a panic, and never repeats a value.

mod address;
mod entry;
mod folder;
mod follow;
mod form;
mod header;
mod json;
mod live;
mod meaning;
mod problem;
mod read;
mod rules;
mod schema;
mod secret;
mod surroundings;
#[cfg(test)]
mod tests;
mod written;

pub use entry::{Endpoint, Entry, OauthSettings, StaticSettings, ToolSettings};
pub use follow::follow;
pub use live::{Catalog, LiveCatalog, ReloadError};
pub use schema::document;

/// Most servers of a catalog.
pub const MOST_ENTRIES: usize = 500;
