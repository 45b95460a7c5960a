//! Up to three faults in a row, each in the run after the one before, and a run that finishes.

use secrecy::ExposeSecret;

use super::fault::choose;
use super::random::Random;
use super::scene::{Found, Scene};
use crate::support::{End, Fault, Harm, Run, Values, Volume, place, secret};

pub struct Chain<'a> {
    pub seed: u64,
    pub number: u64,
    pub scene: &'a Scene,
    /// The first fault, if it is not left to chance.
    pub first: Option<Fault>,
}

/// One run with a fault.
#[derive(Debug)]
pub struct Struck {
    pub fault: Fault,
    pub end: End,
    pub found: Found,
    /// An engine ran and renewed a credential before the next run.
    pub engine_next: bool,
}

impl Chain<'_> {
    /// Gives the faults that came, and tells of each. Panics if anything was lost.
    pub fn run(&self, told: &mut Vec<String>) -> Vec<Struck> {
        let mut random = Random::of(self.seed, self.number);
        let mut course = Course::new(self.scene);
        let mut struck = Vec::new();
        for turn in 0..=random.below(3) {
            let chosen = choose(self.scene, &mut random);
            let fault = self.first.clone().filter(|_| turn == 0).unwrap_or(chosen);
            told.push(format!("{fault:?}"));
            let (run, found) = course.strike(&fault);
            told.push(format!("{:?}, struck: {}, {found:?}", run.end, run.struck));
            let over = run.end == End::Done;
            let engine_next = !over && random.one_in(4);
            if run.struck {
                struck.push(Struck {
                    fault,
                    end: run.end,
                    found,
                    engine_next,
                });
            }
            if over {
                break;
            }
            if engine_next {
                told.push("an engine runs".to_owned());
                course.engine_renews(&mut random);
            }
        }
        course.finish();
        struck
    }
}

/// A brain under a chain of faults, and what it must hold.
struct Course<'a> {
    scene: &'a Scene,
    volume: Volume,
    expected: Values,
    /// One without which `verify` would have to wait for another `migrate`.
    engine_ran: bool,
}

impl<'a> Course<'a> {
    fn new(scene: &'a Scene) -> Self {
        Self {
            scene,
            volume: scene.template.copy(),
            expected: scene.before.clone(),
            engine_ran: false,
        }
    }

    fn strike(&self, fault: &Fault) -> (Run, Found) {
        let before = self.volume.hash();
        let closed = self.volume.side("-wal").is_none();
        let run = self.scene.job(self.engine_ran).run(&self.volume, fault);
        assert_as_it_should_end(fault, &run.end);
        let found = self.scene.check(&self.volume, &self.expected);
        // Where a log was left, its writes may have come home.
        if closed && found == Found::Untouched && matches!(run.end, End::Refused(_)) {
            assert_eq!(self.volume.hash(), before, "refused, and the file changed");
        }
        (run, found)
    }

    fn engine_renews(&mut self, random: &mut Random) {
        let connection = random.index(self.scene.rows);
        let value = secret(random.index(600));
        let keys = self.scene.job(false).keys;
        self.volume.engine_renews(keys, connection, &value);
        let place = place(connection).to_string();
        self.expected
            .insert(place, value.expose_secret().to_owned());
        self.engine_ran = true;
    }

    fn finish(&self) {
        let job = self.scene.job(self.engine_ran);
        self.scene.finish(&job, &self.volume, &self.expected);
    }
}

/// By name, and by the right one: a fault of the volume is none of the brain or its keys.
fn assert_as_it_should_end(fault: &Fault, end: &End) {
    match (fault, end) {
        (_, End::Done)
        | (Fault::At(..) | Fault::After(_) | Fault::Call(_, _, Harm::Kill), End::Killed) => {}
        (Fault::Call(call, _, harm), End::Refused(said)) => {
            let full = *call == "pwrite64" && *harm == Harm::Enospc;
            // If the index beside the log cannot grow, SQLite does not tell why.
            let full = full || said.contains("(code: 4874)");
            let reason = if full {
                "StorageFull: "
            } else {
                "StorageFailed: "
            };
            assert!(said.starts_with(reason), "expected {reason}");
        }
        _ => panic!("it should not end like this"),
    }
}
