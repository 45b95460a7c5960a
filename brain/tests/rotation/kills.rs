//! A Job that is killed, at every step and at any moment, loses nothing, and a rerun finishes.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use userengine_rotation::verdict::Certificate;

use crate::support::{End, Fault, Job, Values, Volume, run_as_child, task};

/// Every step that the code names.
const STEPS: [&str; 13] = [
    "rotation.recovered",
    "rotation.checked",
    "rotation.opened",
    "rotation.beginning",
    "rotation.begun",
    "rotation.sealed",
    "rotation.written",
    "rotation.swept",
    "rotation.migrated",
    "rotation.verified",
    "rotation.certifying",
    "rotation.certified",
    "rotation.closed",
];

/// No test: what the others start in a process of its own.
#[test]
#[ignore = "started by the other tests, in a process of its own"]
fn child() {
    run_as_child();
}

/// More than two pages, and in the log of an engine that was killed.
fn left_by_a_killed_engine(rows: usize) -> Volume {
    let volume = Volume::with_rows(rows);
    volume
        .hand()
        .leave_in_log("INSERT INTO former_aliases VALUES ('gone', '2026-11-21T10:00:00.000Z')");
    volume
}

/// What must hold after anything: an engine may start with both keys, every value opens to what it was, and a rerun
/// finishes with the new key alone.
fn nothing_is_lost(volume: &Volume, before: &Values, what: &str) -> Certificate {
    volume.engine_checks_without_serving(&[1, 2]);
    assert_eq!(&volume.values(&[1, 2]), before, "{what}");
    let certificate = volume.rotate(&[1, 2], &task("first", &[1, 2]));
    assert_eq!(&volume.values(&[2]), before, "{what}");
    volume.engine_runs(&[2]);
    certificate
}

#[test]
fn killed_at_each_step_that_the_code_names() {
    let template = left_by_a_killed_engine(1100);
    let before = template.copy().values(&[1]);
    for step in STEPS {
        let volume = template.copy();
        let job = Job {
            volume: &volume,
            id: "first",
            keys: &[1, 2],
        };
        assert_eq!(job.run(&Fault::At(step)), End::Killed, "{step}");
        nothing_is_lost(&volume, &before, step);
    }
}

#[test]
fn each_step_is_in_the_list() {
    let mut found = BTreeSet::new();
    for room in ["src/rotation", "src/store/rotation"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(room);
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let hits = text.split("failpoint::hit(\"").skip(1);
            found.extend(hits.map(|rest| rest.split_once('"').unwrap().0.to_owned()));
        }
    }
    assert_eq!(found, STEPS.map(str::to_owned).into());
}

#[test]
fn killed_at_any_moment_again_and_again() {
    let template = left_by_a_killed_engine(1100);
    let before = template.copy().values(&[1]);
    let mut random = Random::from_environment();
    let whole = time_of_a_whole_run(&template);
    for run in 0..random.runs {
        let volume = template.copy();
        let job = Job {
            volume: &volume,
            id: "first",
            keys: &[1, 2],
        };
        // A few kills in a row: the rerun may be killed, too.
        let mut kills = 0;
        for _ in 0..3 {
            let after = Fault::After(random.part_of(whole));
            match job.run(&after) {
                End::Killed => kills += 1,
                End::Done => {}
                End::Failed(said) => panic!("run {run} of seed {}: {said}", random.seed),
            }
            assert_eq!(
                volume.values(&[1, 2]),
                before,
                "run {run} of seed {}",
                random.seed
            );
        }
        let what = format!("run {run} of seed {}, killed {kills} times", random.seed);
        nothing_is_lost(&volume, &before, &what);
    }
}

fn time_of_a_whole_run(template: &Volume) -> Duration {
    let volume = template.copy();
    let began = Instant::now();
    let job = Job {
        volume: &volume,
        id: "first",
        keys: &[1, 2],
    };
    assert_eq!(job.run(&Fault::None), End::Done);
    began.elapsed()
}

/// Numbers that a seed repeats; the moments themselves are the machine's.
struct Random {
    seed: u64,
    state: u64,
    runs: u32,
}

impl Random {
    #[expect(
        clippy::disallowed_methods,
        reason = "a campaign says how often, and a person repeats a seed"
    )]
    fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let seed = number("ROTATION_SEED").unwrap_or(1);
        Self {
            seed,
            state: seed,
            runs: number("ROTATION_RUNS").map_or(3, |runs| u32::try_from(runs).unwrap()),
        }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn part_of(&mut self, whole: Duration) -> Duration {
        whole.mul_f64(f64::from(u32::try_from(self.next() >> 32).unwrap()) / f64::from(u32::MAX))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// System calls that SQLite makes on the brain and its log.
const CALLS: [&str; 4] = ["fdatasync", "pwrite64", "ftruncate", "fsync"];

#[test]
fn the_nth_write_or_sync_fails_and_nothing_is_lost() {
    if std::process::Command::new("strace")
        .arg("-V")
        .output()
        .is_err()
    {
        eprintln!("skipped: strace is not installed (Debian: apt-get install strace)");
        return;
    }
    let template = left_by_a_killed_engine(1100);
    let before = template.copy().values(&[1]);
    let mut random = Random::from_environment();
    for run in 0..random.runs * 2 {
        let volume = template.copy();
        let job = Job {
            volume: &volume,
            id: "first",
            keys: &[1, 2],
        };
        let call = CALLS[usize::try_from(random.below(4)).unwrap()];
        let error = ["EIO", "ENOSPC"][usize::try_from(random.below(2)).unwrap()];
        // Most calls are made by one thread, a write a page: the early ones are the rare ones.
        let most = 1 << random.below(10);
        let fault = format!(
            "inject={call}:error={error}:when={}",
            1 + random.below(most)
        );
        let end = job.run(&Fault::Inject(fault.clone()));
        let what = format!("run {run} of seed {}: {fault}, {end:?}", random.seed);
        assert_ne!(end, End::Killed, "{what}");
        nothing_is_lost(&volume, &before, &what);
    }
}
