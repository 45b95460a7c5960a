//! Which faults there are, and which comes next.

use super::random::Random;
use super::scene::Scene;
use crate::kills::STEPS;
use crate::support::{Fault, Harm, Work};

/// As the table names them.
pub const KINDS: [&str; 10] = [
    "SIGKILL at a named step",
    "SIGKILL at a row",
    "SIGKILL at a random moment",
    "SIGKILL at the nth system call",
    "the nth write fails: EIO",
    "the nth write fails: ENOSPC",
    "the nth sync fails: EIO",
    "the nth sync fails: ENOSPC",
    "the nth truncation or removal of a file fails: EIO",
    "the nth truncation or removal of a file fails: ENOSPC",
];

const ROW: &str = "rotation.resealed";

/// Its place in [`KINDS`].
pub fn kind(fault: &Fault) -> usize {
    match fault {
        Fault::None => unreachable!("no fault"),
        Fault::At(step, _) if *step == ROW => 1,
        Fault::At(..) => 0,
        Fault::After(_) => 2,
        Fault::Call(_, _, Harm::Kill) => 3,
        Fault::Call(call, _, harm) => {
            let group = match *call {
                "pwrite64" => 4,
                "fdatasync" | "fsync" => 6,
                _ => 8,
            };
            group + usize::from(*harm == Harm::Enospc)
        }
    }
}

/// Every system call of a run without harm, once.
pub fn each_call(scene: &Scene, random: &mut Random) -> Vec<Fault> {
    let calls = scene.calls.iter();
    let each = calls.flat_map(|(call, times)| (1..=*times).map(move |nth| (*call, nth)));
    each.map(|(call, nth)| Fault::Call(call, nth, harm(random)))
        .collect()
}

/// Any, where a run of this scene may meet it.
pub fn choose(scene: &Scene, random: &mut Random) -> Fault {
    let made: Vec<_> = scene.calls.iter().filter(|(_, times)| *times > 0).collect();
    match random.below(20) {
        0..6 if scene.work() != Work::VerifyAlone => at_a_step(scene, random),
        6..11 if scene.work() == Work::MigrateAndVerify => {
            Fault::At(ROW, 1 + random.below(scene.rows as u64))
        }
        11..14 if !made.is_empty() => {
            let (call, times) = random.one_of(&made);
            Fault::Call(call, 1 + random.below(*times), harm(random))
        }
        _ => Fault::After(random.part_of(scene.whole)),
    }
}

fn at_a_step(scene: &Scene, random: &mut Random) -> Fault {
    let all: Vec<_> = STEPS.into_iter().filter(|step| *step != ROW).collect();
    let steps = if scene.work() == Work::MigrateAndVerify {
        &all[..]
    } else {
        &[
            "rotation.verified",
            "rotation.certifying",
            "rotation.certified",
            "rotation.closed",
        ]
    };
    let step = random.one_of(steps);
    let often = ["rotation.sealed", "rotation.written"].contains(&step);
    let times = if often { scene.pages } else { 1 };
    Fault::At(step, 1 + random.below(times))
}

fn harm(random: &mut Random) -> Harm {
    random.one_of(&[Harm::Kill, Harm::Eio, Harm::Enospc])
}
