//! What status and the condition `EncryptionUpToDate` say. The operator only prints it.

use userengine_api::key::Kid;

use super::{Job, Seen, pending};
use crate::age::REST_SECONDS;
use crate::ledger::{Last, Ledger, Open, Outcome, Phase};
use crate::verdict::Step;

/// How far a rotation is, or how the last one ended: one word, for the print column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The target key's Secret is created and read back. The engine serves.
    Minting,
    /// The engine finishes what is in flight, and stops.
    Quiescing,
    /// Every value is opened, before the first is changed.
    Checking,
    /// Every value is sealed with the target key.
    Migrating,
    /// Every value is opened with the target key alone.
    Verifying,
    /// An attempt came to nothing; it goes, and the next one comes.
    Retrying,
    /// The last attempt goes, and the engine comes back.
    Resuming,
    /// It ended with a certificate.
    Certified,
    /// It could not be done, and was never opened.
    Rejected,
    /// The key or the Job refused.
    Refused,
    /// Its time or its attempts ran out.
    Failed,
}

impl Stage {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minting => "Minting",
            Self::Quiescing => "Quiescing",
            Self::Checking => "Checking",
            Self::Migrating => "Migrating",
            Self::Verifying => "Verifying",
            Self::Retrying => "Retrying",
            Self::Resuming => "Resuming",
            Self::Certified => "Certified",
            Self::Rejected => "Rejected",
            Self::Refused => "Refused",
            Self::Failed => "Failed",
        }
    }
}

/// Where the open rotation, or else the last one, is; `None` if there never was one.
pub fn stage(ledger: &Ledger, seen: &Seen<'_>) -> Option<Stage> {
    if let Some(open) = &ledger.open {
        return Some(open_stage(open, seen));
    }
    Some(match ledger.last.as_ref()?.outcome {
        Outcome::Certified => Stage::Certified,
        Outcome::Rejected => Stage::Rejected,
        Outcome::Refused => Stage::Refused,
        Outcome::Failed => Stage::Failed,
    })
}

fn open_stage(open: &Open, seen: &Seen<'_>) -> Stage {
    match open.phase {
        Phase::Minting => Stage::Minting,
        Phase::Quiescing => Stage::Quiescing,
        Phase::Clearing if open.ending.is_some() => Stage::Resuming,
        Phase::Clearing => Stage::Retrying,
        Phase::Running => match step(open, seen) {
            Some(Step::Migrating) => Stage::Migrating,
            Some(Step::Verifying) => Stage::Verifying,
            Some(Step::Opening | Step::Checking) | None => Stage::Checking,
        },
    }
}

fn step(open: &Open, seen: &Seen<'_>) -> Option<Step> {
    let said = match &seen.job {
        Job::Running(Some(progress)) if progress.rotation == open.id => Some(progress.step),
        _ => None,
    };
    said.or_else(|| open.reached.map(|reached| reached.step))
}

/// Why `EncryptionUpToDate` is as it is. The variant's name is the condition's reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// Every value is sealed with the key that is asked for.
    AsExpected,
    /// A rotation runs.
    Rotating,
    /// A rotation is asked for, and something has to be well again first.
    RotationPending,
    /// A rotation is asked for while another one runs.
    RotationQueued,
    /// The rotation that is asked for cannot be done.
    RotationRejected,
    /// The rotation was refused.
    RotationRefused,
    /// The rotation did not come to its end in time or within its attempts.
    RotationFailed,
    /// A pod that mounts the volume is on a node that does not answer.
    NodeUnreachable,
}

impl Why {
    /// The reason.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AsExpected => "AsExpected",
            Self::Rotating => "Rotating",
            Self::RotationPending => "RotationPending",
            Self::RotationQueued => "RotationQueued",
            Self::RotationRejected => "RotationRejected",
            Self::RotationRefused => "RotationRefused",
            Self::RotationFailed => "RotationFailed",
            Self::NodeUnreachable => "NodeUnreachable",
        }
    }
}

/// The condition `EncryptionUpToDate`: true only for [`Why::AsExpected`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpToDate {
    /// The reason.
    pub why: Why,
    /// The message: what is so, and what to do if somebody has to act.
    pub message: String,
}

/// What the condition says.
pub fn up_to_date(ledger: &Ledger, seen: &Seen<'_>) -> UpToDate {
    let next = pending(ledger, seen).map(|request| request.id.to_string());
    let (why, message) = match (&ledger.open, next) {
        (Some(open), _) if open.phase > Phase::Minting && seen.stuck().is_some() => {
            (Why::NodeUnreachable, unreachable(open))
        }
        (Some(open), Some(next)) => (
            Why::RotationQueued,
            format!("{}; {next} waits for its end", runs(open, seen)),
        ),
        (Some(open), None) => (Why::Rotating, runs(open, seen)),
        (None, Some(next)) => (
            Why::RotationPending,
            format!(
                "rotation {next} waits until the engine is well, not paused, and not in line to be restarted for its class"
            ),
        ),
        (None, None) => rest(ledger, seen),
    };
    UpToDate { why, message }
}

fn unreachable(open: &Open) -> String {
    format!(
        "rotation {} waits for a pod on a node that does not answer: bring the node back, or follow the runbook of a lost node",
        open.id
    )
}

fn runs(open: &Open, seen: &Seen<'_>) -> String {
    let stage = open_stage(open, seen).as_str().to_lowercase();
    match open.attempt {
        1 => format!("rotation {} is {stage}", open.id),
        attempt => format!("rotation {} is {stage}, attempt {attempt}", open.id),
    }
}

/// Nothing is open and nothing is asked for.
fn rest(ledger: &Ledger, seen: &Seen<'_>) -> (Why, String) {
    let last = ledger.last.as_ref();
    if let Some(last) = last.filter(|last| still_matters(ledger, seen, last)) {
        return came_to_nothing(ledger, seen, last);
    }
    let kid = ledger.active().map_or("", |key| key.kid.as_str());
    (
        Why::AsExpected,
        format!("every value is sealed with key {kid}"),
    )
}

/// One that came to nothing matters as long as somebody asks for it, or a second key is in the ring because of it.
fn still_matters(ledger: &Ledger, seen: &Seen<'_>, last: &Last) -> bool {
    let is_asked = seen.request.is_some_and(|request| request.id == last.id);
    let has_two = ledger.ring().count() > 1;
    last.outcome != Outcome::Certified && (is_asked || has_two || is_tried_again(seen, last))
}

/// It was because of the key's age, and comes again once it has rested. A maximum age that was raised since, or taken away,
/// asks for nothing any more.
fn is_tried_again(seen: &Seen<'_>, last: &Last) -> bool {
    let rested = last.ended.saturating_add(REST_SECONDS);
    last.by_age() && seen.due_at.is_some_and(|due| due <= rested)
}

fn came_to_nothing(ledger: &Ledger, seen: &Seen<'_>, last: &Last) -> (Why, String) {
    let (why, word) = match last.outcome {
        Outcome::Rejected => (Why::RotationRejected, "rejected"),
        Outcome::Refused => (Why::RotationRefused, "refused"),
        Outcome::Certified | Outcome::Failed => (Why::RotationFailed, "given up"),
    };
    let kids: Vec<_> = ledger.ring().map(|key| &key.kid).map(Kid::as_str).collect();
    let ring = match kids.as_slice() {
        [one] => format!("the engine keeps key {one}"),
        many => format!(
            "the engine keeps keys {}, and values may lie under each",
            many.join(" and ")
        ),
    };
    let next = if is_tried_again(seen, last) {
        "it is tried again in a day"
    } else {
        "another try needs a new id"
    };
    (
        why,
        format!(
            "rotation {} was {word}: {}; {ring}; {next}",
            last.id, last.why
        ),
    )
}
