//! Scope drift: a call that needs more scope leads to a URL that asks for the union.

use std::time::Duration;

use serde_json::json;
use userengine_engine::assets::AssetError;
use userengine_engine::domain::Scopes;
use userengine_engine::oauth::Challenge;

use super::world::World;
use crate::support::provider::browser::asked;

fn challenge(scope: &str) -> Challenge {
    Challenge {
        scope: Some(Scopes::parse(scope)),
        error: Some("insufficient_scope".to_owned()),
        ..Challenge::default()
    }
}

impl World {
    /// What a call is told that the server refused for want of these scopes: what is missing, and the URL.
    async fn refused_for(&self, ref_id: &str, scope: &str) -> (String, Option<String>) {
        let connection = self.handle(ref_id);
        match self
            .engine
            .app
            .assets
            .scope_missing(&connection, &challenge(scope))
            .await
        {
            AssetError::ScopeMissing {
                missing, auth_url, ..
            } => (missing.to_string(), auth_url.map(|url| url.to_string())),
            error => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn the_url_asks_for_what_was_granted_and_what_is_missing() {
    let world = World::start().await;
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    let (missing, url) = world
        .refused_for(&ref_id, "calendar.write calendar.read")
        .await;
    let url = url.unwrap();
    assert_eq!(missing, "calendar.write");
    assert_eq!(asked(&url)["scope"], "calendar.read calendar.write");
    let connection = world.connection(&ref_id).await;
    assert_eq!(
        connection["status"], "connected",
        "what was granted goes on working"
    );
    assert_eq!(connection["missing_scopes"], json!(["calendar.write"]));

    assert_eq!(
        world.callback(&world.provider.consent(&url)).await.status(),
        200
    );
    let connection = world.connection(&ref_id).await;
    assert_eq!(
        connection["scopes"],
        json!(["calendar.read", "calendar.write"])
    );
    assert_eq!(connection["missing_scopes"], json!([]));
}

#[tokio::test]
async fn many_calls_get_one_url_until_it_is_used_or_too_old() {
    let world = World::start().await;
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    let calls = (0..20).map(|_| world.refused_for(&ref_id, "calendar.write"));
    let urls = futures::future::join_all(calls).await;
    assert!(urls.iter().all(|answer| answer == &urls[0]), "{urls:?}");
    world.engine.clock.advance(Duration::from_secs(541));
    let (_, later) = world.refused_for(&ref_id, "calendar.write").await;
    assert_ne!(later, urls[0].1);
    let (_, more) = world.refused_for(&ref_id, "calendar.delete").await;
    assert_eq!(
        asked(&more.unwrap())["scope"],
        "calendar.delete calendar.read calendar.write"
    );
}

#[tokio::test]
async fn a_server_that_is_never_content_does_not_get_endless_authorizations() {
    let world = World::start().await;
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    world.provider.set(|behaviour| {
        behaviour.grants_at_most = Some(["calendar.read".to_owned()].into());
    });
    let mut urls = 0;
    for _ in 0..10 {
        if let (_, Some(url)) = world.refused_for(&ref_id, "calendar.write").await {
            urls += 1;
            assert_eq!(
                world.callback(&world.provider.consent(&url)).await.status(),
                200
            );
        }
    }
    assert_eq!(urls, 3);
    world.engine.clock.advance(Duration::from_hours(1));
    assert!(
        world
            .refused_for(&ref_id, "calendar.write")
            .await
            .1
            .is_some()
    );
}

#[tokio::test]
async fn scopes_that_were_granted_are_not_asked_for_again() {
    let world = World::start().await;
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    assert_eq!(
        world.refused_for(&ref_id, "calendar.read").await,
        ("calendar.read".to_owned(), None)
    );
}

#[tokio::test]
async fn a_connect_with_more_scopes_steps_up_and_with_fewer_is_refused() {
    let world = World::start().await;
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    let connect = |scopes: &[&str]| {
        world.connect(json!({ "server_name": "oauth", "server_config": { "scopes": scopes } }))
    };
    assert_eq!(connect(&["calendar.read"]).await.0, 409);
    let (status, answer) = connect(&["calendar.write"]).await;
    assert_eq!(
        (status, answer["ref_id"].as_str()),
        (200, Some(ref_id.as_str()))
    );
    let url = answer["auth_url"].as_str().unwrap();
    assert_eq!(asked(url)["scope"], "calendar.read calendar.write");
    assert_eq!(world.status(&ref_id).await, "connected");
}
