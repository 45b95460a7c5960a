//! Calls of tools through connections, as far as their credentials matter.

use serde_json::{Value, json};

use super::world::World;
use crate::support::provider::browser::asked;

impl World {
    async fn call(&self, tool: &str) -> (u16, Value) {
        self.post("/tools/call", json!({ "name": tool, "arguments": {} }))
            .await
    }
}

#[tokio::test]
async fn fifty_calls_that_all_get_a_401_make_one_refresh_and_all_succeed() {
    let world = World::start_with(&[("CALLS_PER_CONNECTION", "64")]).await;
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    assert_eq!(world.call("oauth.read").await.0, 200);
    for round in 1..=4 {
        world.provider.end_access_tokens();
        let answers = futures::future::join_all((0..50).map(|_| world.call("oauth.read"))).await;
        for (status, answer) in answers {
            assert_eq!(status, 200, "{answer}");
        }
        assert_eq!(world.provider.state().refreshes, round);
    }
    assert_eq!(world.status(&ref_id).await, "connected");
}

#[tokio::test]
async fn each_state_has_its_error_and_its_way_back() {
    let world = World::start().await;
    let (status, answer) = world.call("oauth.read").await;
    assert_eq!(
        (status, &answer["error"]),
        (502, &json!("MCP_CONNECTION_FAILED"))
    );
    assert_eq!(answer["details"]["reason"], "not_connected");

    let (ref_id, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    let (status, answer) = world.call("oauth.read").await;
    assert_eq!(
        (status, &answer["details"]["reason"]),
        (502, &json!("not_connected"))
    );
    world.callback(&world.provider.consent(&auth_url)).await;
    assert_eq!(world.call("oauth.read").await.0, 200);

    world.provider.end_grant();
    let (status, answer) = world.call("oauth.read").await;
    assert_eq!(
        (status, &answer["error"]),
        (401, &json!("MCP_TOKEN_EXPIRED")),
        "{answer}"
    );
    assert_eq!(
        answer["details"],
        json!({ "alias": "oauth", "ref_id": ref_id })
    );
    assert_eq!(world.status(&ref_id).await, "expired");
    assert_eq!(
        world.authorize(json!({ "server_name": "oauth" })).await,
        ref_id
    );
    assert_eq!(world.call("oauth.read").await.0, 200);

    world
        .request("DELETE", &format!("/assets/connections/{ref_id}"), None)
        .await;
    let (status, answer) = world.call("oauth.read").await;
    assert_eq!(
        (status, &answer["error"]),
        (502, &json!("MCP_CONNECTION_FAILED"))
    );
    assert_eq!(answer["details"]["reason"], "not_connected");
    assert_eq!(world.call("never.read").await.0, 404);
}

#[tokio::test]
async fn a_call_that_lacks_scope_leads_to_a_url_and_succeeds_after_the_person_was_there() {
    let world = World::start().await;
    world
        .provider
        .set(|behaviour| behaviour.needs = Some("calendar.write".to_owned()));
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    let (status, answer) = world.call("oauth.write").await;
    assert_eq!(
        (status, &answer["error"]),
        (403, &json!("MCP_SCOPE_MISSING")),
        "{answer}"
    );
    assert_eq!(
        answer["details"]["missing_scopes"],
        json!(["calendar.write"])
    );
    let auth_url = answer["details"]["auth_url"].as_str().unwrap();
    assert_eq!(asked(auth_url)["scope"], "calendar.read calendar.write");
    assert_eq!(
        world.call("oauth.read").await.0,
        200,
        "the rest goes on working"
    );
    world.callback(&world.provider.consent(auth_url)).await;
    assert_eq!(world.call("oauth.write").await.0, 200);
    assert_eq!(world.connection(&ref_id).await["missing_scopes"], json!([]));
}

#[tokio::test]
async fn a_provider_in_trouble_is_no_reason_to_connect_again() {
    let world = World::start().await;
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    world.provider.end_access_tokens();
    world
        .provider
        .set(|behaviour| behaviour.token_status = Some(503));
    let (status, answer) = world.call("oauth.read").await;
    assert_eq!(
        (status, &answer["error"]),
        (502, &json!("MCP_CONNECTION_FAILED")),
        "{answer}"
    );
    assert_eq!(answer["details"]["reason"], "unreachable");
    assert!(
        answer["details"]["retry_after"].as_f64().is_some(),
        "{answer}"
    );
    assert_eq!(world.status(&ref_id).await, "connected");
    world
        .provider
        .set(|behaviour| behaviour.token_status = None);
    world
        .engine
        .clock
        .advance(std::time::Duration::from_secs(2));
    assert_eq!(world.call("oauth.read").await.0, 200);
}
