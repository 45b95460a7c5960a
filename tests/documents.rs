//! Documents say only what is true: every path that one names exists.

use std::fs;
use std::path::{Path, PathBuf};

/// First parts of a path that is one of this repository's.
const FOLDERS: [&str; 10] = [
    "crds/",
    "operator/",
    "engine/",
    "charts/",
    "tests/",
    "docs/",
    "examples/",
    "build/",
    ".ci/",
    "migrations/",
];

/// Tests run in their package's folder.
const ROOT: &str = "..";

fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir()
            && !["target", ".git", "node_modules", "dist"]
                .iter()
                .any(|skipped| name == *skipped)
        {
            documents(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// What stands between back-ticks or in a link, if it looks like a path of ours.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let linked = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    quoted
        .chain(linked)
        .map(|path| path.split('#').next().unwrap_or_default())
        .filter(|path| {
            let is_plain = !path.contains(|c: char| c.is_whitespace() || "<>{}*$…".contains(c));
            is_plain
                && (FOLDERS
                    .iter()
                    .any(|folder| path.trim_start_matches("../").starts_with(folder))
                    || Path::new(path)
                        .extension()
                        .is_some_and(|extension| extension == "md"))
        })
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut all = Vec::new();
    documents(Path::new(ROOT), &mut all);
    assert!(all.len() >= 5, "found only {all:?}");
    let mut missing = Vec::new();
    for document in all {
        let text = fs::read_to_string(&document).unwrap();
        for path in paths(&text).filter(|path| !path.starts_with("http")) {
            let beside = document.parent().unwrap_or(Path::new("")).join(path);
            if !beside.exists() && !Path::new(ROOT).join(path).exists() {
                missing.push(format!("{}: {path}", document.display()));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "documents name what is not there:\n{}",
        missing.join("\n")
    );
}

#[test]
fn sees_the_paths_in_a_document() {
    let text = "See `docs/a.md`, [b](../operator/src/lib.rs#x), `kubectl get x`, `crds/*.yaml` and `make test`.";
    assert_eq!(
        paths(text).collect::<Vec<_>>(),
        ["docs/a.md", "../operator/src/lib.rs"]
    );
}
