//! No rotation is open: requests are taken up, and keys whose time is up are destroyed.

use userengine_api::key::Kid;
use userengine_api::names::key_suffix;

use super::end::consume;
use super::{Decision, Job, News, Seen, pending, standing, write};
use crate::ledger::{Key, KeyState, Last, Ledger, Open, Outcome, Phase};
use crate::request::Request;

pub(super) fn decide(ledger: &Ledger, seen: &Seen<'_>) -> Decision {
    let pending = pending(ledger, seen);
    let taken = pending.and_then(|request| take_up(ledger, seen, request));
    if let Some(write) = taken.or_else(|| destroy_one(ledger, seen, pending)) {
        return write;
    }
    let overdue = retired(ledger).filter(|key| is_overdue(key, seen));
    let mut wish = standing(ledger, seen);
    wish.clear_jobs = seen.job != Job::Absent;
    wish.prove = overdue.map(|key| key.kid.clone()).collect();
    wish.look_again = retired(ledger)
        .map(|key| wait(key, seen))
        .filter(|wait| *wait > 0)
        .min();
    Decision::Wish(wish)
}

fn take_up(ledger: &Ledger, seen: &Seen<'_>, request: &Request) -> Option<Decision> {
    let is_asked = seen.request == Some(request);
    if is_asked && request.id.is_reserved() {
        return Some(reject(ledger, seen, request, RESERVED));
    }
    if !seen.initialised {
        let next = consume(ledger, &request.id);
        return is_asked.then(|| write(next, News::Satisfied(request.id.clone())));
    }
    let back_to = request
        .rollback_to
        .as_ref()
        .map(|kid| way_back(ledger, kid));
    match back_to {
        Some(Err(why)) => Some(reject(ledger, seen, request, why)),
        _ if seen.held_back => None,
        Some(Ok(key)) => Some(open(ledger, seen, request, Some(key))),
        None => Some(open(ledger, seen, request, None)),
    }
}

const RESERVED: &str =
    "the ids \"initial\" and \"age-...\" are reserved: ask again under another id";

/// The key to go back to, or why there is no way.
fn way_back<'a>(ledger: &'a Ledger, kid: &Kid) -> Result<&'a Key, &'static str> {
    let key = ledger.key(kid).ok_or(
        "a rollback to that key is no longer possible: it is destroyed, or never was a key of this brain",
    )?;
    match key.state {
        KeyState::Staged | KeyState::Withheld { .. } | KeyState::Compromised { .. } => Ok(key),
        KeyState::Active => Err("there is nothing to roll back: that key is the active one"),
        KeyState::Destroying => {
            Err("a rollback to that key is no longer possible: it is being destroyed")
        }
    }
}

fn reject(ledger: &Ledger, seen: &Seen<'_>, request: &Request, why: &str) -> Decision {
    let last = Last {
        id: request.id.clone(),
        outcome: Outcome::Rejected,
        started: next_start(ledger, seen),
        ended: seen.now,
        why: why.to_owned(),
        certificate: None,
    };
    let mut next = consume(ledger, &request.id);
    next.last = Some(last.clone());
    write(next, News::Rejected(Box::new(last)))
}

fn open(ledger: &Ledger, seen: &Seen<'_>, request: &Request, target: Option<&Key>) -> Decision {
    let minted = || key_suffix(seen.database_id, request.id.as_str());
    let mut next = ledger.clone();
    next.open = Some(Open {
        id: request.id.clone(),
        mode: request.mode,
        suffix: target.map_or_else(minted, |key| key.suffix.clone()),
        was: target.map(|key| key.state),
        set_aside: request.set_aside.clone(),
        phase: Phase::Minting,
        attempt: 1,
        started: next_start(ledger, seen),
        since: seen.now,
        reached: None,
        doubt: false,
        ending: None,
    });
    write(next, News::Opened(request.id.clone()))
}

/// Now, but later than whatever started before, should the clock have gone back: of two orders the brain takes the later
/// one for the one that counts.
fn next_start(ledger: &Ledger, seen: &Seen<'_>) -> i64 {
    let after = |last: &Last| last.started.saturating_add(1).max(seen.now);
    ledger.last.as_ref().map_or(seen.now, after)
}

/// Destruction is recorded before it is done. A key that somebody asks to go back to is spared.
fn destroy_one(ledger: &Ledger, seen: &Seen<'_>, next: Option<&Request>) -> Option<Decision> {
    let spared = next.and_then(|request| request.rollback_to.as_ref());
    let kid = retired(ledger)
        .filter(|key| is_overdue(key, seen) && seen.proven_unused.contains(&key.kid))
        .map(|key| &key.kid)
        .find(|kid| Some(*kid) != spared)?;
    let mut next = ledger.clone();
    for key in next.keys.iter_mut().filter(|key| key.kid == *kid) {
        key.state = KeyState::Destroying;
    }
    Some(write(next, News::Destroying(kid.clone())))
}

fn retired(ledger: &Ledger) -> impl Iterator<Item = &Key> {
    ledger.keys.iter().filter(|key| key.state.is_retired())
}

fn is_overdue(key: &Key, seen: &Seen<'_>) -> bool {
    wait(key, seen) <= 0
}

/// Seconds until a retired key may be destroyed.
fn wait(key: &Key, seen: &Seen<'_>) -> i64 {
    match key.state {
        KeyState::Withheld { since } => since
            .saturating_add(seen.retain_retired)
            .saturating_sub(seen.now),
        _ => 0,
    }
}
