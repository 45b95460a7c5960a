//! Behaviour of the relay's routes.

mod settings;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY};
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::config::Environment;

const TEMPLATE: &str = "https://{name}.{namespace}.engines.example.com";

fn config(base: &str, template: &str) -> Result<RelayConfig, String> {
    let variables = [
        ("OAUTH_REDIRECT_BASE_URL", base),
        ("ENGINE_URL_TEMPLATE", template),
    ];
    RelayConfig::read(&Environment::of(&variables)).map_err(|error| error.to_string())
}

async fn ask(template: &str, method: &str, target: &str) -> Response<String> {
    let config = config("https://relay.example.com/x", template).unwrap();
    let request = Request::builder().method(method).uri(target);
    let response = router(Arc::new(config), Metrics::new())
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
}

async fn callback(query: &str) -> Response<String> {
    ask(TEMPLATE, "GET", &format!("/assets/oauth/callback?{query}")).await
}

fn location(response: &Response<String>) -> &str {
    response.headers()[LOCATION].to_str().unwrap()
}

#[tokio::test]
async fn a_browser_is_sent_to_its_engine_with_the_query_as_it_came() {
    let longest = format!("state=a.b.{}", "n".repeat(128));
    for query in [
        "state=acme.alice.Nonce_-1",
        "code=a%2Fb+c&state=acme.alice.n&iss=https%3A%2F%2Fidp.example.com%2f",
        "error=access_denied&error_description=no%20way&state=acme.alice.n",
        "%73tate=acme.alice.n&code=1",
        "state=acme%2Ealice%2En",
        "&&code==&state=acme.alice.n&x={a:[1]}|^~?/&&",
        "state=1.0-0.n",
        "state=xn--bcher-kva.a.n",
        longest.as_str(),
    ] {
        let answer = callback(query).await;
        assert_eq!(answer.status(), 303, "{query}");
        let (before, after) = location(&answer).split_once('?').unwrap();
        assert_eq!(after, query);
        assert!(
            before.ends_with(".engines.example.com/assets/oauth/callback"),
            "{before}"
        );
        assert_eq!(answer.headers()[REFERRER_POLICY], "no-referrer");
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(answer.body(), "");
    }
    let answer = callback("state=acme.alice.n").await;
    assert_eq!(
        location(&answer),
        "https://alice.acme.engines.example.com/assets/oauth/callback?state=acme.alice.n"
    );
    let head = ask(
        TEMPLATE,
        "HEAD",
        "/assets/oauth/callback?state=acme.alice.n",
    )
    .await;
    assert_eq!(
        (head.status().as_u16(), location(&head)),
        (303, location(&answer))
    );
}

#[tokio::test]
async fn a_query_that_names_no_engine_gets_a_page_that_repeats_nothing_of_it() {
    let label = "a".repeat(64);
    let queries = [
        "canary=canary",
        "",
        "state=",
        "state=canary",
        "state=canary.n",
        "state=a.canary",
        "state=.canary.n",
        "state=a..canary",
        "state=a.b.",
        "state=a.b.canary.d",
        "state=a.b.canary%0d%0aLocation:x",
        "state=a%00.canary.n",
        "state=Acme.canary.n",
        "state=-a.canary.n",
        "state=a.canary-.n",
        "state=a_b.canary.n",
        "state=../canary.b.n",
        "state=a.b%2f..%2fcanary.n",
        "state=a.evil%2ecom%2fcanary.n",
        "state=a%252eb.canary.n",
        "state=a.b.canary%25",
        "state=a.b.canary=",
        "state=a.b.canary%20",
        "state=a.b.c%C3%A9canary",
        "state=acme.alice.n&state=acme.canary.n",
        "state=acme.alice.n&%73tate=acme.alice.canary",
        "State=acme.canary.n",
        "state[]=acme.canary.n",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([
        format!("state={label}.canary.n"),
        format!("state=canary.{label}.n"),
        format!("state=a.canary.{}", "n".repeat(129)),
        format!("state=acme.alice.n&canary={}", "x".repeat(8192)),
    ]);
    for query in queries {
        let answer = callback(&query).await;
        assert_eq!(answer.status(), 400, "{query}");
        assert!(!answer.headers().contains_key(LOCATION), "{query}");
        assert!(answer.headers().contains_key(CONTENT_SECURITY_POLICY));
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(answer.headers()[REFERRER_POLICY], "no-referrer");
        assert!(answer.body().contains("Go back to the application"));
        assert!(!answer.body().contains("canary"), "{query}");
    }
}

#[tokio::test]
async fn a_name_of_digits_never_makes_an_address_of_a_host() {
    let template = "https://{name}.{namespace}";
    for (state, status) in [("1.127.n", 400), ("0x1.a.n", 400), ("b.a.n", 303)] {
        let target = format!("/assets/oauth/callback?state={state}");
        assert_eq!(
            ask(template, "GET", &target).await.status(),
            status,
            "{state}"
        );
    }
}

#[tokio::test]
async fn names_may_stand_in_the_path() {
    let target = "/assets/oauth/callback?state=acme.alice.n";
    for (template, expected) in [
        (
            "https://x.example.com/{namespace}/{name}/",
            "https://x.example.com/acme/alice",
        ),
        (
            "https://x.example.com/{namespace}_{name}/e",
            "https://x.example.com/acme_alice/e",
        ),
        (
            "https://{namespace}.example.com:8443/u/{name}",
            "https://acme.example.com:8443/u/alice",
        ),
        (
            "http://localhost:8080/{namespace}/{name}",
            "http://localhost:8080/acme/alice",
        ),
        (
            "http://127.0.0.1/{name}/{namespace}/{name}",
            "http://127.0.0.1/alice/acme/alice",
        ),
    ] {
        let answer = ask(template, "GET", target).await;
        let expected = format!("{expected}/assets/oauth/callback?state=acme.alice.n");
        assert_eq!(location(&answer), expected);
    }
}

#[tokio::test]
async fn the_client_metadata_document_is_served_and_may_be_kept() {
    let answer = ask(TEMPLATE, "GET", "/x/assets/oauth/client-metadata.json").await;
    assert_eq!(answer.status(), 404, "a proxy strips the base's path");
    let answer = ask(TEMPLATE, "GET", "/assets/oauth/client-metadata.json").await;
    assert_eq!(answer.headers()[CACHE_CONTROL], "public, max-age=3600");
    let document: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
    insta::assert_json_snapshot!(document);
}

#[tokio::test]
async fn everything_else_is_not_there() {
    for (method, target, status) in [
        ("POST", "/assets/oauth/callback?state=acme.alice.n", 405),
        ("GET", "/assets/oauth/callback/?state=acme.alice.n", 404),
        ("GET", "/", 404),
        ("GET", "/livez", 404),
        ("GET", "/metrics", 404),
    ] {
        assert_eq!(
            ask(TEMPLATE, method, target).await.status(),
            status,
            "{target}"
        );
    }
}
