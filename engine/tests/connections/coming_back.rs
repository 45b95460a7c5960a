//! The callback: once, in time, from the right provider, and whatever else a browser brings.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::json;

use super::world::{CALLBACK, World, shown_page};
use crate::support::in_process::send;
use crate::support::provider::browser::{asked, query};

#[tokio::test]
async fn a_second_use_changes_nothing() {
    let world = World::start().await;
    let (ref_id, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    let back = world.provider.consent(&auth_url);
    assert_eq!(world.callback(&back).await.status(), 200);
    let before = world.connection(&ref_id).await;
    let second = world.callback(&back).await;
    assert_snapshot!(shown_page(&second));
    assert_eq!(world.connection(&ref_id).await, before);
    assert_eq!(world.provider.state().exchanges, 1);
}

#[tokio::test]
async fn of_many_at_once_one_is_used() {
    let world = World::start().await;
    let (_, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    let back = world.provider.consent(&auth_url);
    let callbacks = (0..10).map(|_| world.callback(&back));
    let answers = futures::future::join_all(callbacks).await;
    let used = answers
        .iter()
        .filter(|answer| answer.status() == 200)
        .count();
    assert_eq!((used, world.provider.state().exchanges), (1, 1));
}

#[tokio::test]
async fn a_state_of_nobody_is_answered_by_a_page_that_says_so() {
    let world = World::start().await;
    let long = "a".repeat(10_000);
    for query in [
        "",
        "state=",
        "state=nothing&code=a",
        "code=a",
        "error=access_denied",
        "%ff%fe=%00&state=%00",
        &format!("state={long}&code={long}"),
    ] {
        let page = world.callback(query).await;
        assert_eq!(page.status(), 400, "{query}");
        assert!(
            page.body().contains("This link does not work"),
            "{}",
            page.body()
        );
    }
}

#[tokio::test]
async fn a_parameter_that_comes_twice_is_refused_and_uses_nothing_up() {
    let world = World::start().await;
    let (ref_id, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    let back = world.provider.consent(&auth_url);
    for twice in [
        "code=other",
        "state=other",
        "iss=https%3A%2F%2Fother.example",
    ] {
        assert_eq!(
            world.callback(&format!("{back}&{twice}")).await.status(),
            400
        );
    }
    assert_eq!(world.status(&ref_id).await, "pending_oauth");
    assert_eq!(
        world
            .callback(&format!("{back}&session_state=1&session_state=2"))
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn a_head_request_uses_nothing_up() {
    let world = World::start().await;
    let (_, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    let back = world.provider.consent(&auth_url);
    let path = format!("/assets/oauth/callback?{back}");
    assert_eq!(
        send(world.engine.api(), "HEAD", &path, &[]).await.status(),
        405
    );
    assert_eq!(world.callback(&back).await.status(), 200);
}

#[tokio::test]
async fn ten_minutes_are_the_limit() {
    let world = World::start().await;
    let (ref_id, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    world.engine.clock.advance(Duration::from_mins(10));
    let page = world.callback(&world.provider.consent(&auth_url)).await;
    assert_eq!(page.status(), 400);
    assert!(
        page.body().contains("longer than ten minutes"),
        "{}",
        page.body()
    );
    assert_eq!(world.provider.state().exchanges, 0);
    let error = world.connection(&ref_id).await["last_error"].clone();
    assert_eq!(
        error["message"],
        "the person came back from the provider too late"
    );
}

#[tokio::test]
async fn an_authorization_that_nobody_finishes_is_forgotten() {
    let world = World::start().await;
    let (ref_id, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    world.pass(Duration::from_secs(601)).await;
    let page = world.callback(&world.provider.consent(&auth_url)).await;
    assert!(
        page.body().contains("This link does not work"),
        "{}",
        page.body()
    );
    let connection = world.connection(&ref_id).await;
    assert_eq!(connection["status"], "pending_oauth");
    assert_eq!(
        connection["last_error"]["message"],
        "nobody finished the authorization in time"
    );
    world.authorize(json!({ "server_name": "oauth" })).await;
    assert_eq!(world.status(&ref_id).await, "connected");
}

#[tokio::test]
async fn a_refusal_is_a_page_for_the_person_and_a_state_for_the_api() {
    let world = World::start().await;
    let body = json!({ "server_name": "oauth", "return_url": "https://app.example.com/done?x=1" });
    let (ref_id, auth_url) = world.begin(body).await;
    let page = world.callback(&world.provider.deny(&auth_url)).await;
    assert_snapshot!(world.steady(&shown_page(&page)));
    assert!(page.body().contains(CALLBACK));
    let connection = world.connection(&ref_id).await;
    assert_eq!(connection["status"], "pending_oauth");
    assert_eq!(
        connection["last_error"]["message"],
        "the provider refused: access_denied: the person <b>said</b> no"
    );
    assert_eq!(
        world.authorize(json!({ "server_name": "oauth" })).await,
        ref_id
    );
    assert_eq!(world.connection(&ref_id).await["last_error"], json!(null));
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_not_used_and_not_quoted() {
    let world = World::start().await;
    let (ref_id, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    let state = asked(&auth_url)["state"].clone();
    let back = query(&[
        ("state", Some(&state)),
        ("error", Some("access_denied")),
        ("error_description", Some("go to evil.example")),
        ("iss", Some("https://evil.example")),
    ]);
    let page = world.callback(&back).await;
    assert_eq!(page.status(), 400);
    assert!(!page.body().contains("evil"), "{}", page.body());
    assert!(
        page.body().contains("did not come from the provider"),
        "{}",
        page.body()
    );
    let error = world.connection(&ref_id).await["last_error"]["message"].clone();
    assert!(!error.as_str().unwrap().contains("evil"), "{error}");
}

#[tokio::test]
async fn a_promised_issuer_may_not_be_missing() {
    let world = World::start().await;
    let (_, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    world.provider.set(|behaviour| behaviour.sends_iss = false);
    let page = world.callback(&world.provider.consent(&auth_url)).await;
    assert_eq!(
        (page.status().as_u16(), world.provider.state().exchanges),
        (400, 0)
    );
}

#[tokio::test]
async fn a_code_that_is_not_exchanged_is_told_with_the_callback_url() {
    let world = World::start().await;
    let (ref_id, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    world
        .provider
        .set(|behaviour| behaviour.token_error = Some("redirect_uri_mismatch".to_owned()));
    let page = world.callback(&world.provider.consent(&auth_url)).await;
    assert_snapshot!(world.steady(&shown_page(&page)));
    let connection = world.connection(&ref_id).await;
    assert!(
        connection["last_error"]["message"]
            .as_str()
            .unwrap()
            .contains("redirect_uri_mismatch")
    );
}

#[tokio::test]
async fn the_person_goes_where_the_caller_said() {
    let world = World::start().await;
    let body = json!({ "server_name": "oauth", "return_url": "http://localhost:3000/done?x=1" });
    let (ref_id, auth_url) = world.begin(body).await;
    let answer = world.callback(&world.provider.consent(&auth_url)).await;
    assert_eq!(answer.status(), 303);
    assert_eq!(
        answer.headers()["location"].to_str().unwrap(),
        format!("http://localhost:3000/done?x=1&ref_id={ref_id}&status=connected")
    );
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
}

#[tokio::test]
async fn a_connection_that_was_removed_meanwhile_stays_removed() {
    let world = World::start().await;
    let (ref_id, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    let back = world.provider.consent(&auth_url);
    world
        .provider
        .set(|behaviour| behaviour.token_delay = Duration::from_millis(200));
    let gone = async {
        world
            .until("the code is at the provider", async || {
                world.provider.state().exchanges == 1
            })
            .await;
        world
            .request("DELETE", &format!("/assets/connections/{ref_id}"), None)
            .await
    };
    let (page, gone) = tokio::join!(world.callback(&back), gone);
    assert_eq!(gone.status(), 204);
    assert_eq!(page.status(), 409, "{}", page.body());
    assert_eq!(world.get("/assets/connections").await, json!([]));
    world.pass(Duration::ZERO).await;
    world
        .until("the tokens are revoked", async || {
            world.provider.state().revoked.len() == 2
        })
        .await;
    assert_eq!(world.callback(&back).await.status(), 400);
}

#[tokio::test]
async fn a_browser_that_goes_away_does_not_stop_it() {
    let world = World::start().await;
    let (ref_id, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    world
        .provider
        .set(|behaviour| behaviour.token_delay = Duration::from_millis(200));
    let back = world.provider.consent(&auth_url);
    {
        let callback = world.callback(&back);
        tokio::pin!(callback);
        tokio::select! {
            _ = &mut callback => panic!("answered before the provider did"),
            () = world.until("the code is at the provider", async || world.provider.state().exchanges == 1) => {}
        }
    }
    world
        .until("it is connected", async || {
            world.status(&ref_id).await == "connected"
        })
        .await;
}

#[tokio::test]
async fn too_many_at_once_are_told_to_wait() {
    let world = World::start().await;
    for _ in 0..40 {
        assert_eq!(world.callback("state=nothing").await.status(), 400);
    }
    let page = world.callback("state=nothing").await;
    assert_eq!(
        (page.status().as_u16(), &page.headers()["retry-after"]),
        (429, &"1".parse().unwrap())
    );
    world.engine.clock.advance(Duration::from_secs(1));
    assert_eq!(world.callback("state=nothing").await.status(), 400);
}
