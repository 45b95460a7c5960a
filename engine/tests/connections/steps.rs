//! The list of steps at which `killed` kills an engine, held against the code.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The names of all steps in the code, each with the times that it is there.
fn steps_in_the_code() -> BTreeMap<String, usize> {
    let mut steps = BTreeMap::new();
    // The steps of a rotation are killed at in the brain's own tests, without an engine.
    let of_rotations = |name: &str| name.starts_with("rotation.");
    for sources in ["src", "../brain/src"] {
        for file in sources_below(Path::new(sources)) {
            let text = fs::read_to_string(&file).unwrap();
            for call in text.split("failpoint::hit(").skip(1) {
                let (name, _) = call
                    .strip_prefix('"')
                    .and_then(|rest| rest.split_once('"'))
                    .unwrap_or_else(|| {
                        panic!(
                            "{}: a step is named where it is: {:.40}",
                            file.display(),
                            call
                        )
                    });
                if !of_rotations(name) {
                    *steps.entry(name.to_owned()).or_default() += 1;
                }
            }
        }
    }
    steps
}

fn sources_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| {
        if path.is_dir() {
            sources_below(&path)
        } else {
            vec![path]
        }
    });
    files
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .collect()
}

/// What looks like a step among the texts of the tests that kill.
fn steps_of_the_tests() -> Vec<String> {
    let text = include_str!("killed.rs");
    let texts = text.split('"').skip(1).step_by(2);
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let steps = texts.filter(|text| {
        text.split_once('.')
            .is_some_and(|(area, step)| is_word(area) && is_word(step))
    });
    let mut steps: Vec<_> = steps.map(str::to_owned).collect();
    steps.sort();
    steps.dedup();
    steps
}

#[test]
fn an_engine_is_killed_at_each_step_that_the_code_names() {
    let named = steps_in_the_code();
    assert!(named.len() >= 15, "{named:?}");
    for (step, times) in &named {
        assert_eq!(*times, 1, "{step} is one place in the code");
    }
    let named: Vec<_> = named.into_keys().collect();
    assert_eq!(named, steps_of_the_tests());
}
