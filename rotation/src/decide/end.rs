//! The one write that ends a rotation: keys find their place, the id is consumed, the rotation closes.

use userengine_api::key::Kid;

use super::{Decision, News, write};
use crate::ledger::{IdHash, KeyState, Last, Ledger, Open, Outcome};
use crate::request::{Mode, RotationId};
use crate::verdict::Certificate;

/// How a rotation ends.
pub(super) enum End {
    /// Every value opened with the target alone: it becomes active, and every other key leaves the ring.
    Certified(Box<Certificate>),
    /// Nothing was written and nothing can be any more: the ring becomes what it was.
    Untouched(Outcome, String),
    /// Values may lie under the target: it stays in the ring beside the others. The brain's write key, if it is known,
    /// is the active one.
    Touched(Outcome, String, Option<Kid>),
}

pub(super) fn end(ledger: &Ledger, open: &Open, now: i64, end: End) -> Decision {
    let mut next = consume(ledger, &open.id);
    let (outcome, why, certificate) = match end {
        End::Certified(certificate) => {
            promote(&mut next, open, now);
            (Outcome::Certified, String::new(), Some(certificate))
        }
        End::Untouched(outcome, why) => {
            put_back(&mut next, open, now);
            (outcome, why, None)
        }
        End::Touched(outcome, why, write_kid) => {
            follow(&mut next, write_kid.as_ref());
            (outcome, why, None)
        }
    };
    let last = Last {
        id: open.id.clone(),
        outcome,
        started: open.started,
        ended: now,
        why,
        certificate,
    };
    next.open = None;
    next.last = Some(last.clone());
    write(next, News::Ended(Box::new(last)))
}

pub(super) fn consume(ledger: &Ledger, id: &RotationId) -> Ledger {
    let mut next = ledger.clone();
    next.consumed.insert(IdHash::of(id));
    next
}

fn promote(next: &mut Ledger, open: &Open, now: i64) {
    let retired = match open.mode {
        Mode::Normal => KeyState::Withheld { since: now },
        Mode::Compromised => KeyState::Compromised { since: now },
    };
    for key in next.keys.iter_mut().filter(|key| key.state.in_ring()) {
        key.state = if key.suffix == open.suffix {
            KeyState::Active
        } else {
            retired
        };
    }
}

/// A new key that nothing was sealed with is kept as long as any other that left the ring.
fn put_back(next: &mut Ledger, open: &Open, now: i64) {
    let before = open.was.unwrap_or(KeyState::Withheld { since: now });
    for key in next.keys.iter_mut().filter(|key| key.suffix == open.suffix) {
        key.state = before;
    }
}

fn follow(next: &mut Ledger, write_kid: Option<&Kid>) {
    let in_ring = |kid: &&Kid| next.ring().any(|key| key.kid == **kid);
    let Some(active) = write_kid.filter(in_ring).cloned() else {
        return;
    };
    for key in next.keys.iter_mut().filter(|key| key.state.in_ring()) {
        key.state = if key.kid == active {
            KeyState::Active
        } else {
            KeyState::Staged
        };
    }
}
