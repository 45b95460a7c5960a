//! The tools that the engine offers: their names, their definitions, what is known of them.
//!
//! `names` and `arguments` judge what a server defines, `definition` and `list` hold it, `fetch` asks for it, `cache` keeps
//! it, and this file answers.

mod accept;
mod arguments;
mod bounds;
mod cache;
mod definition;
mod fetch;
mod list;
mod names;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::timeout;

pub use accept::ChangedTool;
pub(super) use cache::ToolCache;
pub(super) use list::{Tool, ToolList};

use super::{AssetError, Connection, Directory};
use crate::catalog::Entry;
use crate::domain::ConnectionStatus;

/// How long `GET /tools` waits for the first list of a connection.
const FIRST_LIST: Duration = Duration::from_secs(10);

/// A tool that the server defines and the engine does not offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct HiddenTool {
    /// The server's name for it, cut to 128 characters.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl HiddenTool {
    fn new(name: &str, reason: &str) -> Self {
        Self {
            name: name.chars().take(128).collect(),
            reason: reason.to_owned(),
        }
    }
}

/// All tools.
#[derive(Debug, Default)]
pub struct Listed {
    lists: Vec<Arc<ToolList>>,
    /// Aliases of connections whose tools nobody knows: their server did not answer in time.
    pub missing: Vec<String>,
}

impl Listed {
    /// Each tool as JSON: `name`, `description`, `input_schema`, `class` and the like.
    pub fn tools(&self) -> impl Iterator<Item = &RawValue> {
        let tools = self.lists.iter().flat_map(|list| list.tools.values());
        tools.map(|tool| tool.shown.as_ref())
    }
}

impl Directory {
    /// The tools of all connections that work, by alias. A list that is known is never waited for.
    pub async fn tools(&self) -> Listed {
        let mut connections = self.connections();
        connections.retain(|connection| connection.state().status == ConnectionStatus::Connected);
        connections.sort_by(|a, b| a.alias.cmp(&b.alias));
        let lists = join_all(connections.iter().map(|connection| async {
            let entry = self.entry(connection).ok()?;
            let list = self.tool_list(connection, &entry);
            timeout(FIRST_LIST, list).await.ok()?.ok()
        }));
        let mut listed = Listed::default();
        for (connection, list) in connections.iter().zip(lists.await) {
            match list {
                Some(list) => listed.lists.push(list),
                None => listed.missing.push(connection.alias.to_string()),
            }
        }
        listed
    }

    /// One tool of a connection.
    pub(super) async fn tool(
        &self,
        connection: &Arc<Connection>,
        entry: &Arc<Entry>,
        action: &str,
    ) -> Result<Arc<Tool>, AssetError> {
        let list = self.tool_list(connection, entry).await?;
        if let Some(tool) = list.tools.get(action) {
            return Ok(tool.clone());
        }
        let list = self.newer_tool_list(connection, entry, list).await?;
        let unknown = || AssetError::ToolNotFound(format!("{}.{action}", connection.alias));
        list.tools.get(action).cloned().ok_or_else(unknown)
    }
}

impl Tool {
    /// The server's name for it.
    pub(super) fn action(&self) -> &str {
        &self.definition.tool.name
    }

    /// Do the arguments fit its schema?
    pub(super) async fn check(&self, arguments: &Value) -> Result<(), AssetError> {
        self.definition.arguments.check(arguments).await
    }
}
