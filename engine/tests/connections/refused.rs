//! Requests that make no sense: each is told with its field and its cure.

use serde_json::{Value, json};

use super::world::World;
use crate::support::in_process::send;

fn field_and_problem(answer: &Value) -> (String, String) {
    assert_eq!(answer["error"], "INVALID_REQUEST", "{answer}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&answer["details"]["field"]), text(&answer["message"]))
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
#[tokio::test]
async fn each_bad_field_is_named() {
    let world = World::start().await;
    let long = "a".repeat(41);
    let credential =
        |value: Value| json!({ "server_name": "static", "server_config": { "credential": value } });
    for (body, field, words) in [
        (
            json!({ "server_name": "none", "alias": "A" }),
            "alias",
            "1 to 40 characters",
        ),
        (
            json!({ "server_name": "none", "alias": long }),
            "alias",
            "1 to 40 characters",
        ),
        (
            json!({ "server_name": "none", "alias": "a.b" }),
            "alias",
            "1 to 40 characters",
        ),
        (
            json!({ "server_name": "none", "alias": "static" }),
            "alias",
            "another server",
        ),
        (
            json!({ "server_name": "static" }),
            "server_config.credential",
            "needs a credential",
        ),
        (
            credential(json!("")),
            "server_config.credential",
            "1 to 16384",
        ),
        (
            credential(json!("  ")),
            "server_config.credential",
            "1 to 16384",
        ),
        (
            credential(json!("a".repeat(16_385))),
            "server_config.credential",
            "1 to 16384",
        ),
        (
            credential(json!("telltale\r\nX-Other: 1")),
            "server_config.credential",
            "visible ASCII",
        ),
        (
            credential(json!("tellt\u{e4}le")),
            "server_config.credential",
            "visible ASCII",
        ),
        (
            credential(json!(1)),
            "server_config.credential",
            "expected a string",
        ),
        (
            json!({ "server_name": "none", "server_config": { "credential": "telltale" } }),
            "server_config.credential",
            "takes no credential",
        ),
        (
            json!({ "server_name": "oauth", "server_config": { "credential": "telltale" } }),
            "server_config.credential",
            "connected by OAuth",
        ),
        (
            json!({ "server_name": "none", "server_config": { "scopes": ["a"] } }),
            "server_config.scopes",
            "only a server with OAuth",
        ),
        (
            json!({ "server_name": "oauth", "server_config": { "scopes": ["a b"] } }),
            "server_config.scopes",
            "at most 100 scopes",
        ),
        (
            json!({ "server_name": "oauth", "server_config": { "scopes": "a" } }),
            "server_config.scopes",
            "expected a sequence",
        ),
        (
            json!({ "server_name": "none", "server_config": "telltale" }),
            "server_config",
            "expected an object",
        ),
        (
            json!({ "server_name": "none", "server_config": { "credentials": "telltale" } }),
            "server_config.credentials",
            "unknown field",
        ),
        (
            json!({ "server_name": "none", "return_uri": "https://a.example" }),
            "return_uri",
            "unknown field",
        ),
        (
            json!({ "server_name": "none", "return_url": "http://a.example/" }),
            "return_url",
            "expected an https URL",
        ),
        (
            json!({ "server_name": "none", "return_url": "javascript:alert(1)" }),
            "return_url",
            "expected an https URL",
        ),
        (
            json!({ "server_name": "none", "return_url": "https://u:p@a.example/" }),
            "return_url",
            "expected an https URL",
        ),
        (
            json!({ "server_name": "none", "return_url": "https://a.example/#f" }),
            "return_url",
            "expected an https URL",
        ),
        (
            json!({ "server_name": "none", "return_url": "/relative" }),
            "return_url",
            "expected an https URL",
        ),
        (
            json!({ "alias": "a" }),
            "body",
            "missing field `server_name`",
        ),
        (
            json!({ "server_name": null }),
            "server_name",
            "expected a string",
        ),
        (
            json!({ "server_name": "none", "reconnect": "yes" }),
            "reconnect",
            "expected a boolean",
        ),
        (json!([]), "body", "expected an object"),
    ] {
        let (status, answer) = world.connect(body.clone()).await;
        assert_eq!(status, 422, "{body}: {answer}");
        let (found, message) = field_and_problem(&answer);
        assert_eq!(found, field, "{answer}");
        assert!(message.contains(words), "{body}: {answer}");
        assert!(!message.contains("telltale"), "{answer}");
    }
    assert_eq!(world.get("/assets/connections").await, json!([]));
}

#[tokio::test]
async fn an_unknown_server_is_not_found_and_its_name_is_cut() {
    let world = World::start().await;
    for name in ["nothing", "NOTHING", "", "../etc", &"a".repeat(10_000)] {
        let (status, answer) = world.connect(json!({ "server_name": name })).await;
        assert_eq!(
            (status, &answer["error"]),
            (404, &json!("SERVER_NOT_FOUND")),
            "{answer}"
        );
        assert!(answer.to_string().len() < 300, "{answer}");
    }
}

#[tokio::test]
async fn an_alias_of_another_server_is_taken() {
    let world = World::start().await;
    world
        .connect(json!({ "server_name": "none", "alias": "mine" }))
        .await;
    let (status, answer) = world
        .connect(json!({ "server_name": "oauth", "alias": "mine" }))
        .await;
    assert_eq!(
        (status, &answer["error"]),
        (409, &json!("ALREADY_CONNECTED")),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_that_is_no_json_is_told_apart_from_one_of_another_type() {
    let world = World::start().await;
    let post = async |headers: &[(&str, &str)]| {
        let headers = [&[("x-engine-key", "current")], headers].concat();
        send(world.engine.api(), "POST", "/assets/connect", &headers).await
    };
    assert_eq!(post(&[]).await.status(), 415);
    assert_eq!(post(&[("content-type", "text/plain")]).await.status(), 415);
    let empty = post(&[("content-type", "application/json; charset=utf-8")]).await;
    assert_eq!(empty.status(), 400);
    assert!(
        empty.body().contains("MALFORMED_REQUEST"),
        "{}",
        empty.body()
    );
}

#[tokio::test]
async fn an_id_that_is_none_is_not_found() {
    let world = World::start().await;
    for id in [
        "conn-",
        "nothing",
        "conn-00000000000000000000",
        "CONN-00000000000000000000",
        "%2e%2e",
        &"a".repeat(3000),
    ] {
        for method in ["GET", "DELETE"] {
            let answer = world
                .request(method, &format!("/assets/connections/{id}"), None)
                .await;
            assert_eq!(answer.status(), 404, "{id}");
            assert!(
                answer.body().contains("CONNECTION_NOT_FOUND") && answer.body().len() < 300,
                "{}",
                answer.body()
            );
        }
    }
}

#[tokio::test]
async fn every_call_but_the_callback_needs_the_key() {
    let world = World::start().await;
    for (method, path) in [
        ("POST", "/assets/connect"),
        ("GET", "/assets/connections"),
        ("GET", "/assets/connections/conn-00000000000000000000"),
        ("DELETE", "/assets/connections/conn-00000000000000000000"),
    ] {
        assert_eq!(
            send(world.engine.api(), method, path, &[]).await.status(),
            401,
            "{method} {path}"
        );
    }
}
