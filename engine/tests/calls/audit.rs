//! `GET /audit`, and what is in it when.

use serde_json::{Value, json};

use super::upstream::{Reply, Upstream};
use super::world::World;
use crate::support::sql;

#[tokio::test]
async fn each_call_has_one_row_with_its_outcome_and_without_what_was_said() {
    let upstream = Upstream::start().await;
    let world = World::connected(&[("notes", &upstream)], &[("CALL_TIMEOUT_SECONDS", "1")]).await;
    let telltale = json!({ "text": "telltale-argument" });
    for name in ["notes.read", "notes.write"] {
        assert_eq!(world.call_with(name, telltale.clone()).await.status(), 200);
    }
    upstream.answer_calls(|| {
        let content = json!([{ "type": "text", "text": "telltale-result" }]);
        Reply::Result(json!({ "content": content, "isError": true }))
    });
    world.call("notes.read").await;
    upstream.answer_calls(|| Reply::Error(-1, "telltale-words"));
    world.call("notes.write").await;
    upstream.answer_calls(|| Reply::Silence);
    world.call("notes.write").await;

    let rows = world.audit("tool_call", 5).await;
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["tool"].as_str().unwrap(),
                row["outcome"].as_str().unwrap(),
                &row["details"],
            )
        })
        .collect();
    let no_details = json!({});
    let mut expected = vec![
        ("notes.read", "ok", &no_details),
        ("notes.write", "ok", &no_details),
        ("notes.read", "error", &no_details),
    ];
    let (protocol, timeout) = (
        json!({ "reason": "protocol" }),
        json!({ "reason": "timeout" }),
    );
    expected.push(("notes.write", "MCP_CONNECTION_FAILED", &protocol));
    expected.push(("notes.write", "MCP_CONNECTION_FAILED", &timeout));
    let sorted = |mut rows: Vec<(&str, &str, &Value)>| {
        rows.sort_by_key(|row| format!("{row:?}"));
        rows.iter()
            .map(|row| format!("{row:?}"))
            .collect::<Vec<_>>()
    };
    // A read is stored when it is over, a write when it begins.
    assert_eq!(sorted(told), sorted(expected));
    assert!(
        rows.iter()
            .all(|row| row["request_id"] == "a-test" && row["server_name"] == "notes")
    );
    assert!(rows.iter().all(|row| row["duration_ms"].is_u64()));
    let all = world
        .request("GET", "/audit?limit=500", None)
        .await
        .into_body();
    assert!(!all.contains("telltale"), "{all}");
}

#[tokio::test]
async fn the_row_of_a_write_is_there_before_the_server_hears_of_the_call() {
    let upstream = Upstream::start().await;
    let world = World::connected(&[("notes", &upstream)], &[]).await;
    upstream.answer_calls(|| Reply::Silence);
    let brain = world.engine.volume.brain();
    let query = "SELECT COUNT(*) FROM audit WHERE kind = 'tool_call' AND outcome = 'started'";
    tokio::select! {
        answer = world.call("notes.write") => panic!("answered: {answer:?}"),
        () = upstream.wait_for("tools/call", 1) => assert_eq!(sql::number_async(&brain, query).await, 1),
    }
}

#[tokio::test]
async fn what_was_never_sent_fills_no_rows() {
    let upstream = Upstream::start().await;
    let world = World::connected(&[("notes", &upstream)], &[]).await;
    world.call("notes.unknown").await;
    world.call_with("notes.write", json!({})).await;
    upstream.answer_calls(|| Reply::Status(500, Vec::new()));
    for _ in 0..20 {
        world.call("notes.write").await;
    }
    assert_eq!(world.audit("tool_call", 5).await.len(), 5);
}

#[tokio::test]
async fn a_write_that_cannot_be_recorded_is_not_made_and_a_read_is() {
    let upstream = Upstream::start().await;
    let world = World::connected(&[("notes", &upstream)], &[]).await;
    world.tools().await;
    let brain = world.engine.volume.brain();
    sql::run_async(&brain, "ALTER TABLE audit RENAME TO audit_elsewhere").await;
    let refused = world.outcome("notes.write").await;
    assert_eq!(
        refused,
        (503, "AUDIT_UNAVAILABLE".to_owned(), String::new())
    );
    assert_eq!(upstream.count("tools/call"), 0);
    assert_eq!(world.call("notes.read").await.status(), 200);
    sql::run_async(&brain, "ALTER TABLE audit_elsewhere RENAME TO audit").await;
    assert_eq!(world.call("notes.write").await.status(), 200);
    // The read's row waited.
    assert_eq!(world.audit("tool_call", 2).await.len(), 2);
}

#[tokio::test]
async fn pages_follow_each_other_without_gaps() {
    let upstream = Upstream::start().await;
    let world = World::connected(&[("notes", &upstream)], &[]).await;
    for _ in 0..7 {
        world.call("notes.write").await;
    }
    // The row of the connection is stored with others, a little later.
    world.audit("connected", 1).await;
    let all = world.get("/audit?limit=500").await.into_body();
    let ids = |page: &Value| -> Vec<i64> {
        let rows = page["rows"].as_array().unwrap();
        rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
    };
    let (mut found, mut path) = (Vec::new(), "/audit?limit=3".to_owned());
    loop {
        let page = world.get(&path).await.into_body();
        found.extend(ids(&page));
        match page["next_before"].as_i64() {
            Some(before) => path = format!("/audit?limit=3&before={before}"),
            None => break,
        }
    }
    assert_eq!(found, ids(&all));
    assert!(
        found.len() >= 8 && found.is_sorted_by(|a, b| a > b),
        "{found:?}"
    );
    for query in ["limit=0", "limit=501", "limit=x", "before=y", "other=1"] {
        let answer = world.get(&format!("/audit?{query}")).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.body()["error"]),
            (422, &json!("INVALID_REQUEST")),
            "{query}"
        );
    }
    assert_eq!(
        world.get("/audit?before=1").await.body(),
        &json!({ "rows": [], "next_before": null })
    );
}
