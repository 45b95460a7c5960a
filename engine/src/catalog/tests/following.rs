//! What changes while an engine runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use super::{Folder, NOTES, SLACK, names};
use crate::catalog::{LiveCatalog, follow};
use crate::domain::ServerName;

fn changed(names: &[ServerName]) -> Vec<&str> {
    names.iter().map(ServerName::as_str).collect()
}

#[test]
fn a_reload_names_what_is_new_changed_and_gone() {
    let folder = Folder::with(&[("a.json", &format!("[{SLACK}, {NOTES}]"))]);
    let catalog = folder.load();
    let before = catalog.current();
    assert_eq!(catalog.reload(), Ok(vec![]));
    assert!(
        Arc::ptr_eq(&before, &catalog.current()),
        "nothing changed, so nothing is put in force"
    );

    let other = SLACK.replace("/sse", "/other");
    folder.write(
        "a.json",
        format!(
            "[{other}, {NOTES}, {}]",
            NOTES.replace("\"notes\"", "\"more\"")
        ),
    );
    assert_eq!(changed(&catalog.reload().unwrap()), ["more", "slack"]);
    let name = |name: &str| ServerName::try_from(name.to_owned()).unwrap();
    assert!(Arc::ptr_eq(
        &before.servers[&name("notes")],
        &catalog.current().servers[&name("notes")]
    ));

    folder.write("a.json", "[]");
    assert_eq!(
        changed(&catalog.reload().unwrap()),
        ["more", "notes", "slack"]
    );
}

#[test]
fn a_bad_change_changes_nothing() {
    let folder = Folder::with(&[("a.json", SLACK), ("b.json", NOTES)]);
    let catalog = folder.load();
    let (before, mut changes) = (catalog.current(), catalog.changes());
    changes.mark_unchanged();
    for bad in [
        "{",
        "",
        "[{}]",
        &SLACK.replace("https", "http"),
        &NOTES.replace("none", "some"),
    ] {
        folder.write("a.json", bad);
        assert!(
            catalog.reload().is_err() && catalog.check_now().is_empty(),
            "{bad}"
        );
        assert!(Arc::ptr_eq(&before, &catalog.current()), "{bad}");
    }
    fs::remove_file(folder.path("a.json")).unwrap();
    fs::create_dir(folder.path("a.json")).unwrap();
    assert!(catalog.reload().is_err());
    assert!(Arc::ptr_eq(&before, &catalog.current()) && !changes.has_changed().unwrap());

    fs::remove_dir(folder.path("a.json")).unwrap();
    assert_eq!(changed(&catalog.reload().unwrap()), ["slack"]);
    assert!(changes.has_changed().unwrap());
}

#[test]
fn a_start_takes_the_good_entries_and_leaves_the_bad_ones_out() {
    let folder = Folder::with(&[
        ("a.json", &format!("[{SLACK}, {{}}]")),
        ("b.json", "{"),
        ("c.json", NOTES),
    ]);
    let catalog = folder.load();
    assert_eq!(names(&catalog), ["notes", "slack"]);
    assert!(catalog.reload().is_err(), "later it is all or nothing");
    assert_eq!(names(&catalog), ["notes", "slack"]);
}

/// Looks until nothing is left to look at, as the seconds pass.
fn settle(catalog: &LiveCatalog) {
    assert!((0..10).any(|_| {
        catalog.check_now();
        !catalog.looks_changed()
    }));
}

#[test]
fn every_kind_of_change_is_noticed() {
    let folder = Folder::with(&[("a.json", SLACK)]);
    let catalog = folder.load();
    settle(&catalog);

    folder.write("b.json", NOTES);
    assert!(catalog.looks_changed());
    assert_eq!(changed(&catalog.check_now()), ["notes"]);
    settle(&catalog);

    folder.write("b.json", NOTES.replace("/mcp", "/MCP"));
    assert!(
        catalog.looks_changed(),
        "edited in place, to the same length"
    );
    assert_eq!(changed(&catalog.check_now()), ["notes"]);
    settle(&catalog);

    folder.write("new", NOTES);
    fs::rename(folder.path("new"), folder.path("b.json")).unwrap();
    assert_eq!(changed(&catalog.check_now()), ["notes"]);
    settle(&catalog);

    fs::remove_file(folder.path("b.json")).unwrap();
    assert_eq!(changed(&catalog.check_now()), ["notes"]);
    settle(&catalog);

    folder.write("README.md", "nothing of ours");
    assert!(catalog.check_now().is_empty());
}

#[test]
fn a_file_that_is_written_in_two_steps_is_taken_when_it_is_whole() {
    let folder = Folder::with(&[("a.json", SLACK)]);
    let catalog = folder.load();
    folder.write("b.json", &NOTES[..30]);
    assert!(catalog.check_now().is_empty());
    folder.write("b.json", NOTES);
    assert_eq!(changed(&catalog.check_now()), ["notes"]);
}

/// As the kubelet does it: a new folder, a new link, the link renamed over the old one, the old folder removed.
#[test]
fn the_swap_of_a_mounted_config_map_is_noticed() {
    let folder = Folder::new();
    let swap = |version: &str, text: &str| {
        fs::create_dir(folder.path(version)).unwrap();
        folder.write(&format!("{version}/servers.json"), text);
        symlink(version, folder.path("..data_tmp")).unwrap();
        fs::rename(folder.path("..data_tmp"), folder.path("..data")).unwrap();
    };
    swap("..2026_01", SLACK);
    symlink("..data/servers.json", folder.path("servers.json")).unwrap();
    let catalog = folder.load();
    assert_eq!(names(&catalog), ["slack"]);
    settle(&catalog);

    swap("..2026_02", &format!("[{SLACK}, {NOTES}]"));
    fs::remove_dir_all(folder.path("..2026_01")).unwrap();
    assert!(catalog.looks_changed());
    assert_eq!(changed(&catalog.check_now()), ["notes"]);
    settle(&catalog);

    swap("..2026_03", "{");
    assert!(catalog.looks_changed() && catalog.check_now().is_empty());
    assert_eq!(names(&catalog), ["notes", "slack"]);
}

#[test]
fn a_secret_that_comes_late_makes_its_server_available() {
    let entry = r#"{"name": "a", "transport": "sse", "url": "https://a.example", "auth_method": "oauth", "oauth": {"client_id": "c", "client_secret_file": "s/k", "issuer": "https://i.example"}}"#;
    let folder = Folder::with(&[("a.json", entry)]);
    let catalog = folder.load();
    let available = || {
        catalog
            .current()
            .servers
            .values()
            .all(|entry| entry.unavailable.is_none())
    };
    settle(&catalog);
    assert!(!available());

    folder.secret("s", "k", "one");
    assert!(catalog.looks_changed());
    assert_eq!(changed(&catalog.check_now()), ["a"]);
    assert!(available());
    settle(&catalog);

    folder.secret("s", "k", "two");
    assert!(catalog.looks_changed());
    assert_eq!(
        changed(&catalog.check_now()),
        ["a"],
        "another secret is another entry"
    );
}

#[test]
fn a_folder_that_comes_late_is_read() {
    let folder = Folder::new();
    fs::remove_dir(folder.catalog.path()).unwrap();
    let catalog = folder.load();
    settle(&catalog);
    fs::create_dir(folder.catalog.path()).unwrap();
    folder.write("a.json", SLACK);
    assert_eq!(changed(&catalog.check_now()), ["slack"]);
}

#[tokio::test(start_paused = true)]
async fn changes_are_taken_without_being_asked() {
    let folder = Folder::with(&[("a.json", SLACK)]);
    let catalog = Arc::new(folder.load());
    let mut changes = catalog.changes();
    changes.mark_unchanged();
    let following = tokio::spawn(follow(catalog.clone()));
    for (text, expected) in [(NOTES, "notes"), (SLACK, "slack")] {
        folder.write("a.json", text);
        let taken = tokio::time::timeout(Duration::from_secs(5), changes.changed());
        taken.await.unwrap().unwrap();
        assert_eq!(names(&catalog), [expected]);
    }
    following.abort();
}

#[tokio::test]
async fn without_a_catalog_there_is_nothing_to_follow() {
    let folder = Folder::new();
    let config = crate::config::ConnectorsConfig {
        catalog: None,
        ..folder.config()
    };
    let catalog = Arc::new(LiveCatalog::load(&config));
    assert_eq!(catalog.reload(), Ok(vec![]));
    follow(catalog).await;
}
