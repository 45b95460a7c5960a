//! The tools of each connection as they were first seen, or last accepted.

use serde::Serialize;

use super::{Store, StoreError};
use crate::domain::ConnectionId;

/// A pin, without the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolPin {
    /// The server's name for the tool.
    pub action: String,
    /// SHA-256 of the canonical definition, in hex.
    pub digest: String,
    /// When it was pinned, RFC 3339.
    pub pinned_at: String,
}

/// A definition to pin.
#[derive(Debug, Clone, Serialize)]
pub struct NewToolPin<'a> {
    /// The server's name for the tool.
    pub action: &'a str,
    /// SHA-256 of the canonical definition, in hex.
    pub digest: &'a str,
    /// The definition as JSON.
    pub definition: &'a str,
}

impl Store {
    /// All pins of a connection.
    pub async fn tool_pins(&self, connection: &ConnectionId) -> Result<Vec<ToolPin>, StoreError> {
        let (mut brain, id) = (self.read().await?, connection.as_str());
        sqlx::query_as!(
            ToolPin,
            "SELECT action, digest, pinned_at FROM tool_pins WHERE ref_id = ?",
            id
        )
        .fetch_all(&mut *brain)
        .await
        .map_err(StoreError::sqlite("read the pinned tools"))
    }

    /// The pinned definition of one tool, as JSON.
    pub async fn pinned_tool(
        &self,
        connection: &ConnectionId,
        action: &str,
    ) -> Result<Option<String>, StoreError> {
        let (mut brain, id) = (self.read().await?, connection.as_str());
        sqlx::query_scalar!(
            "SELECT definition FROM tool_pins WHERE ref_id = ? AND action = ?",
            id,
            action
        )
        .fetch_optional(&mut *brain)
        .await
        .map_err(StoreError::sqlite("read a pinned tool"))
    }

    /// Pins definitions, in place of older pins of the same tools. A connection that is gone gets none.
    pub async fn pin_tools(
        &self,
        connection: &ConnectionId,
        pins: &[NewToolPin<'_>],
        now: &str,
    ) -> Result<(), StoreError> {
        let pins = serde_json::to_string(pins)
            .map_err(|_| StoreError::Inconsistent("a tool's definition is not JSON"))?;
        let id = connection.as_str();
        sqlx::query!(
            "INSERT INTO tool_pins (ref_id, action, digest, definition, pinned_at)
             SELECT connections.ref_id, pin.value ->> 'action', pin.value ->> 'digest', pin.value ->> 'definition', ?
             FROM json_each(?) AS pin JOIN connections ON connections.ref_id = ?
             WHERE true
             ON CONFLICT (ref_id, action) DO UPDATE
             SET digest = excluded.digest, definition = excluded.definition, pinned_at = excluded.pinned_at",
            now,
            pins,
            id
        )
        .execute(&mut **self.turn().await?)
        .await
        .map_err(StoreError::sqlite("pin tools"))?;
        Ok(())
    }
}
