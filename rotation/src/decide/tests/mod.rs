//! One engine in words: what is durable, what can be seen, and what comes of it.

mod attempts;
mod keys;
mod quiescing;
mod reported;
mod requests;
mod rollback;
mod whole;

use std::collections::BTreeMap;

use userengine_api::key::Kid;
use userengine_api::names::key_suffix;
use userengine_api::refusal::{Refusal, RefusalReason};

use super::*;
use crate::ledger::{Key, Ledger, Open, Outcome};
use crate::request::Mode;
use crate::verdict::{Certificate, Progress, Refused, Step, Verdict};

pub(super) const DB: &str = "db-1";
pub(super) const HOUR: i64 = 3_600;
pub(super) const NOW: i64 = 1_000_000;

pub(super) fn kid(digit: char) -> Kid {
    digit.to_string().repeat(16).parse().unwrap()
}

pub(super) fn id(text: &str) -> RotationId {
    text.to_owned().try_into().unwrap()
}

pub(super) fn ask(text: &str) -> Request {
    Request {
        id: id(text),
        mode: Mode::Normal,
        rollback_to: None,
        set_aside: Vec::new(),
    }
}

pub(super) fn go_back(text: &str, to: char) -> Request {
    Request {
        rollback_to: Some(kid(to)),
        ..ask(text)
    }
}

pub(super) fn suffix(request: &str) -> String {
    key_suffix(DB, request)
}

pub(super) fn certificate(rotation: &str, to: char) -> Box<Certificate> {
    let text = String::new;
    Box::new(Certificate {
        version: 1,
        database_id: DB.to_owned(),
        rotation: id(rotation),
        mode: Mode::Normal,
        from: kid('a'),
        to: kid(to),
        epoch: 1,
        rows: BTreeMap::new(),
        quarantined: 0,
        inventory_before: text(),
        inventory_after: text(),
        image: text(),
        binary: text(),
        started_at: text(),
        verified_at: text(),
        previous: text(),
        mac: text(),
    })
}

pub(super) fn certified(rotation: &str, to: char) -> Job {
    Job::Ended(Some(Verdict::Certified(certificate(rotation, to))))
}

pub(super) fn refused(reason: RefusalReason, touched: bool, write: Option<char>) -> Job {
    Job::Ended(Some(Verdict::Refused(Refused {
        refusal: Refusal::new(reason, "said the brain"),
        write_kid: write.map(kid),
        touched,
    })))
}

pub(super) fn progress(step: Step, done: u64) -> Job {
    let (rotation, total) = (id("r-1"), 100);
    Job::Running(Some(Progress {
        rotation,
        step,
        done,
        total,
    }))
}

/// An engine that serves, with one key, `a`.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    pub ledger: Ledger,
    pub now: i64,
    pub request: Option<Request>,
    pub due: Option<Request>,
    pub due_at: Option<i64>,
    pub initialised: bool,
    pub held_back: bool,
    pub target: Target,
    pub quiet: bool,
    pub holders: Holders,
    pub job: Job,
    pub proven_unused: Vec<Kid>,
    pub gone: Vec<Kid>,
}

impl Engine {
    pub(super) fn new() -> Self {
        Self {
            ledger: Ledger::born(kid('a'), suffix("initial")),
            now: NOW,
            request: None,
            due: None,
            due_at: None,
            initialised: true,
            held_back: false,
            target: Target::Absent,
            quiet: false,
            holders: Holders::Some,
            job: Job::Absent,
            proven_unused: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// The same engine with rotation `r-1` in this phase, on to key `b`.
    pub(super) fn rotating(phase: Phase) -> Self {
        let mut engine = Self {
            request: Some(ask("r-1")),
            ..Self::new()
        };
        engine.write();
        if phase > Phase::Minting {
            engine.target = Target::Usable(kid('b'));
            engine.write();
        }
        if phase > Phase::Quiescing {
            engine.stops();
            engine.write();
        }
        if phase > Phase::Running {
            engine.job = Job::Ended(None);
            engine.write();
            engine.job = Job::Going;
        }
        assert_eq!(engine.open().phase, phase);
        engine
    }

    pub(super) fn asked(request: Request) -> Self {
        Self {
            request: Some(request),
            ..Self::new()
        }
    }

    /// After `r-1`, which went from `a` to `b`: `a` is withheld since [`NOW`].
    pub(super) fn rotated() -> Self {
        let mut engine = Self::rotating(Phase::Running);
        engine.job = certified("r-1", 'b');
        engine.write();
        Self {
            ledger: engine.ledger,
            request: engine.request,
            ..Self::new()
        }
    }

    /// After `r-1`, which was given up when values may have lain under both keys.
    pub(super) fn torn() -> Self {
        let mut engine = Self::rotating(Phase::Running);
        engine.now += ATTEMPT_SECONDS;
        engine.write();
        engine.write();
        assert_eq!(engine.states(), "a:active b:staged");
        Self {
            ledger: engine.ledger,
            request: engine.request,
            ..Self::new()
        }
    }

    pub(super) fn stops(&mut self) {
        (self.quiet, self.holders) = (true, Holders::None);
    }

    pub(super) fn seen(&self) -> Seen<'_> {
        Seen {
            now: self.now,
            database_id: DB,
            request: self.request.as_ref(),
            due: self.due.as_ref(),
            due_at: self.due_at,
            initialised: self.initialised,
            held_back: self.held_back,
            target: self.target.clone(),
            quiet: self.quiet,
            holders: self.holders,
            job: self.job.clone(),
            grace: 30,
            retain_retired: 168 * HOUR,
            proven_unused: &self.proven_unused,
            gone: &self.gone,
        }
    }

    pub(super) fn decide(&self) -> Decision {
        decide(&self.ledger, &self.seen())
    }

    pub(super) fn wish(&self) -> Wish {
        match self.decide() {
            Decision::Wish(wish) => wish,
            write @ Decision::Write(..) => panic!("expected a wish, found {write:?}"),
        }
    }

    /// Makes the write that is decided.
    #[track_caller]
    pub(super) fn write(&mut self) -> Vec<News> {
        match self.decide() {
            Decision::Write(next, news) => {
                let read_back = Ledger::parse(&next.texts());
                assert_eq!(
                    read_back.as_ref(),
                    Ok(&*next),
                    "what is written can be read"
                );
                self.ledger = *next;
                news
            }
            wish @ Decision::Wish(_) => panic!("expected a write, found {wish:?}"),
        }
    }

    pub(super) fn open(&self) -> &Open {
        self.ledger.open.as_ref().unwrap()
    }

    pub(super) fn outcome(&self) -> Outcome {
        assert_eq!(self.ledger.open, None);
        self.ledger.last.as_ref().unwrap().outcome
    }

    pub(super) fn why(&self) -> &str {
        &self.ledger.last.as_ref().unwrap().why
    }

    /// Its keys as `digit:state`, in the order of their digits.
    pub(super) fn states(&self) -> String {
        let word = |key: &Key| format!("{}:{}", &key.kid.as_str()[..1], key.state.word());
        let mut words: Vec<_> = self.ledger.keys.iter().map(word).collect();
        words.sort();
        words.join(" ")
    }
}
