//! Tools whose definition changed, and how a person takes the new one.

use std::sync::Arc;

use serde::Serialize;

use super::list::Pinned;
use crate::assets::{AssetError, AuditKind, Directory, EventKind, Record};
use crate::mcp::ToolDefinition;

/// Both definitions of a tool. For people: the new one is not to be shown to a model before it is accepted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChangedTool {
    /// `<alias>.<action>`.
    pub name: String,
    /// In force.
    #[schema(value_type = Object)]
    pub pinned: ToolDefinition,
    /// What the server defines now.
    #[schema(value_type = Object)]
    pub offered: ToolDefinition,
    /// Of the offered one: what is accepted is what was looked at.
    pub digest: String,
}

impl Directory {
    /// The tools whose definition changed, as far as lists are known.
    pub fn changed_tools(&self) -> Vec<ChangedTool> {
        let mut changed = Vec::new();
        for connection in self.connections() {
            let list = connection.traffic.tools.known();
            for tool in list.iter().flat_map(|list| list.tools.values()) {
                if let Some(offered) = &tool.offered {
                    changed.push(ChangedTool {
                        name: format!("{}.{}", connection.alias, tool.definition.tool.name),
                        pinned: tool.definition.tool.clone(),
                        offered: offered.tool.clone(),
                        digest: offered.digest.clone(),
                    });
                }
            }
        }
        changed
    }

    /// Puts the offered definition of a tool in force, if it is still the one with this digest.
    pub async fn accept_tool(
        &self,
        name: &str,
        digest: &str,
        request: Option<&str>,
    ) -> Result<(), AssetError> {
        let unknown = || AssetError::ToolNotFound(name.to_owned());
        let (alias, action) = name.split_once('.').ok_or_else(unknown)?;
        let alias = alias.to_owned().try_into().map_err(|_| unknown())?;
        let connection = self.by_alias(&alias).ok_or_else(unknown)?;
        let list = connection.traffic.tools.known().ok_or_else(unknown)?;
        let tool = list.tools.get(action).ok_or_else(unknown)?;
        let offered = tool
            .offered
            .as_ref()
            .filter(|offered| offered.digest == digest);
        let offered = offered.ok_or_else(|| AssetError::Invalid {
            field: "digest".into(),
            problem: "the server offers no such definition (any more): GET /tools/changed shows what it offers".to_owned(),
        })?;
        self.pin(&connection, std::slice::from_ref(offered)).await?;
        let accepted = list.again(&connection.alias, list.entry.clone(), |tool| {
            if tool.definition.tool.name == action {
                Pinned {
                    definition: offered.clone(),
                    offered: None,
                }
            } else {
                tool.pinned()
            }
        });
        connection.traffic.tools.replace(&list, Arc::new(accepted));
        let record = Record::about(AuditKind::ToolAccepted, &connection).tool(name);
        self.audit
            .record(record.request(request).detail("digest", digest));
        self.events.connection(EventKind::ToolsChanged, &connection);
        Ok(())
    }
}
