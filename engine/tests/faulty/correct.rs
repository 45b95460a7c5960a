//! Without a fault.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::json;

use super::{Walk, json_of};
use crate::support::faulty::{Answers, Faulty, Operation};

#[tokio::test]
async fn all_steps_work_and_are_counted() {
    for answers in [Answers::Json, Answers::Sse] {
        let server = Faulty::builder().answers(answers).start().await;
        let mut walk = Walk::new(&server);
        for operation in Operation::ALL {
            let answer = walk.step(operation).await.unwrap();
            let expected = if operation == Operation::Registration {
                201
            } else {
                200
            };
            assert_eq!(answer.status(), expected, "{operation:?}");
            assert_eq!(server.count(operation), 1, "{operation:?}");
            let is_stream = answer.headers()["content-type"] == "text/event-stream";
            assert_eq!(is_stream, operation.is_mcp() && answers == Answers::Sse);
        }
        assert_eq!(server.written(), ["once"]);
        let secrets = server.secrets();
        assert_eq!(
            secrets.len(),
            5,
            "a code and two pairs of tokens: {secrets:?}"
        );
    }
}

#[tokio::test]
async fn who_has_no_token_is_told_where_to_ask() {
    let server = Faulty::start().await;
    let walk = Walk::new(&server);
    let answer = walk.attempt(Operation::Initialize).await.unwrap();
    assert_eq!(answer.status(), 401);
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
    let metadata = challenge.split('"').nth(1).unwrap();
    let request = Request::get(metadata).body(Bytes::new()).unwrap();
    let document = json_of(&walk.send(request).await.unwrap());
    assert_eq!(document["resource"], json!(server.url()));
    assert_eq!(document["authorization_servers"], json!([server.issuer()]));
}

#[tokio::test]
async fn a_code_is_good_once() {
    let server = Faulty::start().await;
    let mut walk = Walk::new(&server);
    walk.until(Operation::Refresh).await;
    let again = walk.attempt(Operation::CodeExchange).await.unwrap();
    assert_eq!(
        (again.status().as_u16(), json_of(&again)["error"].clone()),
        (400, json!("invalid_grant"))
    );
}

#[tokio::test]
async fn a_refresh_token_that_comes_again_ends_all_that_came_of_it() {
    let server = Faulty::start().await;
    let mut walk = Walk::new(&server);
    walk.until(Operation::Refresh).await;
    let old = walk.tokens.clone();
    walk.step(Operation::Refresh).await.unwrap();
    let new = std::mem::replace(&mut walk.tokens, old);
    assert_eq!(
        walk.attempt(Operation::Refresh).await.unwrap().status(),
        400
    );
    assert_eq!(server.reused(), 1);
    walk.tokens = new;
    assert_eq!(
        walk.attempt(Operation::Refresh).await.unwrap().status(),
        400
    );
    assert_eq!(
        walk.attempt(Operation::Initialize).await.unwrap().status(),
        401
    );
}

#[tokio::test]
async fn a_forgiving_provider_takes_a_refresh_token_again_until_its_successor_was_used() {
    let server = Faulty::builder().forgiving().start().await;
    let mut walk = Walk::new(&server);
    walk.until(Operation::Refresh).await;
    let first = walk.tokens.clone();
    walk.step(Operation::Refresh).await.unwrap();
    walk.tokens = first.clone();
    walk.step(Operation::Refresh).await.unwrap();
    walk.step(Operation::Refresh).await.unwrap();
    walk.tokens = first;
    assert_eq!(
        walk.attempt(Operation::Refresh).await.unwrap().status(),
        400
    );
    assert_eq!(server.reused(), 1);
}

#[tokio::test]
async fn tokens_and_sessions_end_when_they_are_told() {
    let server = Faulty::builder()
        .lifetime(Duration::from_secs(5))
        .start()
        .await;
    let mut walk = Walk::new(&server);
    walk.until(Operation::ToolsList).await;
    assert_eq!(walk.tokens["expires_in"], 5);

    server.forget_sessions();
    assert_eq!(
        walk.attempt(Operation::ToolsList).await.unwrap().status(),
        404
    );
    walk.step(Operation::Initialize).await.unwrap();
    assert_eq!(
        walk.attempt(Operation::ToolsList).await.unwrap().status(),
        200
    );

    server.expire_access();
    assert_eq!(
        walk.attempt(Operation::ToolsList).await.unwrap().status(),
        401
    );
    walk.step(Operation::Refresh).await.unwrap();
    assert_eq!(
        walk.attempt(Operation::ToolsList).await.unwrap().status(),
        200
    );

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(5)).await;
    tokio::time::resume();
    assert_eq!(
        walk.attempt(Operation::ToolsList).await.unwrap().status(),
        401
    );

    server.forget_grants();
    assert_eq!(
        walk.attempt(Operation::Refresh).await.unwrap().status(),
        400
    );
}

#[tokio::test]
async fn a_client_registered_by_hand_shows_its_secret() {
    let builder = Faulty::builder().client("by-hand", Some("canary-by-hand"), super::REDIRECT_URI);
    let server = builder.start().await;
    let mut walk = Walk::new(&server);
    walk.step(Operation::Discovery).await.unwrap();
    for (secret, expected) in [
        (None, 401),
        (Some("canary-wrong"), 401),
        (Some("canary-by-hand"), 200),
    ] {
        walk.client = json!({"client_id": "by-hand", "client_secret": secret});
        let answer = walk.step(Operation::CodeExchange).await.unwrap();
        assert_eq!(answer.status(), expected, "{secret:?}");
    }
    assert!(server.secrets().contains("canary-by-hand"));
}

#[tokio::test]
async fn a_refresh_token_that_was_given_back_is_good_no_more() {
    let server = Faulty::start().await;
    let mut walk = Walk::new(&server);
    walk.until(Operation::Refresh).await;
    walk.revoke().await;
    assert_eq!(server.revoked(), 1);
    assert_eq!(
        walk.attempt(Operation::Refresh).await.unwrap().status(),
        400
    );
    assert_eq!(
        walk.attempt(Operation::Initialize).await.unwrap().status(),
        401
    );
}
