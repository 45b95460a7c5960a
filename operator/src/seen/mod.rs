//! What the watches have shown, as marks and not as objects: enough to tell whether anything has changed since an engine was
//! last looked at.
//!
//! A look reads everything anew from the API server; this only says that there is no need for one. It never says what is.

mod engine;
mod entry;
mod mark;
mod metadata;
mod watches;

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use userengine_api::labels;
use userengine_api::names::Names;

pub use engine::{EngineSketch, key_created, mark_of};
pub use mark::Watched;
pub use watches::{Leaving, Told, Woken, watch};

use self::entry::{Entry, Last, Shown};
use crate::namespaces::Place;

/// Namespace and name of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EngineName {
    namespace: Box<str>,
    name: Box<str>,
}

impl EngineName {
    /// The engine that this object belongs to by its label, and by its name: that begins with its engine's.
    fn of_child(metadata: &ObjectMeta) -> Option<Self> {
        let engine = metadata.labels.as_ref()?.get(labels::ENGINE)?;
        let rest = metadata.name.as_deref()?.strip_prefix(engine.as_str())?;
        let is_ours = rest.is_empty() || rest.starts_with('-');
        is_ours.then_some(Self::new(metadata.namespace.as_deref()?, engine))
    }

    /// This engine's.
    pub fn of(engine: &impl ResourceExt) -> Self {
        Self::new(&engine.namespace().unwrap_or_default(), &engine.name_any())
    }

    /// The engine of this name in this namespace.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The claim of its brain.
    pub fn claim(&self) -> ObjectRef<PersistentVolumeClaim> {
        ObjectRef::new(&Names(&self.name).claim()).within(&self.namespace)
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// How long looks that are disturbed one after the other may leave what they found to the next one.
pub const AT_MOST_PUT_OFF: Duration = Duration::from_secs(3);

/// The marks of all engines.
#[derive(Default)]
pub struct Seen(Mutex<HashMap<EngineName, Entry>>);

/// Everything that the watches show of an engine, in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// As status keeps it.
    pub fn text(self) -> String {
        format!("{:016x}", self.0)
    }
}

/// What is asked of an engine that may be at rest.
#[derive(Debug, Clone, Copy)]
pub struct Rest<'a> {
    /// How it is now.
    pub digest: Digest,
    /// How it was when it last came to rest, as its status says.
    pub settled: Option<&'a str>,
    /// From a start of the operator that finds it at rest until the first look at it.
    pub first: Duration,
}

/// A look that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    changes: u64,
    /// Nobody has looked at the engine since the operator started, which it did not find at rest.
    pub is_first: bool,
}

impl Seen {
    fn entries(&self) -> MutexGuard<'_, HashMap<EngineName, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a child as it is shown. Gives whose it is, if that is news to whoever looked at the engine last.
    fn show(&self, kind: Watched, metadata: &ObjectMeta, shown: Shown) -> Option<EngineName> {
        let engine = EngineName::of_child(metadata)?;
        let mut entries = self.entries();
        let is_news = entries
            .entry(engine.clone())
            .or_default()
            .take(kind, metadata, shown);
        is_news.then_some(engine)
    }

    /// The API server answered a write of ours with this object.
    pub fn wrote(&self, kind: &str, metadata: &ObjectMeta) {
        // An object that goes with the answer is shown by nobody after it, and may have been shown as gone before it.
        let is_held = metadata
            .finalizers
            .as_ref()
            .is_some_and(|all| !all.is_empty());
        let is_gone = metadata.deletion_timestamp.is_some() && !is_held;
        if let Some(kind) = Watched::named(kind).filter(|_| !is_gone) {
            self.show(kind, metadata, Shown::Written);
        }
    }

    /// A look has read this object: it is part of that look, though the watch may be yet to show it. One that the watch does not
    /// show, by now or yet, is passed over.
    pub fn read(&self, kind: &str, metadata: &ObjectMeta) {
        let kind = Watched::named(kind);
        if let Some((kind, engine)) = kind.zip(EngineName::of_child(metadata))
            && let Some(entry) = self.entries().get_mut(&engine)
        {
            entry.read(kind, metadata);
        }
    }

    /// A child is gone, or none of ours any more.
    fn forget(&self, kind: Watched, metadata: &ObjectMeta) -> Option<EngineName> {
        let engine = EngineName::of_child(metadata)?;
        self.loses(&engine, kind, metadata).then_some(engine)
    }

    /// A child says that it belongs to another engine than before, or to none. Gives the one that it was known to belong to, by
    /// its name: that begins with its engine's.
    fn strayed(&self, kind: Watched, metadata: &ObjectMeta) -> Option<EngineName> {
        let name = metadata.name.as_deref()?;
        let namespace = metadata.namespace.as_deref()?;
        let now = EngineName::of_child(metadata);
        let ends = name.match_indices('-').map(|(end, _)| end);
        let engines = ends
            .chain([name.len()])
            .filter_map(|end| name.get(..end))
            .map(|engine| EngineName::new(namespace, engine));
        engines
            .filter(|engine| now.as_ref() != Some(engine))
            .find(|engine| self.loses(engine, kind, metadata))
    }

    /// Takes a child away from what is known of an engine; false if it was not there.
    fn loses(&self, engine: &EngineName, kind: Watched, child: &ObjectMeta) -> bool {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(engine) else {
            return false;
        };
        let Ok(place) = entry.place(kind, mark::name(child)) else {
            return false;
        };
        // A watch may be behind what a write of ours was answered with.
        let known = entry.children.get(place).map(|known| known.version);
        if known > Some(mark::version(child)) {
            return false;
        }
        entry.children.remove(place);
        entry.changes += 1;
        true
    }

    /// A list of a kind in a place is complete: what it did not show is gone from there. Gives whose that was.
    fn listed(&self, kind: Watched, place: &Place, list: u32) -> Vec<EngineName> {
        let mut bereft = Vec::new();
        let mut entries = self.entries();
        let here = entries.iter_mut();
        for (engine, entry) in here.filter(|(engine, _)| place.holds(&engine.namespace)) {
            let before = entry.children.len();
            entry
                .children
                .retain(|child| child.kind != kind || child.list == list);
            if entry.children.len() < before {
                entry.changes += 1;
                bereft.push(engine.clone());
            }
        }
        bereft
    }

    /// Everything that the watches show of an engine that has this mark, and follows what `follows` says.
    pub fn digest(&self, engine: &EngineName, mark: u64, follows: &impl Hash) -> Digest {
        let mut hasher = DefaultHasher::new();
        (mark, follows).hash(&mut hasher);
        if let Some(entry) = self.entries().get(engine) {
            for child in &entry.children {
                (child.kind, child.name, child.mark).hash(&mut hasher);
            }
        }
        Digest(hasher.finish())
    }

    /// How long nothing need be done for an engine; `None` if it has to be looked at.
    pub fn rest(&self, engine: &EngineName, rest: &Rest<'_>, now: Instant) -> Option<Duration> {
        let Rest {
            digest,
            settled,
            first,
        } = *rest;
        let mut entries = self.entries();
        let entry = entries.entry(engine.clone()).or_default();
        if entry.last == Last::Never && settled.is_some_and(|settled| settled == digest.text()) {
            entry.last = Last::Quiet {
                digest,
                next: now + first,
            };
        }
        match entry.last {
            Last::Quiet {
                digest: known,
                next,
            } if known == digest && next > now => Some(next - now),
            _ => None,
        }
    }

    /// Begins a look. Whatever somebody else changes from now on is not part of it.
    pub fn begin(&self, engine: &EngineName) -> Look {
        let mut entries = self.entries();
        let entry = entries.entry(engine.clone()).or_default();
        let before = std::mem::replace(&mut entry.last, Last::Open);
        Look {
            changes: entry.changes,
            is_first: before == Last::Never,
        }
    }

    /// Nobody else has changed anything since the look began.
    pub fn is_undisturbed(&self, engine: &EngineName, look: Look) -> bool {
        let entries = self.entries();
        let entry = entries.get(engine);
        entry.is_some_and(|entry| entry.changes == look.changes)
    }

    /// Whether to leave what a look found to the next one, which comes at once because this one was disturbed. Not for longer
    /// than [`AT_MOST_PUT_OFF`]: an engine that is disturbed all the time is told of as well.
    pub fn puts_off(&self, engine: &EngineName, look: Look, now: Instant) -> bool {
        let mut entries = self.entries();
        let entry = entries.entry(engine.clone()).or_default();
        let is_disturbed = entry.changes != look.changes;
        let since = entry.put_off.filter(|_| is_disturbed).unwrap_or(now);
        let is_put_off = is_disturbed && now.duration_since(since) < AT_MOST_PUT_OFF;
        entry.put_off = is_put_off.then_some(since);
        is_put_off
    }

    /// A look found that nothing need be done before `next` unless something changes. One that was disturbed counts for
    /// nothing: whoever disturbed it wakes another.
    pub fn rests(&self, engine: &EngineName, look: Look, digest: Digest, next: Instant) {
        if let Some(entry) = self.entries().get_mut(engine)
            && entry.changes == look.changes
        {
            entry.last = Last::Quiet { digest, next };
        }
    }

    /// An engine is gone. What is left of its children stays known, for one that takes its brain up.
    pub fn gone(&self, engine: &EngineName) {
        let mut entries = self.entries();
        match entries.get_mut(engine) {
            Some(entry) if entry.children.is_empty() => drop(entries.remove(engine)),
            Some(entry) => entry.last = Last::Open,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
