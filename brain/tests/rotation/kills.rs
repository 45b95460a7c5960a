//! A Job that is killed, at every step and at any moment, loses nothing, and a rerun finishes.

use std::collections::BTreeSet;

use userengine_rotation::verdict::Certificate;

use crate::support::{End, Fault, Job, Strace, Values, Volume, has_strace, run_as_child, task};

/// Every step that the code names.
pub const STEPS: [&str; 14] = [
    "rotation.recovered",
    "rotation.checked",
    "rotation.opened",
    "rotation.beginning",
    "rotation.begun",
    "rotation.resealed",
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
    volume.hand().die_with_a_log();
    volume
}

/// What must hold after anything: an engine may start with both keys, every value opens to what it was, and a rerun
/// finishes with the new key alone.
fn nothing_is_lost(volume: &Volume, before: &Values, what: &str) -> Certificate {
    volume.engine_checks_without_serving(&[1, 2]);
    // Of a copy: the log that is left is for the rerun to find.
    assert_eq!(&volume.copy().values(&[1, 2]), before, "{what}");
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
        let run = Job::first().run(&volume, &Fault::At(step, 1));
        assert_eq!(run.end, End::Killed, "{step}");
        nothing_is_lost(&volume, &before, step);
    }
}

#[test]
fn each_step_is_in_the_list() {
    let mut found = BTreeSet::new();
    for room in ["src/rotation", "src/store/rotation"] {
        for entry in std::fs::read_dir(room).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let hits = text.split("failpoint::hit(\"").skip(1);
            found.extend(hits.map(|rest| rest.split_once('"').unwrap().0.to_owned()));
        }
    }
    assert_eq!(found, STEPS.map(str::to_owned).into());
}

#[test]
fn nothing_is_renamed_and_what_is_on_the_volume_is_only_written_synced_cut_and_removed() {
    if !has_strace() {
        eprintln!("skipped: strace is not installed (Debian: apt-get install strace)");
        return;
    }
    let volume = left_by_a_killed_engine(20);
    let strace = Strace::watching(&volume, "%file,%desc");
    let log = Job::first().watched(&volume, &strace);
    let made = |call: &str| log.contains(&format!(" {call}("));
    // The log is one of what was looked for.
    for call in ["pwrite64", "ftruncate", "unlink"] {
        assert!(made(call), "{call}");
    }
    assert!(made("fsync") || made("fdatasync"));
    for call in ["rename", "renameat", "renameat2", "link", "linkat"] {
        assert!(!made(call), "{call}");
    }
}
