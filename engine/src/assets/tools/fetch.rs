//! Where lists come from: asked for when they are first needed, and again when they may be old, beside whoever reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::definition::{Definition, digest};
use super::list::{Pinned, ToolList, checked, newly_changed};
use super::{HiddenTool, cache};
use crate::assets::{AssetError, AuditKind, Connection, Directory, EventKind, Record};
use crate::catalog::Entry;
use crate::mcp::ToolDefinition;
use crate::store::{NewToolPin, ToolPin};

/// A list is asked for again when it is older.
const OLD_AFTER: Duration = Duration::from_mins(5);
/// After a failure it is not asked for again sooner, as long as there is a list.
const FAILED_PAUSE: Duration = Duration::from_secs(30);
/// A server that says without end that its tools changed is listened to this often.
const NOTICE_PAUSE: Duration = Duration::from_secs(2);
/// A call of a tool that the list lacks asks for a new list, if this one is older.
const UNKNOWN_AFTER: Duration = Duration::from_secs(5);
/// Names that are pinned for one connection. A server that keeps inventing names offers no more than these.
const MOST_PINS: usize = 4000;

impl Directory {
    /// The list of a connection: the one that is there, however old, or the first one.
    pub(super) async fn tool_list(
        &self,
        connection: &Arc<Connection>,
        entry: &Arc<Entry>,
    ) -> Result<Arc<ToolList>, AssetError> {
        let tools = &connection.traffic.tools;
        let Some(mut list) = tools.known() else {
            return self.ask_for_tools(connection, entry).await;
        };
        if !Arc::ptr_eq(&list.entry, entry) {
            let again = list.again(&connection.alias, entry.clone(), super::list::Tool::pinned);
            let again = Arc::new(again);
            tools.replace(&list, again.clone());
            list = again;
        }
        let now = self.clock.since_start();
        let is_old = now.saturating_sub(list.asked_at) > OLD_AFTER;
        let may_ask = tools
            .failed_at()
            .is_none_or(|at| now.saturating_sub(at) > FAILED_PAUSE);
        if is_old && may_ask {
            // The request goes on by itself.
            drop(self.ask_for_tools(connection, entry));
        }
        Ok(list)
    }

    /// A list that is new enough to say that a tool does not exist.
    pub(super) async fn newer_tool_list(
        &self,
        connection: &Arc<Connection>,
        entry: &Arc<Entry>,
        list: Arc<ToolList>,
    ) -> Result<Arc<ToolList>, AssetError> {
        let age = self.clock.since_start().saturating_sub(list.asked_at);
        if age > UNKNOWN_AFTER {
            self.ask_for_tools(connection, entry).await
        } else {
            Ok(list)
        }
    }

    /// The server said that its tools are others.
    pub(in crate::assets) async fn tools_have_changed(&self, connection: &Arc<Connection>) {
        if let Ok(entry) = self.entry(connection) {
            let asked = self.ask_for_tools(connection, &entry).await;
            if let Err(error) = asked {
                tracing::debug!(%error, ref_id = %connection.id, "failed to list tools that changed");
            }
        }
        sleep(NOTICE_PAUSE).await;
    }

    fn ask_for_tools(&self, connection: &Arc<Connection>, entry: &Arc<Entry>) -> cache::Asking {
        let (directory, connection, entry) = (self.clone(), connection.clone(), entry.clone());
        let asked = connection.clone();
        asked.traffic.tools.asking(|life| async move {
            let outcome = directory.fetch_tools(&connection, &entry).await;
            let now = directory.clock.since_start();
            let before = connection.traffic.tools.done(life, now, &outcome);
            if let (Some(cache::Replaced(before)), Ok(list)) = (before, &outcome) {
                directory.tell_of_tools(&connection, list, before.as_deref());
            }
            outcome
        })
    }

    async fn fetch_tools(
        &self,
        connection: &Arc<Connection>,
        entry: &Arc<Entry>,
    ) -> Result<Arc<ToolList>, AssetError> {
        let pass = connection
            .traffic
            .gate
            .admit()
            .map_err(|held| held.error(connection))?;
        let limit = self.config.limits.timeout;
        let asked_at = self.clock.since_start();
        let defined = self
            .ask(connection, entry, pass, |session| async move {
                session.list_tools(limit).await
            })
            .await?;
        let before = connection.traffic.tools.known();
        // Compiling a thousand schemas takes a while.
        let checking = spawn_blocking(move || checked(defined, before.as_deref()));
        let (definitions, mut hidden) = checking.await.map_err(|_| AssetError::Interrupted)?;
        let pinned = self.pinned(connection, definitions, &mut hidden).await?;
        for tool in &hidden {
            tracing::warn!(
                ref_id = %connection.id, tool = ?tool.name, reason = tool.reason,
                "a tool is not offered"
            );
        }
        let list = ToolList::new(&connection.alias, entry.clone(), pinned, hidden, asked_at);
        Ok(Arc::new(list))
    }

    /// Holds definitions against their pins, and pins the new ones.
    async fn pinned(
        &self,
        connection: &Connection,
        definitions: Vec<Arc<Definition>>,
        hidden: &mut Vec<HiddenTool>,
    ) -> Result<Vec<Pinned>, AssetError> {
        let pins = self.store.tool_pins(&connection.id).await?;
        let pins: BTreeMap<&str, &ToolPin> =
            pins.iter().map(|pin| (pin.action.as_str(), pin)).collect();
        let accepted_at = connection.state().connected_at;
        let mut room = MOST_PINS.saturating_sub(pins.len());
        let (mut pinned, mut new) = (Vec::new(), Vec::new());
        for definition in definitions {
            let name = definition.tool.name.as_str();
            let offered = match pins.get(name) {
                Some(pin) if pin.digest == definition.digest => None,
                // Whoever connected again has accepted what the server defines.
                Some(pin) if is_before(pin, accepted_at) => {
                    new.push(definition.clone());
                    None
                }
                Some(_) => Some(definition.clone()),
                None if room == 0 => {
                    hidden.push(HiddenTool::new(
                        name,
                        "the server had too many other tools before",
                    ));
                    continue;
                }
                None => {
                    room -= 1;
                    new.push(definition.clone());
                    None
                }
            };
            let in_force = match &offered {
                None => Ok(definition),
                Some(_) => self.in_force(connection, name).await?,
            };
            match in_force {
                Ok(definition) => pinned.push(Pinned {
                    definition,
                    offered,
                }),
                Err(why) => hidden.push(HiddenTool::new(
                    offered
                        .as_ref()
                        .map_or("", |definition| &definition.tool.name),
                    &why,
                )),
            }
        }
        self.pin(connection, &new).await?;
        Ok(pinned)
    }

    /// The pinned definition of a tool whose server has another.
    async fn in_force(
        &self,
        connection: &Connection,
        name: &str,
    ) -> Result<Result<Arc<Definition>, String>, AssetError> {
        if let Some(list) = connection.traffic.tools.known()
            && let Some(tool) = list.tools.get(name)
        {
            return Ok(Ok(tool.definition.clone()));
        }
        let json = self.store.pinned_tool(&connection.id, name).await?;
        let tool: Option<ToolDefinition> = json.and_then(|json| serde_json::from_str(&json).ok());
        let Some(tool) = tool else {
            return Ok(Err("its pinned definition cannot be read".to_owned()));
        };
        let definition = digest(&tool).and_then(|digest| Definition::new(tool, digest));
        Ok(definition.map(Arc::new))
    }

    pub(super) async fn pin(
        &self,
        connection: &Connection,
        definitions: &[Arc<Definition>],
    ) -> Result<(), AssetError> {
        if definitions.is_empty() {
            return Ok(());
        }
        let json = |definition: &Arc<Definition>| serde_json::to_string(&definition.tool);
        let texts: Result<Vec<String>, _> = definitions.iter().map(json).collect();
        let texts = texts.unwrap_or_default();
        let pins: Vec<NewToolPin<'_>> = definitions
            .iter()
            .zip(&texts)
            .map(|(definition, text)| NewToolPin {
                action: &definition.tool.name,
                digest: &definition.digest,
                definition: text,
            })
            .collect();
        let now = self.clock.now().to_string();
        Ok(self.store.pin_tools(&connection.id, &pins, &now).await?)
    }

    /// Tells listeners and the audit what is new about a list.
    fn tell_of_tools(&self, connection: &Connection, list: &ToolList, before: Option<&ToolList>) {
        let changed: BTreeSet<&str> = newly_changed(list, before).collect();
        for action in changed {
            let name = format!("{}.{action}", connection.alias);
            tracing::warn!(
                tool = name,
                "a tool's definition changed: it stays in force until the new one is accepted"
            );
            self.audit
                .record(Record::about(AuditKind::ToolChanged, connection).tool(name));
        }
        if before.is_none_or(|before| !before.offers_the_same(list)) {
            self.events.connection(EventKind::ToolsChanged, connection);
        }
    }
}

fn is_before(pin: &ToolPin, accepted_at: Option<Timestamp>) -> bool {
    let pinned_at: Option<Timestamp> = pin.pinned_at.parse().ok();
    matches!((pinned_at, accepted_at), (Some(pinned), Some(accepted)) if pinned < accepted)
}
