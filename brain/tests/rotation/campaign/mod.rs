//! Thousands of faults: wherever the Job is killed, and whichever write, sync or removal fails, every value opens to its
//! exact text, an engine starts, and a run without harm finishes.
//!
//! Without settings this is a slice. `ROTATION_FAULTS=10000` is the campaign: it also meets each system call of a run
//! without harm once, and leaves its tables in the file that `ROTATION_TABLE` names. Of a chain that fails, seed and number
//! are printed: `ROTATION_SEED=… ROTATION_CHAIN=…` runs it again.

mod chain;
mod fault;
mod random;
mod scene;
mod tally;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use chain::Chain;
use fault::each_call;
use random::Random;
use scene::Scene;
use tally::Tally;

use crate::support::{Fault, has_strace};

/// From here on nothing is left to chance but what has to be.
const CAMPAIGN: u64 = 5000;
const WORKERS: usize = 2;

struct Settings {
    faults: u64,
    seed: u64,
    chain: Option<u64>,
    table: Option<String>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a campaign says how many, and a person repeats a seed"
)]
fn settings() -> Settings {
    let text = |name: &str| std::env::var(name).ok();
    let number = |name: &str| text(name).map(|text| text.parse().unwrap());
    Settings {
        faults: number("ROTATION_FAULTS").unwrap_or(60),
        seed: number("ROTATION_SEED").unwrap_or(1),
        chain: number("ROTATION_CHAIN"),
        table: text("ROTATION_TABLE"),
    }
}

/// What the workers share.
struct Campaign {
    settings: Settings,
    scenes: Vec<Scene>,
    /// Faults that must come, each the first of its chain.
    each: Vec<(usize, Fault)>,
    next: AtomicU64,
    tally: Mutex<Tally>,
    /// Of `each`, those that no run made again.
    unmet: AtomicU64,
    failed: Mutex<Vec<String>>,
}

/// Tries to make a system call fail that a run without harm made. `strace` counts the calls of each thread, and which of
/// them closes a file last is another one each time.
const TRIES: u64 = 20;

#[test]
fn wherever_a_fault_strikes_every_value_opens_and_a_rerun_finishes() {
    let (settings, began) = (settings(), Instant::now());
    let whole = settings.faults >= CAMPAIGN;
    assert!(has_strace() || !whole, "strace is not installed");
    let (mut scenes, mut each) = (Scene::small(), Vec::new());
    if whole {
        each = faults_that_must_come(&scenes, settings.seed);
        scenes.push(Scene::large());
    }
    let campaign = Campaign {
        settings,
        scenes,
        each,
        next: AtomicU64::new(0),
        tally: Mutex::default(),
        unmet: AtomicU64::new(0),
        failed: Mutex::default(),
    };
    if let Some(number) = campaign.settings.chain {
        campaign.run(number);
    } else {
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| campaign.work());
            }
        });
    }
    campaign.report(began);
}

fn faults_that_must_come(scenes: &[Scene], seed: u64) -> Vec<(usize, Fault)> {
    let mut random = Random::of(seed, u64::MAX);
    let numbered = scenes.iter().enumerate();
    let faults = numbered.flat_map(|(number, scene)| {
        let each = each_call(scene, &mut random);
        each.into_iter().map(move |fault| (number, fault))
    });
    faults.collect()
}

impl Campaign {
    fn work(&self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let enough = self.tally.lock().unwrap().faults() >= self.settings.faults
                && number >= self.each.len() as u64;
            if enough || self.failed.lock().unwrap().len() >= 5 {
                return;
            }
            self.run(number);
        }
    }

    /// One chain; if its first fault must come, again until it does.
    fn run(&self, number: u64) {
        let must = usize::try_from(number)
            .ok()
            .and_then(|number| self.each.get(number));
        let (scene, first) = match must {
            Some((scene, fault)) => (&self.scenes[*scene], Some(fault)),
            None => (self.scene(number), None),
        };
        let came = (0..TRIES).any(|_| self.chain(number, scene, first.cloned()));
        if !came {
            self.unmet.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One that fails is told, and the others go on. `false` if its first fault had to come and did not.
    fn chain(&self, number: u64, scene: &Scene, first: Option<Fault>) -> bool {
        let chain = Chain {
            seed: self.settings.seed,
            number,
            scene,
            first,
        };
        let mut told = Vec::new();
        match catch_unwind(AssertUnwindSafe(|| chain.run(&mut told))) {
            Ok(struck) => {
                let missed = chain.first.is_some() && struck.is_empty();
                self.tally.lock().unwrap().add(scene, &struck);
                !missed
            }
            Err(panic) => {
                let why = panic.downcast_ref::<String>().map_or("", String::as_str);
                let told = told.join("; ");
                let scene = scene.name;
                let what = format!("chain {number}, {scene}: {told}: {why}");
                self.failed.lock().unwrap().push(what);
                true
            }
        }
    }

    /// Any; but what takes long only now and then.
    fn scene(&self, number: u64) -> &Scene {
        let mut random = Random::of(self.settings.seed, !number);
        loop {
            let scene = &self.scenes[random.index(self.scenes.len())];
            if !scene.is_large() || random.one_in(6) {
                return scene;
            }
        }
    }

    fn report(self, began: Instant) {
        let (seed, faults) = (self.settings.seed, self.settings.faults);
        let failed = self.failed.into_inner().unwrap();
        let again = format!("ROTATION_FAULTS={faults} ROTATION_SEED={seed} ROTATION_CHAIN=…");
        assert!(failed.is_empty(), "{again}:\n{}", failed.join("\n"));
        let tally = self.tally.into_inner().unwrap();
        let (faults, chains) = (tally.faults(), tally.chains());
        let seconds = began.elapsed().as_secs();
        let (each, unmet) = (self.each.len() as u64, self.unmet.into_inner());
        assert!(
            unmet * 20 <= each,
            "{unmet} of {each} system calls were not met: they are other calls now"
        );
        let each = match each {
            0 => String::new(),
            each => format!(
                " Of {each} system calls of runs without harm {} met one, and {unmet} came in no other of {TRIES} runs.",
                each - unmet
            ),
        };
        let text = format!(
            "{faults} faults in {chains} chains (seed {seed}, {seconds} s), **0 values lost**.{each}\n\n{}",
            tally.tables(&self.scenes)
        );
        println!("{text}");
        if let Some(file) = self.settings.table {
            std::fs::write(file, text).unwrap();
        }
    }
}
