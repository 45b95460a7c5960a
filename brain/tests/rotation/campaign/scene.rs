//! What a fault comes upon: a brain in some state, and a Job that has something to do with it.

use std::time::Duration;

use userengine_rotation::request::Mode;
use userengine_rotation::verdict::Verdict;

use crate::support::{
    CALLS, End, Fault, Job, Strace, Values, Volume, Work, certified, has_strace, kid,
    most_by_one_thread,
};

/// Connections; every other column has a few values besides.
const ROWS: usize = 60;
/// Makes eight transactions of them.
const PAGE: u32 = 8;

pub struct Scene {
    pub name: &'static str,
    pub template: Volume,
    job: Job,
    pub before: Values,
    /// Connections.
    pub rows: usize,
    /// Their pages.
    pub pages: u64,
    /// How long a run takes without harm.
    pub whole: Duration,
    /// How often such a run makes each system call.
    pub calls: Vec<(&'static str, u64)>,
}

/// How far the change of the key has come, as the brain says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    Untouched,
    /// Begun, and values lie under both keys.
    Begun,
    /// Nothing is under the key before, and there is no certificate.
    Sealed,
    Certified,
}

impl Scene {
    /// The first one once more, with thousands of values and the product's own pages.
    pub fn large() -> Self {
        let name = "2,100 connections, pages of 1,000";
        Self::of(name, Volume::with_rows(2100), &Job::first())
    }

    /// Small ones, each measured by a run without harm.
    pub fn small() -> Vec<Self> {
        let handed_over = Volume::with_rows(ROWS);
        let job = job();
        let of = |work: Work| Job {
            work,
            ..job.clone()
        };
        let compromised = Job {
            mode: Mode::Compromised,
            ..job.clone()
        };
        let back = Job {
            id: "back",
            keys: &[2, 1],
            ..job.clone()
        };
        vec![
            Self::of("handed over", handed_over.copy(), &job),
            Self::of("left by a killed engine", unfinished(&handed_over), &job),
            Self::of(
                "left by a killed `migrate`",
                half_way(&handed_over, &job),
                &job,
            ),
            Self::of("`Compromised`", handed_over.copy(), &compromised),
            Self::of("rollback", rotated(&handed_over, &job), &back),
            Self::of("`verify`", migrated(&handed_over, &job), &of(Work::Verify)),
            Self::of(
                "`verify` without a rotation",
                rotated(&handed_over, &job),
                &of(Work::VerifyAlone),
            ),
        ]
    }

    fn of(name: &'static str, template: Volume, job: &Job) -> Self {
        let before = template.copy().values(job.keys);
        let whole = job.run(&template.copy(), &Fault::None);
        assert_eq!(whole.end, End::Done, "{name}");
        let calls = if has_strace() {
            let volume = template.copy();
            let strace = Strace::watching(&volume, &CALLS.join(",")).only_the_brain(&volume);
            most_by_one_thread(&job.watched(&volume, &strace))
        } else {
            Vec::new()
        };
        let rows = before
            .keys()
            .filter(|place| place.starts_with("connections."))
            .count();
        Self {
            name,
            job: job.clone(),
            before,
            rows,
            pages: (rows as u64).div_ceil(job.page.unwrap_or(1000).into()),
            whole: whole.worked,
            calls,
            template,
        }
    }

    pub fn work(&self) -> Work {
        self.job.work
    }

    /// It takes long.
    pub fn is_large(&self) -> bool {
        self.job.page.is_none()
    }

    /// What is to be done. With an engine in between, `verify` has to wait for another `migrate`.
    pub fn job(&self, engine_ran: bool) -> Job {
        let mut job = self.job.clone();
        if engine_ran && job.work == Work::Verify {
            job.work = Work::MigrateAndVerify;
        }
        job
    }

    /// An engine starts from what is there, every value opens to what it was, and brain and values agree on how far it is.
    /// Looks at a copy: what is left on the volume is for the next run.
    pub fn check(&self, volume: &Volume, expected: &Values) -> Found {
        let copy = volume.copy();
        copy.engine_runs(self.job.keys);
        assert_eq!(&copy.values(self.job.keys), expected, "a value was lost");
        let found = self.how_far(&copy);
        let (from, to) = (kid(self.job.keys[0]), kid(self.job.to()));
        let write_kid = copy.hand().text("SELECT write_kid FROM key_state");
        let (seals, leaves) = match found {
            Found::Untouched => (&from, Some(&to)),
            Found::Begun => (&to, None),
            Found::Sealed | Found::Certified => (&to, Some(&from)),
        };
        assert_eq!(write_kid, seals.as_str(), "{found:?}");
        if let Some(other) = leaves {
            assert_eq!(under(&copy, other.as_str()), 0, "{found:?}");
        }
        found
    }

    fn how_far(&self, volume: &Volume) -> Found {
        let (hand, id) = (volume.hand(), self.job.id);
        let certified = "SELECT COUNT(*) FROM rotation_log WHERE event = 'certified' AND rotation";
        if hand.number(&format!("{certified} = '{id}'")) > 0 {
            return Found::Certified;
        }
        if hand.text("SELECT rotation_id FROM key_state") != id {
            return Found::Untouched;
        }
        match under(volume, kid(self.job.keys[0]).as_str()) {
            0 => Found::Sealed,
            _ => Found::Begun,
        }
    }

    /// The run without harm after the last fault.
    pub fn finish(&self, job: &Job, volume: &Volume, expected: &Values) {
        let (keys, rotation) = (job.keys, job.rotation());
        let new = &keys[keys.len() - 1..];
        match job.work {
            Work::VerifyAlone => {
                let verdict = volume.verify(new, None).unwrap();
                assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
            }
            Work::Verify => drop(certified(volume.verify(new, Some(&rotation)))),
            Work::MigrateAndVerify => drop(volume.rotate(keys, &rotation)),
        }
        assert_eq!(&volume.values(new), expected, "a value was lost");
        assert_eq!(self.how_far(volume), Found::Certified);
        if self.job.mode == Mode::Compromised {
            let usable = "SELECT COUNT(*) FROM connections WHERE status <> 'expired'";
            assert_eq!(volume.hand().number(usable), 0, "not marked for consent");
        }
        volume.engine_runs(new);
    }
}

fn job() -> Job {
    Job {
        page: Some(PAGE),
        ..Job::first()
    }
}

/// Values under this key.
fn under(volume: &Volume, kid: &str) -> usize {
    let all = volume.hand().sealed();
    all.iter().filter(|(_, _, under, _)| under == kid).count()
}

fn unfinished(handed_over: &Volume) -> Volume {
    let volume = handed_over.copy();
    volume.hand().die_with_a_log();
    volume
}

fn half_way(handed_over: &Volume, job: &Job) -> Volume {
    let volume = handed_over.copy();
    let run = job.run(&volume, &Fault::At("rotation.written", 3));
    assert_eq!(run.end, End::Killed);
    volume
}

fn migrated(handed_over: &Volume, job: &Job) -> Volume {
    let volume = handed_over.copy();
    volume.migrate(job.keys, &job.rotation()).unwrap();
    volume
}

fn rotated(handed_over: &Volume, job: &Job) -> Volume {
    let volume = handed_over.copy();
    volume.rotate(job.keys, &job.rotation());
    volume
}
