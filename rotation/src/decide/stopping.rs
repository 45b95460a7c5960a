//! Up to the engine's stop: the target key is read back, then every pod that mounts the claim goes.

use userengine_api::key::Kid;

use super::end::{End, end};
use super::open::{LOST_TARGET, is_free, is_late, is_usable, moved, start, stopped};
use super::{Decision, Holders, Job, News, QUIESCE_SECONDS, Seen, Target, Wish, standing, write};
use crate::ledger::{Key, KeyState, Ledger, Open, Outcome, Phase};

/// The open rotation was recorded before this: a key that is minted is never one that nobody knows of.
pub(super) fn minting(ledger: &Ledger, open: &Open, seen: &Seen<'_>) -> Decision {
    if seen.held_back {
        return Decision::Wish(standing(ledger, seen));
    }
    let refuse = |why: &str| {
        let refused = End::Untouched(Outcome::Refused, why.to_owned());
        end(ledger, open, seen.now, refused)
    };
    match (&seen.target, ledger.target()) {
        (Target::Absent, None) => {
            let mint = Some(open.suffix.clone());
            Decision::Wish(Wish {
                mint,
                ..standing(ledger, seen)
            })
        }
        (Target::Absent, Some(_)) => refuse("the Secret of the key to go back to is gone"),
        (Target::Unusable, _) => refuse(
            "the Secret of the target key is of no use: it is malformed, of another brain, or being deleted",
        ),
        (Target::Usable(kid), None) if ledger.key(kid).is_some() => {
            refuse("the Secret of the new key holds a key that this brain had before")
        }
        (Target::Usable(kid), Some(key)) if *kid != key.kid => {
            refuse("the Secret of the key to go back to holds another key")
        }
        (Target::Usable(kid), _) => stage(ledger, open, seen, kid),
    }
}

/// The key was read back: it enters the ring, and the engine stops, in one write.
fn stage(ledger: &Ledger, open: &Open, seen: &Seen<'_>, kid: &Kid) -> Decision {
    let mut next = moved(
        ledger,
        seen,
        Open {
            phase: Phase::Quiescing,
            ..open.clone()
        },
    );
    next.keys.retain(|key| key.kid != *kid);
    next.keys.push(Key {
        kid: kid.clone(),
        state: KeyState::Staged,
        suffix: open.suffix.clone(),
    });
    write(next, News::Quiescing(kid.clone()))
}

/// No attempt was made yet: whatever ends it here leaves the ring as it was.
pub(super) fn quiescing(ledger: &Ledger, open: &Open, seen: &Seen<'_>) -> Decision {
    let untouched = |outcome, why| end(ledger, open, seen.now, End::Untouched(outcome, why));
    let limit = seen.grace.saturating_add(QUIESCE_SECONDS);
    if is_free(seen) {
        return if is_usable(ledger, seen) {
            start(ledger, open, seen, open.attempt)
        } else {
            untouched(Outcome::Refused, LOST_TARGET.to_owned())
        };
    }
    if seen.holders != Holders::Unreachable && is_late(open, seen, limit) {
        let why = format!("the engine did not stop within {limit} s");
        return untouched(Outcome::Failed, why);
    }
    Decision::Wish(Wish {
        clear_jobs: seen.job != Job::Absent,
        ..stopped(ledger, open, seen, limit)
    })
}
