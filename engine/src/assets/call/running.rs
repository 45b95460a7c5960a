//! The audit row of a call that is being made, also if its caller goes away.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::ToolCall;
use crate::assets::audit::AuditId;
use crate::assets::{AssetError, AuditKind, Connection, Directory, Record};
use crate::clock::Stopwatch;
use crate::domain::ToolClass;
use crate::mcp::ToolResult;

/// Sees to it that each call which was made has its row, whatever becomes of it.
pub(super) struct Running<'a> {
    directory: &'a Directory,
    connection: &'a Connection,
    call: &'a ToolCall,
    began_at: Timestamp,
    took: Stopwatch,
    /// The row of a write, which is there before the call is made.
    row: Option<AuditId>,
    ended: bool,
}

impl<'a> Running<'a> {
    /// From here on the call counts as made. A write whose row cannot be stored is not made.
    pub(super) async fn begin(
        directory: &'a Directory,
        connection: &'a Connection,
        class: ToolClass,
        call: &'a ToolCall,
        took: Stopwatch,
    ) -> Result<Self, AssetError> {
        let mut running = Self {
            directory,
            connection,
            call,
            began_at: directory.clock.now(),
            took,
            row: None,
            // There is nothing to tell of until the row is stored.
            ended: true,
        };
        if class == ToolClass::Write {
            let record = running.record().outcome("started");
            let stored = directory.audit.store(record).await;
            running.row = Some(stored.map_err(|_| AssetError::AuditUnavailable)?);
        }
        running.ended = false;
        Ok(running)
    }

    /// The call has ended.
    pub(super) fn end(mut self, outcome: &Result<ToolResult, AssetError>) {
        let mut details = Map::new();
        let code = match outcome {
            Ok(result) if result.is_error => "error",
            Ok(_) => "ok",
            Err(error) => {
                details.insert("reason".to_owned(), Value::from(error.kind()));
                error.code()
            }
        };
        self.tell(code, details);
    }

    fn tell(&mut self, outcome: &'static str, details: Map<String, Value>) {
        self.ended = true;
        let audit = &self.directory.audit;
        let took = self.took.elapsed();
        match self.row {
            Some(row) => audit.finish(row, outcome, took, details),
            None => audit.record(self.record().outcome(outcome).took(took).details(details)),
        }
    }

    fn record(&self) -> Record {
        Record::about(AuditKind::ToolCall, self.connection)
            .tool(&self.call.name)
            .request(self.call.request.as_deref())
            .since(self.began_at)
    }
}

impl Drop for Running<'_> {
    /// The caller went away. The server was told to cancel; it may have run the call.
    fn drop(&mut self) {
        if !self.ended {
            self.tell("cancelled", Map::new());
            let server = self.connection.server.as_str();
            let metrics = &self.directory.metrics;
            metrics.called(server, "cancelled", self.took.elapsed());
        }
    }
}
