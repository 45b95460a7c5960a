//! What is known of one engine: its children as they were shown last, and how the last look at it ended.

use std::time::Instant;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Digest, Watched, mark};

/// What is known of one engine.
#[derive(Default)]
pub(super) struct Entry {
    /// In the order of their kinds and of the hashes of their names.
    pub(super) children: Vec<Child>,
    /// Changes that somebody else made to the mark of a child.
    pub(super) changes: u64,
    pub(super) last: Last,
    /// Since when what looks found was not told.
    pub(super) put_off: Option<Instant>,
}

/// One child. There are a dozen of each engine, in 40 bytes each.
pub(super) struct Child {
    pub(super) kind: Watched,
    /// A hash of its name.
    pub(super) name: u64,
    pub(super) version: u64,
    pub(super) mark: Option<u64>,
    /// The last list of its kind when it was last shown.
    pub(super) list: u32,
    /// This version was taken for a change that somebody else made.
    counted: bool,
}

impl Child {
    fn blank(kind: Watched, name: u64) -> Self {
        Self {
            kind,
            name,
            version: 0,
            mark: None,
            list: 0,
            counted: false,
        }
    }
}

/// How one comes to see an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// As one of the list of this number, which says how things are whatever was said before.
    Listed(u32),
    /// By a change, after the list of this number.
    Changed(u32),
    /// As the answer to a write of ours.
    Written,
}

/// The last look at an engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Last {
    /// There was none since the operator started.
    #[default]
    Never,
    /// It has not come to its end, was disturbed, or found that something is about to happen: whatever wakes the engine leads to
    /// another.
    Open,
    /// Nothing was left to do, and nothing need be done before the time while the digest is the same.
    Quiet { digest: Digest, next: Instant },
}

impl Entry {
    /// Where a child is, or would be.
    pub(super) fn place(&self, kind: Watched, name: u64) -> Result<usize, usize> {
        self.children
            .binary_search_by_key(&(kind, name), |child| (child.kind, child.name))
    }

    /// The child of this name, as it was shown last; a blank one if it never was.
    fn child(&mut self, kind: Watched, name: u64) -> &mut Child {
        let place = self.place(kind, name).unwrap_or_else(|place| {
            self.children.reserve_exact(1);
            self.children.insert(place, Child::blank(kind, name));
            place
        });
        #[expect(clippy::indexing_slicing, reason = "it was found or put there")]
        &mut self.children[place]
    }

    /// Takes a child as a look has read it, if it is known and was not shown so yet.
    pub(super) fn read(&mut self, kind: Watched, metadata: &ObjectMeta) {
        let place = self.place(kind, mark::name(metadata)).ok();
        let known = place.and_then(|place| self.children.get_mut(place));
        let version = mark::version(metadata);
        if let Some(child) = known.filter(|known| known.version < version) {
            (child.version, child.mark) = (version, Some(mark::mark(kind, metadata)));
            child.counted = false;
        }
    }

    /// Takes a child as it is shown; true if somebody else has written it. What was written need not change the digest.
    pub(super) fn take(&mut self, kind: Watched, metadata: &ObjectMeta, shown: Shown) -> bool {
        let child = self.child(kind, mark::name(metadata));
        let version = mark::version(metadata);
        if let Shown::Listed(list) | Shown::Changed(list) = shown {
            child.list = list;
        }
        // A watch may be behind what a write of ours was answered with.
        if version < child.version && !matches!(shown, Shown::Listed(_)) {
            return false;
        }
        let is_new = version != child.version;
        let is_news = is_new && shown != Shown::Written;
        // Or before it, and then that write was taken for somebody else's.
        let is_echo = !is_new && shown == Shown::Written && child.counted;
        let mark = Some(mark::mark(kind, metadata));
        let counts = is_news && mark != child.mark;
        child.counted = counts || !is_new && !is_echo && child.counted;
        (child.version, child.mark) = (version, mark);
        self.changes += u64::from(counts);
        self.changes -= u64::from(is_echo);
        is_news
    }
}
