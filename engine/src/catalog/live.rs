//! The catalog in force.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::entry::Entry;
use super::folder;
use super::read::{Reading, read};
use super::surroundings::Surroundings;
use crate::config::ConnectorsConfig;
use crate::domain::ServerName;
use crate::stamps::Stamps;

/// One consistent state of the catalog.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The servers by name. An entry that a change leaves as it is stays the same `Arc`.
    pub servers: BTreeMap<ServerName, Arc<Entry>>,
}

impl Catalog {
    /// The names of servers that are new, other or gone since `before`, which was in force earlier.
    pub fn changed_since(&self, before: &Self) -> Vec<ServerName> {
        let names: BTreeSet<&ServerName> =
            before.servers.keys().chain(self.servers.keys()).collect();
        let differs =
            |name: &&ServerName| !is_same(before.servers.get(*name), self.servers.get(*name));
        names.into_iter().filter(differs).cloned().collect()
    }
}

/// The catalog as it is now; a bad change of its files changes nothing.
#[derive(Debug)]
pub struct LiveCatalog {
    current: watch::Sender<Arc<Catalog>>,
    /// `None` is an engine without a catalog.
    source: Option<Source>,
}

#[derive(Debug)]
struct Source {
    folder: PathBuf,
    around: Surroundings,
    /// Held while the files are read: one reading at a time.
    seen: Mutex<Seen>,
}

/// What the last reading saw, whatever came of it.
#[derive(Debug, Default)]
struct Seen {
    stamps: Stamps,
    /// Has it been read again since it changed? Two changes within one tick of the file system's clock look like one.
    settled: bool,
    /// What was last logged as wrong.
    problems: Vec<String>,
}

/// Why a catalog was not taken: each mistake with its file, entry and field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the catalog was not taken: {}", .0.join("; "))]
pub struct ReloadError(pub Vec<String>);

impl LiveCatalog {
    /// Loads the catalog. There is nothing to keep yet, so the good entries are taken, and what is wrong with the others
    /// is logged: one mistake must not take every server away from an engine that happens to restart.
    pub fn load(config: &ConnectorsConfig) -> Self {
        let live = Self {
            current: watch::Sender::new(Arc::default()),
            source: config.catalog.clone().map(|folder| Source {
                folder,
                around: Surroundings::from(config),
                seen: Mutex::default(),
            }),
        };
        if let Some(source) = &live.source {
            let mut seen = source.seen();
            let reading = source.read(&mut seen);
            report(
                &mut seen,
                &reading.problems,
                "left an entry out of the catalog",
            );
            live.put(reading.entries);
            tracing::info!(servers = live.current().servers.len(), "loaded the catalog");
        }
        live
    }

    /// The catalog now.
    pub fn current(&self) -> Arc<Catalog> {
        self.current.borrow().clone()
    }

    /// Gives notice of every later state. Whoever holds an entry compares it with the one of the same name there
    /// ([`Arc::ptr_eq`]): another one, or none, means that what was built on it has to go.
    pub fn changes(&self) -> watch::Receiver<Arc<Catalog>> {
        self.current.subscribe()
    }

    /// Reads the files again, all or nothing. Gives the names of servers that are new, changed or gone. Blocks on the disk.
    pub fn reload(&self) -> Result<Vec<ServerName>, ReloadError> {
        match &self.source {
            Some(source) => self.take(source, &mut source.seen()),
            None => Ok(Vec::new()),
        }
    }

    /// Do the files look as they did at the last reading? Costs a few system calls; never waits for a reading under way.
    pub fn looks_changed(&self) -> bool {
        let Some(source) = &self.source else {
            return false;
        };
        let Ok(seen) = source.seen.try_lock() else {
            return false;
        };
        !seen.settled || !seen.stamps.hold()
    }

    /// Reads the files again if they look changed. Gives the names of changed servers. Blocks on the disk.
    pub fn check_now(&self) -> Vec<ServerName> {
        let Some(source) = &self.source else {
            return Vec::new();
        };
        let mut seen = source.seen();
        if seen.settled && seen.stamps.hold() {
            return Vec::new();
        }
        // What is wrong has been logged.
        self.take(source, &mut seen).unwrap_or_default()
    }

    /// Is there anything that may change?
    pub(super) fn has_files(&self) -> bool {
        self.source.is_some()
    }

    fn take(&self, source: &Source, seen: &mut Seen) -> Result<Vec<ServerName>, ReloadError> {
        let reading = source.read(seen);
        if !reading.problems.is_empty() {
            report(seen, &reading.problems, "kept the catalog as it was");
            return Err(ReloadError(reading.problems));
        }
        let changed = self.put(reading.entries);
        if !changed.is_empty() {
            let names: Vec<&str> = changed.iter().map(ServerName::as_str).collect();
            tracing::info!(
                servers = self.current().servers.len(),
                changed = names.join(","),
                "took the changed catalog"
            );
        } else if !seen.problems.is_empty() {
            tracing::info!("the catalog is good again, and as it was");
        }
        seen.problems.clear();
        Ok(changed)
    }

    /// Puts a state in force, if it is another one, and gives the names that differ.
    fn put(&self, entries: BTreeMap<ServerName, Entry>) -> Vec<ServerName> {
        let before = self.current();
        let servers: BTreeMap<ServerName, Arc<Entry>> = entries
            .into_iter()
            .map(|(name, entry)| match before.servers.get(&name) {
                Some(known) if **known == entry => (name, known.clone()),
                _ => (name, Arc::new(entry)),
            })
            .collect();
        let now = Catalog { servers };
        let changed = now.changed_since(&before);
        if !changed.is_empty() {
            self.current.send_replace(Arc::new(now));
        }
        changed
    }
}

/// How often a folder is read that changes under the reader, before it is left to the next look.
const MOST_READINGS: usize = 3;

impl Source {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads until nothing moved meanwhile, so that no state is half old and half new.
    fn read(&self, seen: &mut Seen) -> Reading {
        let mut reading = Reading::default();
        for _ in 0..MOST_READINGS {
            // A folder that cannot be listed is told of by the reading.
            let files = folder::list(&self.folder).unwrap_or_default();
            let stamps = Stamps::of_folder(&self.folder, files);
            reading = read(&self.folder, &self.around);
            let stamps = stamps.and(std::mem::take(&mut reading.secrets));
            let unmoved = stamps.hold();
            seen.settled = unmoved && seen.stamps == stamps;
            seen.stamps = stamps;
            if unmoved {
                return reading;
            }
        }
        reading.problems.push(format!(
            "CATALOG_DIR {}: changed while it was being read",
            self.folder.display()
        ));
        reading
    }
}

fn is_same(one: Option<&Arc<Entry>>, other: Option<&Arc<Entry>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// Logs what is wrong, once.
fn report(seen: &mut Seen, problems: &[String], consequence: &'static str) {
    if seen.problems != problems {
        for problem in problems {
            tracing::error!(%problem, "{consequence}");
        }
        seen.problems = problems.to_vec();
    }
}
