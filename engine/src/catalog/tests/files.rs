//! Files that are no catalog.

use std::fs;
use std::os::unix::fs::symlink;

use insta::assert_snapshot;

use super::{Folder, NOTES, SLACK, names};

fn said_of(content: impl AsRef<[u8]>) -> String {
    let folder = Folder::new();
    folder.write("a.json", content);
    folder.problems().join("\n")
}

#[test]
fn all_mistakes_of_all_files_are_named_at_once() {
    let folder = Folder::with(&[
        (
            "a.json",
            r#"[{"name": "A"}, {"name": "b", "transport": "sse", "url": "x", "auth_method": "none"}]"#,
        ),
        ("b.json", "{"),
        (
            "c.json",
            r#"{"servers": [{"name": "c", "transport": "stdio", "auth_method": "none"}]}"#,
        ),
        ("d.json", SLACK),
    ]);
    assert_snapshot!(folder.problems().join("\n"));
}

#[test]
fn a_name_that_two_files_have_is_nobodys() {
    let folder = Folder::with(&[
        ("a.json", &format!("[{NOTES}, {SLACK}]")),
        ("b.json", SLACK),
    ]);
    assert_snapshot!(folder.problems().join("\n"), @"b.json: entry 1 (slack): name: expected a name of its own, but a.json, entry 2, has it, too");
    assert_eq!(
        names(&folder.load()),
        ["notes"],
        "which of the two is meant cannot be known"
    );
}

#[test]
fn what_is_not_json_is_named() {
    assert_snapshot!("text", said_of("slack: true"));
    assert_snapshot!("half written", said_of(&SLACK[..40]));
    assert_snapshot!("empty", said_of(""));
    assert_snapshot!("two documents", said_of(format!("{SLACK}\n{NOTES}")));
    assert_snapshot!("a number", said_of("7"));
    assert_snapshot!("byte order mark", said_of(format!("\u{feff}{SLACK}")));
    assert_snapshot!("not UTF-8", said_of(b"{\"name\": \"\xff\"}"));
    assert_snapshot!("UTF-16", said_of([0xff, 0xfe, b'{', 0, b'}', 0]));
    assert_snapshot!("deep", said_of("[".repeat(100_000)));
    assert_snapshot!(
        "deep in an entry",
        said_of(format!(
            r#"{{"name": {}{}}}"#,
            "[".repeat(126),
            "]".repeat(126)
        ))
    );
    assert_snapshot!("a lone surrogate", said_of(r#"{"name": "\ud800"}"#));
    assert_snapshot!("a number that is too large", said_of(r#"{"name": 1e999}"#));
}

#[test]
fn what_stands_beside_the_servers_is_named() {
    assert_snapshot!(
        "beside",
        said_of(format!(
            r#"{{"$schema": "x", "servers": [{SLACK}], "version": 1}}"#
        ))
    );
    assert_snapshot!("no array", said_of(format!(r#"{{"servers": {SLACK}}}"#)));
    assert_snapshot!(
        "twice",
        said_of(format!(r#"{{"servers": [], "servers": [{SLACK}]}}"#))
    );
    assert_snapshot!(
        "an entry with servers",
        said_of(r#"{"name": "a", "servers": []}"#)
    );
}

#[test]
fn large_files_and_large_catalogs_are_refused() {
    assert_snapshot!("10 MB", said_of(vec![b' '; 10_000_000]));
    let entry = |index: usize| SLACK.replace("\"slack\"", &format!("\"s{index}\""));
    let entries = |count| (0..count).map(entry).collect::<Vec<_>>().join(",\n");
    assert_eq!(said_of(format!("[{}]", entries(500))), "");
    assert_snapshot!("501 entries", said_of(format!("[{}]", entries(501))));

    let folder = Folder::new();
    for index in 0..=500 {
        folder.write(&format!("{index}.json"), "[]");
    }
    assert_snapshot!("501 files", folder.problems().join("\n"));
}

#[test]
fn no_more_is_said_than_anybody_reads() {
    let problems = said_of(format!("[{}]", vec!["{}"; 200].join(",")));
    let lines: Vec<&str> = problems.lines().collect();
    assert_eq!(
        (lines.len(), lines.last().copied()),
        (101, Some("and 500 more"))
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = Folder::with(&[("good.json", SLACK)]);
    fs::create_dir(folder.path("folder.json")).unwrap();
    symlink("loop.json", folder.path("loop.json")).unwrap();
    symlink("nowhere", folder.path("gone.json")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path("pipe.json"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    symlink("/dev/zero", folder.path("device.json")).unwrap();
    assert_snapshot!(folder.problems().join("\n"));
    assert_eq!(names(&folder.load()), ["slack"]);
}

#[test]
fn what_is_not_meant_is_left_alone() {
    let folder = Folder::with(&[
        ("good.json", SLACK),
        (".hidden.json", "{"),
        ("README.md", "{"),
        ("good.json.bak", "{"),
        ("json", "{"),
    ]);
    fs::create_dir(folder.path("..2026_11_21")).unwrap();
    assert!(folder.problems().is_empty());
    assert_eq!(names(&folder.load()), ["slack"]);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = Folder::new();
    fs::remove_dir(folder.catalog.path()).unwrap();
    assert_snapshot!(folder.problems().join("\n"), @"CATALOG_DIR /catalog: cannot be read: entity not found");
}

#[test]
fn a_file_of_another_user_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::with(&[("a.json", SLACK)]);
    fs::set_permissions(folder.path("a.json"), fs::Permissions::from_mode(0o0)).unwrap();
    if fs::File::open(folder.path("a.json")).is_ok() {
        return; // The superuser reads everything.
    }
    assert_snapshot!(folder.problems().join("\n"), @"a.json: cannot be read: permission denied");
}
