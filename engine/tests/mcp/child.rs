//! Servers that are children.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};
use userengine_engine::catalog::Endpoint;
use userengine_engine::mcp::{McpError, Session};

use super::arguments;
use crate::support::mcp::{SOON, credential, open};

/// A server in the shell. `$1` is what a call does, `$2` what comes before all.
const SERVER: &str = r#"
eval "$2"
while IFS= read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case "$line" in
    *server/discover*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"unknown"}}\n' "$id" ;;
    *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}\n' "$id" ;;
    *tools/call*) eval "$1" ;;
  esac
done
"#;

/// Answers a call with a text.
const SAY: &str = r#"say() { printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[],"said":"%s"}}\n' "$id" "$1"; };"#;

fn server(on_call: &str, before: &str) -> Endpoint {
    let args = ["-c", SERVER, "server", &format!("{SAY}{on_call}"), before];
    Endpoint::Stdio {
        program: "sh".to_owned(),
        args: args.map(str::to_owned).to_vec(),
        env: BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
    }
}

async fn start(on_call: &str, before: &str) -> Session {
    open(server(on_call, before), None).await.unwrap()
}

async fn said(session: &Session) -> String {
    let result = session
        .call_tool("any", &arguments(json!({})), SOON)
        .await
        .unwrap();
    let json: Value = serde_json::from_str(result.json.get()).unwrap();
    json["said"].as_str().unwrap().to_owned()
}

async fn is_gone(pid: &str) {
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    let gone = async {
        while test_kill_process(pid).is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, gone).await.unwrap();
}

#[tokio::test]
async fn a_child_gets_its_own_environment_and_nothing_else() {
    let secret = credential("API_KEY", "a-secret");
    let session = open(
        server(r#"say "$(env | sort | tr '\n' ' ')$(pwd)""#, ""),
        Some(secret),
    );
    let session = session.await.unwrap();
    let environment = said(&session).await;
    let names: Vec<_> = environment
        .split(' ')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let own = |(name, _): &&(&str, &str)| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name);
    let names: Vec<_> = names.iter().filter(own).collect();
    assert_eq!(
        names,
        [
            &("API_KEY", "a-secret"),
            &("GREETING", "hello"),
            &("PATH", "/usr/local/bin:/usr/bin:/bin")
        ]
    );
    assert!(environment.ends_with(" /"), "{environment}");
}

#[tokio::test]
async fn a_program_that_is_not_there_was_never_called() {
    let endpoint = Endpoint::Stdio {
        program: "/nowhere/server".to_owned(),
        args: Vec::new(),
        env: BTreeMap::new(),
    };
    let error = open(endpoint, None).await.unwrap_err();
    assert!(
        error.never_ran() && error.to_string().contains("/nowhere/server"),
        "{error}"
    );
}

#[tokio::test]
async fn a_child_that_ends_says_how() {
    let error = open(server("", "exit 3"), None).await.unwrap_err();
    let expected = McpError::Closed("the child ended with exit status: 3".to_owned());
    assert_eq!(error, expected);

    let session = start("exit 3", "").await;
    let error = session
        .call_tool("any", &arguments(json!({})), SOON)
        .await
        .unwrap_err();
    assert_eq!(error, expected);
    assert!(session.is_closed() && !error.never_ran());
}

#[tokio::test]
async fn the_last_words_of_a_child_are_heard() {
    let session = start("say bye; exit 0", "").await;
    assert_eq!(said(&session).await, "bye");
}

#[tokio::test]
async fn a_grandchild_that_holds_the_pipe_neither_hides_the_end_nor_survives_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let spawn = format!(
        "sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; exit 4",
        file.display()
    );
    let session = start(&spawn, "").await;
    let error = session
        .call_tool("any", &arguments(json!({})), SOON)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        McpError::Closed("the child ended with exit status: 4".to_owned())
    );
    is_gone(std::fs::read_to_string(&file).unwrap().trim()).await;
}

#[tokio::test]
async fn a_child_that_ignores_everything_is_killed() {
    let session = start(
        r#"say "$$""#,
        "trap '' TERM; trap 'while :; do sleep 1; done' EXIT",
    )
    .await;
    let pid = said(&session).await;
    session.close().await;
    is_gone(&pid).await;
}

#[tokio::test]
async fn a_child_ends_with_its_session_even_if_nobody_closes_it() {
    let session = start(r#"say "$$""#, "").await;
    let pid = said(&session).await;
    drop(session);
    is_gone(&pid).await;
}

#[test]
fn a_child_ends_with_the_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (pid, session) = runtime.block_on(async {
        let session = start(
            r#"say "$$""#,
            "trap '' TERM; trap 'while :; do sleep 1; done' EXIT",
        )
        .await;
        (said(&session).await, session)
    });
    drop(runtime);
    drop(session);
    // Nobody reaps it any more, so it stays a zombie of this process.
    let stat = format!("/proc/{pid}/stat");
    let deadline = std::time::Instant::now() + SOON;
    while Path::new(&stat).exists()
        && !std::fs::read_to_string(&stat)
            .unwrap_or_default()
            .contains(") Z ")
    {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_child_that_fills_its_standard_error_is_not_blocked() {
    let spew = r#"i=0; while [ $i -lt 2000 ]; do echo "0123456789012345678901234567890123456789012345678901234567890123456789" >&2; i=$((i+1)); done; say done"#;
    let session = start(spew, "").await;
    assert_eq!(said(&session).await, "done");
}

#[tokio::test]
async fn a_line_that_does_not_end_ends_the_session() {
    let session = start("head -c 20000000 /dev/zero | tr '\\0' x; echo", "").await;
    let error = session
        .call_tool("any", &arguments(json!({})), SOON)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a line of more than 16777216 bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn lines_that_are_no_messages_are_passed_over() {
    let noise = r#"echo "starting…"; echo; echo '{"id":1073741824}x'; echo '[1]'; say "heard""#;
    let session = start(noise, "echo hello").await;
    assert_eq!(said(&session).await, "heard");
}

#[tokio::test]
async fn a_child_that_agrees_to_everything_is_an_older_server() {
    let agrees = r#"IFS= read -r line; echo '{"jsonrpc":"2.0","id":0,"result":{}}'"#;
    let session = start("say hello", agrees).await;
    assert_eq!(said(&session).await, "hello");
}

#[tokio::test]
async fn a_child_is_told_when_nobody_waits_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seen");
    // What comes after the call is written down.
    let on_call = format!(
        "IFS= read -r line; printf '%s' \"$line\" > {0}.new; mv {0}.new {0}",
        file.display()
    );
    let session = start(&on_call, "").await;
    let limit = Duration::from_millis(200);
    session
        .call_tool("any", &arguments(json!({})), limit)
        .await
        .unwrap_err();
    let written = async {
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::fs::read_to_string(&file).unwrap()
    };
    let line = tokio::time::timeout(SOON, written).await.unwrap();
    assert!(
        line.contains("notifications/cancelled") && line.contains("1073741824"),
        "{line}"
    );
}
