//! Connect by OAuth: where the person is sent, and as whom.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::json;
use url::form_urlencoded;

use super::world::{CALLBACK, World, shown_page};
use crate::support::in_process::shown;
use crate::support::provider::browser::asked;

/// An `auth_url` without what is different at each run.
fn steady_url(world: &World, auth_url: &str) -> String {
    let base =
        form_urlencoded::byte_serialize(world.provider.base().as_bytes()).collect::<String>();
    let mut text = world.steady(auth_url).replace(&base, "provider");
    for name in ["state", "code_challenge"] {
        text = text.replace(&asked(auth_url)[name], name);
    }
    text
}

#[tokio::test]
async fn the_whole_life_of_an_oauth_connection() {
    let world = World::start().await;
    let body = json!({ "server_name": "oauth" });
    let answer = world.request("POST", "/assets/connect", Some(body)).await;
    assert_eq!(answer.status(), 200);
    let json: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
    let auth_url = json["auth_url"].as_str().unwrap();
    assert_snapshot!("auth_url", steady_url(&world, auth_url));
    let mut keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["auth_url", "ref_id", "status"]);
    assert_eq!(json["status"], "pending_oauth");
    let ref_id = json["ref_id"].as_str().unwrap();
    assert_eq!(world.status(ref_id).await, "pending_oauth");

    let page = world.callback(&world.provider.consent(auth_url)).await;
    assert_snapshot!("page", world.steady(&shown_page(&page)));
    let list = world.request("GET", "/assets/connections", None).await;
    assert_snapshot!("list", world.steady(&shown(&list)));
    let one = world
        .request("GET", &format!("/assets/connections/{ref_id}"), None)
        .await;
    assert_snapshot!("one", world.steady(&shown(&one)));

    let gone = world
        .request("DELETE", &format!("/assets/connections/{ref_id}"), None)
        .await;
    assert_eq!((gone.status().as_u16(), gone.body().as_str()), (204, ""));
    world.pass(Duration::ZERO).await;
    world
        .until("both tokens are revoked", async || {
            world.provider.state().revoked.len() == 2
        })
        .await;
}

#[tokio::test]
async fn the_state_names_the_engine_for_the_relay() {
    let world = World::start_with(&[("ENGINE_NAME", "acme.alice")]).await;
    let (_, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    let state = &asked(&auth_url)["state"];
    let nonce = state.strip_prefix("acme.alice.").unwrap();
    assert_eq!(nonce.len(), 43, "256 bits in base64url");
    let page = world.callback(&world.provider.consent(&auth_url)).await;
    assert_eq!(page.status(), 200);
}

#[tokio::test]
async fn a_client_is_registered_once_for_all_connections() {
    let world = World::start().await;
    world.authorize(json!({ "server_name": "oauth" })).await;
    world
        .authorize(json!({ "server_name": "oauth", "alias": "second" }))
        .await;
    assert_eq!(world.provider.state().registrations, 1);
}

#[tokio::test]
async fn a_registration_that_has_ended_is_made_again() {
    let world = World::start().await;
    let start = u64::try_from(world.engine.clock.now().as_second()).unwrap();
    world
        .provider
        .set(|behaviour| behaviour.client_secret_expires_at = Some(start + 60));
    world.begin(json!({ "server_name": "oauth" })).await;
    world.begin(json!({ "server_name": "oauth" })).await;
    assert_eq!(world.provider.state().registrations, 1);
    world.engine.clock.advance(Duration::from_secs(61));
    world
        .provider
        .set(|behaviour| behaviour.client_secret_expires_at = None);
    let (_, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    assert_eq!(world.provider.state().registrations, 2);
    assert_eq!(asked(&auth_url)["client_id"], "client-2");
}

#[tokio::test]
async fn a_client_that_the_provider_forgot_is_registered_again_at_the_next_connect() {
    let world = World::start().await;
    let (_, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    world
        .provider
        .set(|behaviour| behaviour.token_error = Some("invalid_client".to_owned()));
    let page = world.callback(&world.provider.consent(&auth_url)).await;
    assert_eq!(page.status(), 502);
    world.provider.set(|behaviour| behaviour.token_error = None);
    world.authorize(json!({ "server_name": "oauth" })).await;
    assert_eq!(world.provider.state().registrations, 2);
}

#[tokio::test]
async fn the_metadata_document_is_the_client_where_the_provider_takes_it() {
    let world = World::start().await;
    world
        .provider
        .set(|behaviour| behaviour.metadata_documents = true);
    let (_, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    assert_eq!(
        asked(&auth_url)["client_id"],
        "https://engines.example.com/base/assets/oauth/client-metadata.json"
    );
    assert_eq!(world.provider.state().registrations, 0);
    let page = world.callback(&world.provider.consent(&auth_url)).await;
    assert_eq!(page.status(), 200);
}

#[tokio::test]
async fn a_client_of_the_catalog_comes_before_all_others() {
    let world = World::start().await;
    let mut entries = world.provider.entries();
    entries[0]["oauth"] = json!({ "client_id": "by-hand", "scopes": ["calendar.write"] });
    world.provider.write_catalog(&world.catalog, &entries);
    world.post("/admin/reload-catalog", json!({})).await;
    let (_, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    assert_eq!(asked(&auth_url)["client_id"], "by-hand");
    assert_eq!(
        asked(&auth_url)["scope"],
        "calendar.read calendar.write",
        "what the catalog and the server ask for"
    );
    assert_eq!(world.provider.state().registrations, 0);
}

#[tokio::test]
async fn a_provider_that_registers_nobody_is_told_with_the_callback_url() {
    let world = World::start().await;
    world.provider.set(|behaviour| behaviour.registers = false);
    let (status, answer) = world.connect(json!({ "server_name": "oauth" })).await;
    assert_eq!(
        (status, &answer["error"]),
        (502, &json!("OAUTH_FAILED")),
        "{answer}"
    );
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.contains(CALLBACK) && message.contains("client_id"),
        "{message}"
    );
    assert_eq!(world.get("/assets/connections").await, json!([]));
}

#[tokio::test]
async fn a_provider_without_s256_is_refused() {
    let world = World::start().await;
    world.provider.set(|behaviour| behaviour.s256 = false);
    let (status, answer) = world.connect(json!({ "server_name": "oauth" })).await;
    assert_eq!(
        (status, &answer["error"]),
        (502, &json!("OAUTH_FAILED")),
        "{answer}"
    );
    assert!(
        answer["message"].as_str().unwrap().contains("S256"),
        "{answer}"
    );
}

#[tokio::test]
async fn scopes_can_be_asked_for() {
    let world = World::start().await;
    let body = json!({ "server_name": "oauth", "server_config": { "scopes": ["b", "a", "b"] } });
    let (_, auth_url) = world.begin(body).await;
    assert_eq!(asked(&auth_url)["scope"], "a b");
    let (_, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    assert_eq!(asked(&auth_url)["scope"], "calendar.read");
}

#[tokio::test]
async fn several_links_of_one_connection_work_and_the_oldest_beyond_twenty_does_not() {
    let world = World::start().await;
    let mut links = Vec::new();
    for _ in 0..21 {
        world.engine.clock.advance(Duration::from_millis(1));
        links.push(world.begin(json!({ "server_name": "oauth" })).await);
    }
    assert!(links.iter().all(|(ref_id, _)| *ref_id == links[0].0));
    let page = world.callback(&world.provider.consent(&links[0].1)).await;
    assert_eq!(page.status(), 400, "the oldest made room");
    let page = world.callback(&world.provider.consent(&links[1].1)).await;
    assert_eq!(page.status(), 200);
    assert_eq!(world.status(&links[0].0).await, "connected");
}
