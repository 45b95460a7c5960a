//! What the transition table makes of what was observed.

use userengine_api::condition::Reason;
use userengine_api::duration::seconds;
use userengine_api::key::Kid;
use userengine_api::labels;
use userengine_api::user_engine::{Rotation as Asked, RotationMode};
use userengine_rotation::age::Age;
use userengine_rotation::decide::{self, Decision, Job, Seen, Target, Why, Wish, up_to_date};
use userengine_rotation::ledger::Phase;
use userengine_rotation::request::{Mode, Request};

use super::{Finding, ResolvedClass, jobs, proof};
use crate::record::Record;
use crate::user_engine::build;
use crate::user_engine::observed::{KeySecret, Observed};

/// Seconds that a retired key is kept, and that an engine may take to stop, while neither class nor engine says it.
const UNKNOWN: (i64, i64) = (i64::MAX, 600);

/// What comes next, and what is said of it.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// What comes next.
    pub decision: Decision,
    /// `EncryptionUpToDate`.
    pub finding: Finding,
    /// Whether a key is needed any more is to be found out.
    pub wants_proof: bool,
    /// How far the rotation is that is open, or how the last one ended.
    pub stage: Option<&'static str>,
}

impl Rotation {
    /// What should be true of the cluster; `None` while the ledger is to be written first.
    pub fn wish(&self) -> Option<&Wish> {
        match &self.decision {
            Decision::Wish(wish) => Some(wish),
            Decision::Write(..) => None,
        }
    }

    /// Another one is to be opened, and no key is known to somebody who should not know it.
    pub fn begins_in_peace(&self, record: &Record) -> bool {
        let Decision::Write(next, _) = &self.decision else {
            return false;
        };
        let open = next.open.as_ref().filter(|_| record.ledger.open.is_none());
        open.is_some_and(|open| open.mode == Mode::Normal)
    }
}

/// What is so around the engine's keys.
pub struct Circumstances<'a> {
    /// The class, if there is one to follow.
    pub class: Option<&'a ResolvedClass>,
    /// What the engine has of a class that is gone.
    pub kept: Option<&'a ResolvedClass>,
    /// Nothing may be started.
    pub held_back: bool,
}

/// Asks the table.
pub fn assess(observed: &Observed, record: &Record, circumstances: &Circumstances<'_>) -> Rotation {
    let &Circumstances {
        class,
        kept,
        held_back,
    } = circumstances;
    let ledger = &record.ledger;
    let now = observed.now.as_second();
    let request = asked(observed).and_then(request);
    let age = age(observed, record, class);
    let due = age.as_ref().and_then(|age| age.due(ledger, now));
    let seen = Seen {
        now,
        database_id: &record.database_id,
        request: request.as_ref(),
        due: due.as_ref(),
        due_at: age.map(|age| age.due_at(ledger)),
        initialised: record.initialised,
        held_back,
        target: target(observed, record),
        quiet: proof::is_quiet(observed, ledger),
        holders: jobs::holders(&observed.rotating, observed.now),
        job: job(observed, record),
        grace: class
            .or(kept)
            .map_or(UNKNOWN.1, |it| it.spec.termination_grace_period_seconds),
        retain_retired: class
            .and_then(|class| seconds(&class.spec.keys.retain_retired))
            .unwrap_or(UNKNOWN.0),
        proven_unused: &proof::proven_unused(observed, ledger),
        gone: &proof::gone(observed, record),
    };
    let word = up_to_date(ledger, &seen);
    let decision = decide::decide(ledger, &seen);
    Rotation {
        wants_proof: proof::wants_proof(observed, ledger, &decision),
        decision,
        finding: finding(word.why, word.message),
        stage: decide::stage(ledger, &seen).map(decide::Stage::as_str),
    }
}

fn finding(why: Why, message: String) -> Finding {
    match why {
        Why::AsExpected => Finding::fine(message),
        Why::Rotating => Finding::waiting(Reason::Rotating, message),
        Why::RotationPending => Finding::waiting(Reason::RotationPending, message),
        Why::RotationQueued => Finding::waiting(Reason::RotationQueued, message),
        Why::RotationRejected => Finding::blocked(Reason::RotationRejected, message),
        Why::RotationRefused => Finding::blocked(Reason::RotationRefused, message),
        Why::RotationFailed => Finding::blocked(Reason::RotationFailed, message),
        Why::NodeUnreachable => Finding::blocked(Reason::NodeUnreachable, message),
    }
}

fn asked(observed: &Observed) -> Option<&Asked> {
    observed.engine.spec.encryption.as_ref()?.rotation.as_ref()
}

/// The request in the table's own types. The schema lets nothing through that is none.
fn request(asked: &Asked) -> Option<Request> {
    let rows = asked.set_aside.iter().cloned().map(TryInto::try_into);
    Some(Request {
        id: asked.id.clone().try_into().ok()?,
        mode: match asked.mode {
            RotationMode::Normal => Mode::Normal,
            RotationMode::Compromised => Mode::Compromised,
        },
        rollback_to: match &asked.rollback_to {
            Some(kid) => Some(kid.parse().ok()?),
            None => None,
        },
        set_aside: rows.collect::<Result<_, _>>().ok()?,
    })
}

fn age<'a>(
    observed: &Observed,
    record: &'a Record,
    class: Option<&ResolvedClass>,
) -> Option<Age<'a>> {
    let own = observed.engine.spec.encryption.as_ref();
    let own = own.and_then(|encryption| encryption.max_age.as_deref());
    let max_age = own.or_else(|| class?.spec.keys.max_age.as_deref())?;
    let active = record.ledger.active()?;
    let Some(KeySecret::Present {
        created_at: Some(created),
        ..
    }) = observed.keys.get(&active.suffix)
    else {
        return None;
    };
    Some(Age {
        database_id: &record.database_id,
        created: created.as_second(),
        max_age: seconds(max_age)?,
    })
}

fn target(observed: &Observed, record: &Record) -> Target {
    let Some(open) = &record.ledger.open else {
        return Target::Absent;
    };
    match observed.keys.get(&open.suffix) {
        None | Some(KeySecret::Absent) => Target::Absent,
        Some(KeySecret::Present {
            kid: Ok(kid),
            database_id,
            terminating: false,
            ..
        }) if is_for(record, kid, database_id.as_deref()) => Target::Usable(kid.clone()),
        Some(KeySecret::Present { .. }) => Target::Unusable,
    }
}

/// The Secret says so; or it says nothing, as one out of a backup may, and the record knows its key.
fn is_for(record: &Record, kid: &Kid, database_id: Option<&str>) -> bool {
    match database_id {
        Some(id) => id == record.database_id,
        None => record.ledger.key(kid).is_some(),
    }
}

fn job(observed: &Observed, record: &Record) -> Job {
    let rotating = &observed.rotating;
    match &record.ledger.open {
        Some(open) if open.phase == Phase::Running => {
            let name = build::job_name(&observed.name(), record, open);
            jobs::one(rotating, &name, observed.now)
        }
        _ => jobs::any(rotating, observed.now),
    }
}

/// The engine is stopped for a rotation, or is about to be.
pub fn stops_the_engine(record: &Record) -> bool {
    let open = record.ledger.open.as_ref();
    open.is_some_and(|open| open.phase > Phase::Minting)
}

/// The same, or it has not brought the engine back yet.
pub fn has_in_hand(observed: &Observed, record: &Record) -> bool {
    let annotations = observed
        .stateful_set()
        .and_then(|set| set.metadata.annotations.as_ref());
    let stopped_for = annotations.and_then(|all| all.get(labels::STOPPED_FOR));
    stops_the_engine(record) || stopped_for.is_some_and(|it| it == labels::FOR_ROTATION)
}
