//! What there is: one engine's objects, its brain, its provider, and what goes on among them.
//!
//! Keys are numbers: 0 is the key that the brain was born with, `n` the one that the `n`th request mints. Sets of keys
//! are bits.

use std::sync::Arc;

use userengine_rotation::gate::Logged;
use userengine_rotation::ledger::Ledger;

pub type KeyNo = u8;
pub type KeySet = u8;
/// Sealed values.
pub const ROWS: usize = 2;
/// Requests that a scenario may have.
pub const IDS: usize = 3;
/// Keys that may come of them.
pub const KEYS: usize = IDS + 1;

pub fn set_of(key: KeyNo) -> KeySet {
    1 << key
}

pub fn is_in(key: KeyNo, set: KeySet) -> bool {
    set & set_of(key) != 0
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// Durable: annotations on the claim.
    pub ledger: Arc<Ledger>,
    /// What the operator saw and has not acted on; a crash forgets it.
    pub look: Option<Look>,
    /// Which request the spec names: 0 is none.
    pub spec: u8,
    /// Key Secrets that exist.
    pub secrets: KeySet,
    /// The StatefulSet as it was written, and as its controller saw it last.
    pub written: Replica,
    pub observed: Replica,
    pub engine: Option<Engine>,
    /// An engine whose pod was deleted by force, and which still runs.
    pub ghost_engine: Option<Engine>,
    pub job: Option<JobObject>,
    /// A Job's process, likewise.
    pub ghost_job: Option<Process>,
    pub brain: Brain,
    /// Versions of the tokens that the provider would take: each works once.
    pub provider: [u8; ROWS],
    /// How often each request was opened.
    pub opened: [u8; IDS],
    /// Faults and refreshes that are still to come.
    pub faults: u8,
    pub refreshes: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Replica {
    pub stopped: bool,
    pub ring: KeySet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Engine {
    pub ring: KeySet,
    /// The row whose token was renewed at the provider and is not stored yet.
    pub in_flight: Option<u8>,
    /// The write key when it started. Only an engine without its fence looks at this.
    pub remembered: KeyNo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Row {
    pub key: KeyNo,
    pub version: u8,
    /// It lies in quarantine: no rotation touches it, and it holds its key.
    pub aside: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Brain {
    pub write: KeyNo,
    pub epoch: u8,
    /// The request that has begun and is not certified, where it came from and where it goes.
    pub open: Option<(u8, KeyNo, KeyNo)>,
    pub log: [Option<Logged>; IDS],
    /// When the latest was opened of those that began.
    pub latest: Option<u8>,
    pub rows: [Row; ROWS],
}

impl Brain {
    pub fn needs(&self) -> KeySet {
        let live = self.rows.iter().filter(|row| !row.aside);
        live.fold(set_of(self.write), |set, row| set | set_of(row.key))
    }

    pub fn quarantine_needs(&self) -> KeySet {
        let aside = self.rows.iter().filter(|row| row.aside);
        aside.fold(0, |set, row| set | set_of(row.key))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobObject {
    pub attempt: u8,
    pub pod: Pod,
    /// It is being deleted.
    pub going: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pod {
    Waiting(Process),
    Runs(Process),
    Ended(Said),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process {
    /// Which request.
    pub request: u8,
    pub from: KeySet,
    pub to: KeyNo,
    /// When the rotation was opened: after how many others.
    pub opened: u8,
    pub step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    Start,
    /// Under this epoch, with the row that was read and is to be written.
    Sealing(u8, Option<(u8, Row)>),
    Verify(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Said {
    Nothing,
    Certified,
    Refused {
        may_pass: bool,
        touched: bool,
        write: KeyNo,
    },
}

/// What the operator saw at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Look {
    /// Every deadline has passed, and every wait is over.
    pub late: bool,
    pub spec: u8,
    pub secrets: KeySet,
    pub quiet: bool,
    pub held: bool,
    pub job: Option<(Option<Said>, bool)>,
    pub unused: KeySet,
}
