//! What follows from another catalog: listeners and the audit are told, and sessions that lead nowhere any more end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::{AuditKind, Connection, Directory, EventKind, Record};
use crate::catalog::Catalog;
use crate::domain::ServerName;
use crate::mcp::Session;

/// Most names that an event or a row lists; the number of all stands beside them.
const MOST_NAMES: usize = 100;
/// How long the polite end of a session may take.
const END_WITHIN: Duration = Duration::from_secs(1);

impl Directory {
    /// Follows the catalog until the engine stops. Counts from the call on, whenever the future is polled first.
    pub(super) fn follow_catalog(&self) -> impl Future<Output = ()> + Send + 'static {
        let directory = self.clone();
        let mut changes = self.catalog.changes();
        let mut before = changes.borrow_and_update().clone();
        async move {
            loop {
                tokio::select! {
                    () = directory.stopping() => return,
                    next = changes.changed() => if next.is_err() { return },
                }
                let now = changes.borrow_and_update().clone();
                directory.catalog_changed(&before, &now);
                before = now;
            }
        }
    }

    fn catalog_changed(&self, before: &Catalog, now: &Catalog) {
        let changed = now.changed_since(before);
        let names: Vec<&str> = changed
            .iter()
            .take(MOST_NAMES)
            .map(ServerName::as_str)
            .collect();
        let data = json!({ "servers": now.servers.len(), "changed": names, "changed_count": changed.len() });
        if let Value::Object(details) = data.clone() {
            self.audit
                .record(Record::new(AuditKind::CatalogReloaded).details(details));
        }
        self.events.publish(EventKind::CatalogChanged, data);
        for connection in self.connections() {
            if changed.contains(&connection.server)
                && leads_elsewhere(&connection.server, before, now)
            {
                self.end_session(&connection);
            }
        }
    }

    /// A call that is under way keeps its session until it ends.
    fn end_session(&self, connection: &Arc<Connection>) {
        let unused = connection.traffic.slot.take();
        connection.traffic.reset();
        if let Some(session) = unused {
            self.tasks()
                .spawn(timeout(END_WITHIN, Session::close(session)));
        }
    }
}

/// Is the server gone, out of use, or at another place? Whatever else an entry says is looked up for each call.
fn leads_elsewhere(server: &ServerName, before: &Catalog, now: &Catalog) -> bool {
    let place = |catalog: &Catalog| {
        let entry = catalog.servers.get(server)?;
        entry.unavailable.is_none().then(|| entry.endpoint.clone())
    };
    place(before) != place(now)
}
