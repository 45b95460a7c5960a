//! The operator: it looks, the real table decides, and one write or effect comes of it. Between a look and what comes of
//! it anything may happen, and a crash is the same as looking again.

use std::sync::Arc;

use userengine_api::refusal::{Refusal, RefusalReason};
use userengine_rotation::decide::{Decision, Holders, Job, News, Seen, Target, Wish, decide};
use userengine_rotation::ledger::{KeyState, Ledger};
use userengine_rotation::verdict::{Refused, Verdict};

use crate::guards::Guard;
use crate::scenario::{DB, Model};
use crate::world::*;

/// Later than every deadline.
const LATE: i64 = 1_000_000_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    Write(Arc<Ledger>, Option<u8>),
    Scale(Replica),
    Mint(KeyNo),
    Create(u8),
    Clear,
    Destroy(KeyNo),
}

impl Model {
    pub fn look(&self, world: &World, late: bool) -> Look {
        let needed = world.brain.needs() | world.brain.quarantine_needs() | mounted(world);
        let ring = self.ring(&world.ledger);
        let is_written = world.written
            == Replica {
                stopped: true,
                ring,
            };
        Look {
            late,
            spec: world.spec,
            secrets: world.secrets,
            quiet: is_written && world.observed == world.written,
            held: world.engine.is_some(),
            job: world.job.map(|job| match job.pod {
                Pod::Ended(said) => (Some(said), job.going),
                Pod::Waiting(_) | Pod::Runs(_) => (None, job.going),
            }),
            unused: !needed,
        }
    }

    /// What may come of a look.
    pub fn effects(&self, world: &World, look: &Look) -> Vec<Effect> {
        match self.decision(&world.ledger, look) {
            Decision::Write(next, news) => vec![self.write(world, *next, &news)],
            Decision::Wish(wish) => self.make_true(world, look, &wish),
        }
    }

    fn write(&self, world: &World, mut next: Ledger, news: &[News]) -> Effect {
        if !self.has(Guard::ConsumedIds) {
            next.consumed.extend(world.ledger.consumed.iter().cloned());
        }
        let opened = news.iter().find_map(|news| match news {
            News::Opened(id) => self.requests.iter().position(|request| request.id == *id),
            _ => None,
        });
        Effect::Write(Arc::new(timeless(next)), opened.map(|n| n as u8))
    }

    fn make_true(&self, world: &World, look: &Look, wish: &Wish) -> Vec<Effect> {
        let key = |suffix: &String| self.key_of(suffix);
        let ring = wish
            .ring
            .iter()
            .fold(0, |set, suffix| set | set_of(key(suffix)));
        let replica = Replica {
            stopped: wish.stopped || self.suspended,
            ring,
        };
        let mut effects = Vec::new();
        if world.written != replica {
            effects.push(Effect::Scale(replica));
        }
        let early = (!self.has(Guard::RecordBeforeMint) && wish.queued.is_some())
            .then_some(look.spec)
            .filter(|_| world.ledger.open.is_none());
        let mint = wish.mint.as_ref().map(key).or(early);
        effects.extend(
            mint.filter(|key| !is_in(*key, world.secrets))
                .map(Effect::Mint),
        );
        effects.extend(wish.job.filter(|_| world.job.is_none()).map(Effect::Create));
        if wish.clear_jobs && world.job.is_some_and(|job| !job.going) {
            effects.push(Effect::Clear);
        }
        let doomed = wish
            .destroy
            .iter()
            .map(key)
            .filter(|key| is_in(*key, world.secrets));
        effects.extend(doomed.map(Effect::Destroy));
        effects
    }

    pub fn decision(&self, ledger: &Ledger, look: &Look) -> Decision {
        let mut ledger = ledger.clone();
        if !self.has(Guard::ConsumedIds) {
            ledger.consumed.clear();
        }
        if let Some(open) = ledger
            .open
            .as_mut()
            .filter(|_| !self.has(Guard::DoubtAfterSilence))
        {
            open.doubt = false;
        }
        let kids = |wanted: &dyn Fn(KeyState, KeyNo) -> bool| -> Vec<_> {
            let keys = ledger.keys.iter();
            let keys = keys.filter(|key| wanted(key.state, self.key_of(&key.suffix)));
            keys.map(|key| key.kid.clone()).collect()
        };
        let is_proven = |_, key| is_in(key, look.unused) || !self.has(Guard::ProofBeforeDestroy);
        let is_gone = |state, key| state == KeyState::Destroying && !is_in(key, look.secrets);
        let request = usize::from(look.spec)
            .checked_sub(1)
            .map(|n| &self.requests[n]);
        let seen = Seen {
            now: if look.late { LATE } else { 0 },
            database_id: DB,
            request,
            due: None,
            due_at: None,
            initialised: true,
            // Minting early is something that waits: nothing else may come first.
            held_back: !self.has(Guard::RecordBeforeMint)
                && ledger.open.is_none()
                && !is_in(look.spec, look.secrets),
            target: self.target(&ledger, look),
            quiet: look.quiet || !self.has(Guard::NoPodCanCome) || !self.has(Guard::PodsGone),
            holders: if look.held && self.has(Guard::PodsGone) {
                Holders::Some
            } else {
                Holders::None
            },
            job: self.job(&ledger, look),
            grace: 1,
            retain_retired: 1,
            proven_unused: &kids(&is_proven),
            gone: &kids(&is_gone),
        };
        decide(&ledger, &seen)
    }

    fn target(&self, ledger: &Ledger, look: &Look) -> Target {
        let Some(open) = &ledger.open else {
            return Target::Absent;
        };
        let key = self.key_of(&open.suffix);
        if is_in(key, look.secrets) || !self.has(Guard::ReadBackBeforeStaging) {
            Target::Usable(self.kid(key))
        } else {
            Target::Absent
        }
    }

    fn job(&self, ledger: &Ledger, look: &Look) -> Job {
        let certified = || {
            let open = ledger.open.as_ref()?;
            let to = self.kid(self.key_of(&open.suffix));
            Some(Verdict::Certified(Box::new(self.certificate(&open.id, to))))
        };
        match look.job {
            None => Job::Absent,
            Some((None, true)) => Job::Going,
            Some((None, false)) => Job::Running(None),
            Some((Some(Said::Certified), _)) => Job::Ended(certified()),
            Some((Some(_), _)) if !self.has(Guard::VerifyBeforeWithhold) => Job::Ended(certified()),
            Some((Some(Said::Nothing), _)) => Job::Ended(None),
            Some((
                Some(Said::Refused {
                    may_pass,
                    touched,
                    write,
                }),
                _,
            )) => {
                let reason = if may_pass {
                    RefusalReason::StorageFailed
                } else {
                    RefusalReason::RowsUnreadable
                };
                Job::Ended(Some(Verdict::Refused(Refused {
                    refusal: Refusal::new(reason, ""),
                    write_kid: Some(self.kid(write)),
                    touched,
                })))
            }
        }
    }

    pub fn apply(&self, world: &mut World, effect: Effect) {
        match effect {
            Effect::Write(ledger, opened) => {
                world.ledger = ledger;
                if let Some(request) = opened {
                    world.opened[usize::from(request)] += 1;
                }
            }
            Effect::Scale(replica) => world.written = replica,
            Effect::Mint(key) => world.secrets |= set_of(key),
            Effect::Create(attempt) => world.job = self.order(world, attempt),
            Effect::Clear => world.job = world.job.and_then(cleared),
            Effect::Destroy(key) => world.secrets &= !set_of(key),
        }
    }

    fn order(&self, world: &World, attempt: u8) -> Option<JobObject> {
        let ledger = &world.ledger;
        let open = ledger.open.as_ref()?;
        let request = self
            .requests
            .iter()
            .position(|request| request.id == open.id)?;
        let from = ledger
            .from()
            .iter()
            .fold(0, |set, kid| set | set_of(self.key_no(kid)));
        let process = Process {
            request: request as u8,
            from,
            to: self.key_of(&open.suffix),
            opened: world.opened.iter().sum(),
            step: Step::Start,
        };
        Some(JobObject {
            attempt,
            pod: Pod::Waiting(process),
            going: false,
        })
    }
}

/// Keys that a pod mounts, or that one could mount which comes now.
fn mounted(world: &World) -> KeySet {
    let engine = world.engine.map_or(0, |engine| engine.ring);
    let job = world.job.map_or(0, |job| match job.pod {
        Pod::Waiting(process) | Pod::Runs(process) => process.from | set_of(process.to),
        Pod::Ended(_) => 0,
    });
    engine | job | world.written.ring | world.observed.ring
}

/// A Job without a living pod is gone when it is deleted; otherwise it goes with its pod.
fn cleared(job: JobObject) -> Option<JobObject> {
    match job.pod {
        Pod::Runs(_) => Some(JobObject { going: true, ..job }),
        Pod::Waiting(_) | Pod::Ended(_) => None,
    }
}

/// Times are all one: whether a deadline has passed is decided at the look. How the last rotation ended is for people.
fn timeless(mut ledger: Ledger) -> Ledger {
    let still = |state| match state {
        KeyState::Withheld { .. } => KeyState::Withheld { since: 0 },
        KeyState::Compromised { .. } => KeyState::Compromised { since: 0 },
        other => other,
    };
    for key in &mut ledger.keys {
        key.state = still(key.state);
    }
    ledger.keys.sort_by(|a, b| a.kid.cmp(&b.kid));
    if let Some(open) = &mut ledger.open {
        (open.since, open.started) = (0, 0);
        open.was = open.was.map(still);
    }
    ledger.last = None;
    ledger
}
