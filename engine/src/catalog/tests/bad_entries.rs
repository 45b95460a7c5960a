//! What is said of bad entries.

use std::fmt::Write;

use super::Folder;

/// What is said of each entry of a text in which the line before an entry tells what is wrong with it.
fn said_of(cases: &str) -> String {
    let mut text = String::new();
    for case in cases.split("# ").skip(1) {
        let (wrong, entry) = case.split_once('\n').unwrap();
        let problems = Folder::with(&[("a.json", entry)]).problems();
        assert!(!problems.is_empty(), "nothing was said of {wrong}");
        writeln!(text, "{wrong}").unwrap();
        for problem in problems {
            writeln!(text, "    {problem}").unwrap();
        }
    }
    text
}

#[test]
fn every_mistake_is_named_with_its_cure() {
    insta::assert_snapshot!(
        "servers over HTTP",
        said_of(include_str!("bad/servers_over_http.txt"))
    );
    insta::assert_snapshot!("credentials", said_of(include_str!("bad/credentials.txt")));
    insta::assert_snapshot!("programs", said_of(include_str!("bad/programs.txt")));
    insta::assert_snapshot!("tools", said_of(include_str!("bad/tools.txt")));
}

#[test]
fn on_kubernetes_a_secret_lies_in_the_folder_of_secrets() {
    let entry = r#"{"name": "a", "transport": "sse", "url": "https://a.example", "auth_method": "oauth", "oauth": {"client_id": "c", "client_secret_file": "/etc/passwd", "issuer": "https://i.example"}}"#;
    let folder = Folder::with(&[("a.json", entry)]);
    assert!(
        folder.problems().is_empty(),
        "outside Kubernetes it may lie anywhere"
    );
    insta::assert_snapshot!(folder.problems_with(&folder.config_with(&[("ENGINE_NAME", "team.alice")])).join("\n"), @"a.json: entry 1 (a): oauth.client_secret_file: expected <secret>/<key>: an absolute path works outside Kubernetes only");
}
