//! A call of a tool, from its name to the server's answer.
//!
//! The order matters: what is free is asked before what costs, nothing is sent that was not recorded before if it may
//! write, and whatever may have run is never sent again.

mod places;
mod running;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

pub(super) use places::Places;
use places::{Full, Place};
use running::Running;

use super::breaker::Pass;
use super::tools::Tool;
use super::traffic::Held;
use super::{AssetError, Connection, Directory, FailureReason};
use crate::catalog::Entry;
use crate::clock::Stopwatch;
use crate::domain::ServerName;
use crate::mcp::ToolResult;

/// Calls that are refused for want of a place may be tried again after this time.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Added to a call's time for what happens around the request, which has the whole time itself.
const MARGIN: Duration = Duration::from_secs(1);

/// What is to be called.
#[derive(Debug)]
pub struct ToolCall {
    /// `<alias>.<action>`.
    pub name: String,
    /// An object.
    pub arguments: Value,
    /// The request that asks for it.
    pub request: Option<String>,
}

impl Directory {
    /// Calls a tool. Dropping the future cancels the call at the server.
    pub async fn call(&self, call: &ToolCall) -> Result<ToolResult, AssetError> {
        let since = Stopwatch::start();
        let (connection, action) = self.called(&call.name)?;
        let outcome = self.call_through(&connection, action, call, since).await;
        let outcome_name = match &outcome {
            Ok(result) if result.is_error => "tool_error",
            Ok(_) => "ok",
            Err(error) => error.kind(),
        };
        let server = connection.server.as_str();
        self.metrics.called(server, outcome_name, since.elapsed());
        outcome
    }

    /// The connection and the action of a name.
    fn called<'a>(&self, name: &'a str) -> Result<(Arc<Connection>, &'a str), AssetError> {
        let unknown = || AssetError::ToolNotFound(name.to_owned());
        let (alias, action) = name.split_once('.').ok_or_else(unknown)?;
        let alias = ServerName::try_from(alias.to_owned()).map_err(|_| unknown())?;
        match self.by_alias(&alias) {
            Some(connection) => Ok((connection, action)),
            None if self.was_connected(&alias) => Err(AssetError::ConnectionFailed {
                alias: alias.to_string(),
                reason: FailureReason::NotConnected,
                retry_after: None,
                problem: "it is not connected: POST /assets/connect connects it".to_owned(),
            }),
            None => Err(unknown()),
        }
    }

    async fn call_through(
        &self,
        connection: &Arc<Connection>,
        action: &str,
        call: &ToolCall,
        since: Stopwatch,
    ) -> Result<ToolResult, AssetError> {
        let entry = self.entry(connection)?;
        let pass = connection
            .traffic
            .gate
            .admit()
            .map_err(|held| held.error(connection))?;
        let _place = self.place(connection)?;
        let limit = self.config.limits.timeout;
        let found = timeout(limit, async {
            self.ready(connection).await?;
            let tool = self.tool(connection, &entry, action).await?;
            tool.check(&call.arguments).await?;
            Ok(tool)
        });
        let tool = found
            .await
            .unwrap_or_else(|_| Err(late(connection, limit)))?;
        self.make(connection, &entry, pass, &tool, call, since)
            .await
    }

    /// Makes the call and sees to its audit row.
    async fn make(
        &self,
        connection: &Arc<Connection>,
        entry: &Arc<Entry>,
        pass: Pass,
        tool: &Tool,
        call: &ToolCall,
        since: Stopwatch,
    ) -> Result<ToolResult, AssetError> {
        let running = Running::begin(self, connection, tool.class, call, since).await?;
        let no_arguments = serde_json::Map::new();
        let arguments = call.arguments.as_object().unwrap_or(&no_arguments);
        let limit = self.config.limits.timeout;
        let action = tool.action();
        let ask = self.ask(connection, entry, pass, |session| async move {
            let left = limit.saturating_sub(since.elapsed());
            session.call_tool(action, arguments, left).await
        });
        // The request has a time of its own; this one is for all that may come around it, a refresh for example.
        let left = limit.saturating_sub(since.elapsed()) + MARGIN;
        let outcome = timeout(left, ask).await;
        let outcome = outcome.unwrap_or_else(|_| Err(late(connection, limit)));
        running.end(&outcome);
        outcome
    }

    fn place(&self, connection: &Arc<Connection>) -> Result<Place, AssetError> {
        let place = self.0.places.take(connection, || self.connections());
        place.map_err(|full| AssetError::RateLimited {
            limit: match full {
                Full::Connection => "the connection takes no more at once (CALLS_PER_CONNECTION)",
                Full::Engine => "the engine takes no more at once (CALLS_PER_ENGINE)",
            },
            retry_after: TRY_AGAIN,
        })
    }
}

fn late(connection: &Connection, limit: Duration) -> AssetError {
    AssetError::ConnectionFailed {
        alias: connection.alias.to_string(),
        reason: FailureReason::Timeout,
        retry_after: None,
        problem: format!("the call took longer than {} s", limit.as_secs()),
    }
}

impl Held {
    pub(super) fn error(self, connection: &Connection) -> AssetError {
        let problem = match self.reason {
            FailureReason::RateLimited => "the server limits the rate and asked for a pause",
            _ => "calls are refused until the server has recovered",
        };
        AssetError::ConnectionFailed {
            alias: connection.alias.to_string(),
            reason: self.reason,
            retry_after: Some(self.retry_after),
            problem: problem.to_owned(),
        }
    }
}
