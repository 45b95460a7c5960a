//! Connect with a static credential or none, list, look, disconnect.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::json;

use super::world::World;
use crate::support::in_process::shown;
use crate::support::provider::STATIC_CREDENTIAL;

#[tokio::test]
async fn a_static_credential_is_connected_once_the_server_accepted_it() {
    let world = World::start().await;
    let body =
        json!({ "server_name": "static", "server_config": { "credential": STATIC_CREDENTIAL } });
    let answer = world.request("POST", "/assets/connect", Some(body)).await;
    assert_snapshot!(world.steady(&shown(&answer)));
    let list = world.request("GET", "/assets/connections", None).await;
    assert_snapshot!(world.steady(&shown(&list)));
    let ref_id = world.get("/assets/connections").await[0]["ref_id"].clone();
    let path = format!("/assets/connections/{}", ref_id.as_str().unwrap());
    let one = world.request("GET", &path, None).await;
    assert_snapshot!(world.steady(&shown(&one)));
    let gone = world.request("DELETE", &path, None).await;
    assert_snapshot!(shown(&gone));
    assert_eq!(world.get("/assets/connections").await, json!([]));
    assert_eq!(world.request("DELETE", &path, None).await.status(), 404);
}

#[tokio::test]
async fn a_credential_goes_into_the_header_that_the_catalog_names() {
    let world = World::start().await;
    let body =
        json!({ "server_name": "keyed", "server_config": { "credential": STATIC_CREDENTIAL } });
    assert_eq!(world.connect(body).await.0, 200);
}

#[tokio::test]
async fn a_server_without_authentication_is_connected_at_once() {
    let world = World::start().await;
    for body in [
        json!({ "server_name": "none" }),
        json!({ "server_name": "none", "alias": "two", "server_config": null }),
        json!({ "server_name": "none", "alias": "three", "server_config": {}, "return_url": null }),
    ] {
        let (status, answer) = world.connect(body).await;
        assert_eq!(
            (status, &answer["status"]),
            (200, &json!("connected")),
            "{answer}"
        );
        world.engine.clock.advance(Duration::from_secs(1));
    }
    let list = world.get("/assets/connections").await;
    let aliases: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|connection| connection["alias"].as_str().unwrap())
        .collect();
    assert_eq!(aliases, ["none", "two", "three"]);
}

#[tokio::test]
async fn a_credential_that_the_server_refuses_leaves_nothing_behind() {
    let world = World::start().await;
    let body =
        json!({ "server_name": "static", "server_config": { "credential": "telltale-wrong" } });
    let answer = world.request("POST", "/assets/connect", Some(body)).await;
    assert_snapshot!(shown(&answer));
    assert_eq!(world.get("/assets/connections").await, json!([]));
}

#[tokio::test]
async fn a_server_that_is_away_leaves_nothing_behind() {
    let world = World::start().await;
    let body = json!({ "server_name": "gone", "server_config": { "credential": "telltale" } });
    let (status, answer) = world.connect(body).await;
    assert_eq!(status, 502, "{answer}");
    assert_eq!(answer["error"], "MCP_CONNECTION_FAILED");
    assert_eq!(answer["details"]["reason"], "unreachable");
    assert_eq!(world.get("/assets/connections").await, json!([]));
}

#[tokio::test]
async fn what_works_is_connected_again_only_on_purpose() {
    let world = World::start().await;
    let body =
        json!({ "server_name": "static", "server_config": { "credential": STATIC_CREDENTIAL } });
    let (_, first) = world.connect(body.clone()).await;
    let again = world
        .request("POST", "/assets/connect", Some(body.clone()))
        .await;
    assert_snapshot!(world.steady(&shown(&again)));
    let mut on_purpose = body;
    on_purpose["reconnect"] = json!(true);
    let (status, second) = world.connect(on_purpose).await;
    assert_eq!((status, &second["ref_id"]), (200, &first["ref_id"]));
}

#[tokio::test]
async fn two_connects_at_once_make_one_connection() {
    let world = World::start().await;
    let connect = || world.connect(json!({ "server_name": "none" }));
    let (one, two, three) = tokio::join!(connect(), connect(), connect());
    let mut statuses = [one.0, two.0, three.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409]);
    assert_eq!(
        world
            .get("/assets/connections")
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_static_credential_that_the_server_takes_back_is_revoked_and_comes_back_under_its_id() {
    let world = World::start().await;
    let body =
        json!({ "server_name": "static", "server_config": { "credential": STATIC_CREDENTIAL } });
    let (_, first) = world.connect(body).await;
    let ref_id = first["ref_id"].as_str().unwrap();
    let connection = world.handle(ref_id);
    let directory = &world.engine.app.assets;
    // One 401 may be the server's mistake.
    directory.renew(&connection, 1).await.unwrap();
    assert_eq!(world.status(ref_id).await, "connected");
    world
        .provider
        .set(|behaviour| behaviour.static_credential = "telltale-new".to_owned());
    let error = directory.renew(&connection, 1).await.unwrap_err();
    assert!(error.to_string().contains("connect it again"), "{error}");
    assert_eq!(world.status(ref_id).await, "revoked");
    assert!(directory.ready(&connection).await.is_err());
    let body =
        json!({ "server_name": "static", "server_config": { "credential": "telltale-new" } });
    let (status, second) = world.connect(body).await;
    assert_eq!((status, second["ref_id"].as_str()), (200, Some(ref_id)));
    assert_eq!(world.status(ref_id).await, "connected");
    directory.ready(&connection).await.unwrap();
}

#[tokio::test]
async fn connections_survive_a_server_that_leaves_the_catalog() {
    let world = World::start().await;
    world.connect(json!({ "server_name": "none" })).await;
    world.provider.write_catalog(&world.catalog, &[]);
    let (status, _) = world.post("/admin/reload-catalog", json!({})).await;
    assert_eq!(status, 200);
    let list = world.get("/assets/connections").await;
    assert_eq!(list[0]["status"], "connected");
    assert_eq!(
        list[0]["unavailable_reason"],
        "the catalog no longer has it"
    );
}
