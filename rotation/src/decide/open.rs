//! What the phases of an open rotation share.

use super::{Decision, Holders, Job, News, Seen, Target, Wish, standing, write};
use crate::ledger::{Ledger, Open, Phase};

/// Why an attempt cannot be made.
pub(super) const LOST_TARGET: &str =
    "the Secret of the target key was lost or changed after it was read back";

pub(super) fn start(ledger: &Ledger, open: &Open, seen: &Seen<'_>, attempt: u8) -> Decision {
    let (phase, reached) = (Phase::Running, None);
    let next = moved(
        ledger,
        seen,
        Open {
            phase,
            attempt,
            reached,
            ..open.clone()
        },
    );
    write(next, News::Started { attempt })
}

/// The ledger with the rotation moved on, from now.
pub(super) fn moved(ledger: &Ledger, seen: &Seen<'_>, open: Open) -> Ledger {
    let since = seen.now;
    Ledger {
        open: Some(Open { since, ..open }),
        ..ledger.clone()
    }
}

pub(super) fn stopped(ledger: &Ledger, open: &Open, seen: &Seen<'_>, limit: i64) -> Wish {
    let left = open.since.saturating_add(limit).saturating_sub(seen.now);
    Wish {
        stopped: true,
        look_again: Some(left.max(1)),
        stuck: seen.stuck(),
        ..standing(ledger, seen)
    }
}

/// Nobody has the brain open, and nobody can come.
pub(super) fn is_free(seen: &Seen<'_>) -> bool {
    seen.quiet && seen.holders == Holders::None && seen.job == Job::Absent
}

pub(super) fn is_usable(ledger: &Ledger, seen: &Seen<'_>) -> bool {
    ledger
        .target()
        .is_some_and(|key| seen.target == Target::Usable(key.kid.clone()))
}

pub(super) fn is_late(open: &Open, seen: &Seen<'_>, seconds: i64) -> bool {
    seen.now.saturating_sub(open.since) >= seconds
}
