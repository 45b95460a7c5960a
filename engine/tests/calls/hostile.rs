//! Servers that mean harm, or were written carelessly.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::upstream::{Upstream, tool};
use super::world::World;

async fn offering(tools: Vec<Value>) -> (World, Upstream) {
    let upstream = Upstream::start().await;
    upstream.set_tools(tools);
    let world = World::connected(&[("notes", &upstream)], &[]).await;
    (world, upstream)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "reads better where it is called"
)]
fn with_schema(name: &str, schema: Value) -> Value {
    json!({ "name": name, "inputSchema": schema })
}

/// The names of hidden tools with the reasons.
async fn hidden(world: &World) -> Vec<(String, String)> {
    let connection = world.connection("notes").await;
    let tools = connection["hidden_tools"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    tools
        .iter()
        .map(|tool| (text(&tool["name"]), text(&tool["reason"])))
        .collect()
}

#[tokio::test]
async fn of_ten_thousand_tools_a_thousand_are_offered() {
    let (world, _upstream) =
        offering((0..10_000).map(|n| tool(&format!("t{n:05}"))).collect()).await;
    let names = world.names().await;
    assert_eq!((names.len(), names[0].as_str()), (1000, "notes.t00000"));
    assert_eq!(world.call("notes.t00999").await.status(), 200);
    assert_eq!(world.outcome("notes.t01000").await.1, "TOOL_NOT_FOUND");
}

#[tokio::test]
async fn names_that_deceive_are_hidden_with_the_reason_and_cannot_be_called() {
    let names = [
        "send",
        "sеnd",
        "list_1",
        "list_l",
        "a b",
        "a\u{202e}b",
        "größe",
        "x/y.z-1",
    ];
    let (world, upstream) = offering(names.iter().map(|name| tool(name)).collect()).await;
    assert_eq!(
        world.names().await,
        ["notes.größe", "notes.send", "notes.x/y.z-1"]
    );
    let hidden = hidden(&world).await;
    assert_eq!(hidden.len(), 5, "{hidden:?}");
    assert!(
        hidden
            .iter()
            .any(|(name, why)| name == "sеnd" && why.contains("scripts"))
    );
    assert!(
        hidden
            .iter()
            .any(|(name, why)| name == "list_l" && why.contains("looks like"))
    );
    for name in ["notes.sеnd", "notes.list_1", "notes.a b"] {
        assert_eq!(world.outcome(name).await.1, "TOOL_NOT_FOUND", "{name}");
    }
    assert_eq!(upstream.count("tools/call"), 0);
}

#[tokio::test]
async fn a_schema_that_is_none_hides_its_tool_and_no_other() {
    let (world, _upstream) = offering(vec![
        tool("good"),
        with_schema(
            "remote",
            json!({ "$ref": "https://attacker.example/schema" }),
        ),
        with_schema("circle", json!({ "$ref": "#" })),
        with_schema("nonsense", json!({ "type": "nonsense" })),
        with_schema(
            "pattern",
            json!({ "properties": { "a": { "pattern": "(a{1000}){1000}{1000}" } } }),
        ),
    ])
    .await;
    assert_eq!(world.names().await, ["notes.good"]);
    let hidden = hidden(&world).await;
    assert_eq!(hidden.len(), 4, "{hidden:?}");
    assert!(
        hidden.iter().all(|(_, why)| why.contains("schema")),
        "{hidden:?}"
    );
}

#[tokio::test]
async fn a_pattern_that_explodes_costs_one_answer_and_not_the_engine() {
    let schema =
        json!({ "type": "object", "properties": { "text": { "pattern": "^(a|a)*\\1b" } } });
    let (world, upstream) = offering(vec![with_schema("bomb", schema), tool("good")]).await;
    let bomb = json!({ "text": format!("{}!", "a".repeat(60)) });
    let began = Instant::now();
    for _ in 0..10 {
        let answer = world.call_with("notes.bomb", bomb.clone()).await;
        assert_eq!(answer.body()["error"], "INVALID_ARGUMENTS");
    }
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(world.call("notes.good").await.status(), 200);
    assert_eq!(upstream.count("tools/call"), 1);
}

#[tokio::test]
async fn a_server_that_keeps_inventing_names_fills_no_table() {
    let (mut world, upstream) = offering(Vec::new()).await;
    let names = |round: usize| {
        (0..1000)
            .map(|n| tool(&format!("t{round}x{n}")))
            .collect::<Vec<_>>()
    };
    for round in 0..5 {
        upstream.set_tools(names(round));
        world = world.restarted().await;
        world.tools().await;
    }
    let brain = world.engine.volume.brain();
    let pins = crate::support::sql::number_async(&brain, "SELECT COUNT(*) FROM tool_pins").await;
    assert_eq!(pins, 4000);
    assert_eq!(world.names().await.len(), 0);
    assert!(hidden(&world).await[0].1.contains("too many other tools"));
}
