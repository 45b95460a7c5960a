//! Answers of both listeners.

use insta::assert_snapshot;
use userengine_engine::state::Phase;

use crate::support::in_process::{TestEngine, send, shown};
use crate::support::sql;

const KEY: (&str, &str) = ("x-engine-key", "current");

#[tokio::test]
async fn health_needs_no_key_and_names_each_part() {
    let engine = TestEngine::start().await;
    engine
        .clock
        .advance(std::time::Duration::from_millis(12_500));
    assert_snapshot!(shown(&send(engine.api(), "GET", "/health", &[]).await));
}

#[tokio::test]
async fn health_is_bad_when_the_brain_does_not_answer() {
    let engine = TestEngine::start().await;
    sql::run_async(&engine.volume.brain(), "DROP TABLE key_state").await;
    assert_snapshot!(shown(&send(engine.api(), "GET", "/health", &[]).await));
    assert_snapshot!(shown(&send(engine.internal(), "GET", "/readyz", &[]).await));
}

#[tokio::test]
async fn health_is_bad_when_the_canary_does_not_open() {
    let engine = TestEngine::start().await;
    sql::run_async(
        &engine.volume.brain(),
        "UPDATE key_canary SET sealed = 'gAAAAA=='",
    )
    .await;
    assert_snapshot!(shown(&send(engine.api(), "GET", "/health", &[]).await));
    assert_snapshot!(shown(&send(engine.internal(), "GET", "/readyz", &[]).await));
}

#[tokio::test]
async fn every_other_path_asks_for_the_key_first() {
    let engine = TestEngine::start().await;
    for path in [
        "/openapi.json",
        "/nothing",
        "/",
        "/health/",
        "/keys",
        "/metrics",
    ] {
        for headers in [
            &[][..],
            &[("x-engine-key", "wrong")],
            &[("x-engine-key", "")],
            &[KEY, KEY],
        ] {
            let answer = send(engine.api(), "GET", path, headers).await;
            assert_eq!(answer.status(), 401, "{path} {headers:?}");
        }
    }
    assert_snapshot!(shown(&send(engine.api(), "GET", "/nothing", &[]).await));
}

#[tokio::test]
async fn errors_have_one_form() {
    let engine = TestEngine::start().await;
    assert_snapshot!(
        "unknown path",
        shown(&send(engine.api(), "GET", "/nothing", &[KEY]).await)
    );
    assert_snapshot!(
        "method of an open path",
        shown(&send(engine.api(), "POST", "/health", &[]).await)
    );
    assert_snapshot!(
        "method of a guarded path",
        shown(&send(engine.api(), "POST", "/openapi.json", &[KEY]).await)
    );
    let large = ("content-length", "1048577");
    assert_snapshot!(
        "too large",
        shown(&send(engine.api(), "POST", "/nothing", &[KEY, large]).await)
    );
    assert_snapshot!(
        "internal",
        shown(&send(engine.internal(), "POST", "/keys", &[]).await)
    );
}

#[tokio::test]
async fn a_key_in_its_overlap_works_and_is_told_so() {
    let engine = TestEngine::start().await;
    let current = send(engine.api(), "GET", "/openapi.json", &[KEY]).await;
    let old = send(
        engine.api(),
        "GET",
        "/openapi.json",
        &[("x-engine-key", "old")],
    )
    .await;
    assert_eq!(
        (current.status().as_u16(), old.status().as_u16()),
        (200, 200)
    );
    assert_eq!(current.headers().get("x-engine-key-status"), None);
    assert_eq!(
        old.headers().get("x-engine-key-status").unwrap(),
        "retiring"
    );
}

#[tokio::test]
async fn an_unsafe_request_id_is_replaced() {
    let engine = TestEngine::start().await;
    let request = axum::http::Request::get("/health").header("x-request-id", "a\" injected=\"1");
    let request = request.body(axum::body::Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(engine.api(), request)
        .await
        .unwrap();
    let id = response
        .headers()
        .get("x-request-id")
        .unwrap()
        .to_str()
        .unwrap();
    assert!(
        id.len() == 16 && id.bytes().all(|c| c.is_ascii_hexdigit()),
        "{id}"
    );
}

#[tokio::test]
async fn probes_follow_the_life_of_the_engine() {
    let engine = TestEngine::start().await;
    let probe = async |path| send(engine.internal(), "GET", path, &[]).await;
    assert_snapshot!("ready", shown(&probe("/readyz").await));
    engine.enter(Phase::Starting);
    assert_snapshot!("starting", shown(&probe("/readyz").await));
    assert_eq!(probe("/keys").await.status(), 503);
    assert_eq!(
        (
            probe("/livez").await.status().as_u16(),
            probe("/metrics").await.status().as_u16()
        ),
        (200, 200)
    );
    engine.enter(Phase::Draining(engine.app.clone()));
    assert_snapshot!("draining", shown(&probe("/readyz").await));
    assert_eq!(
        (
            probe("/livez").await.status().as_u16(),
            probe("/keys").await.status().as_u16()
        ),
        (200, 200)
    );
}

#[tokio::test]
async fn keys_are_told_by_id_and_count() {
    let engine = TestEngine::start().await;
    assert_snapshot!(shown(&send(engine.internal(), "GET", "/keys", &[]).await));
}

#[tokio::test]
async fn metrics_keep_callers_words_out_of_their_labels() {
    let engine = TestEngine::start().await;
    send(engine.api(), "BREW", "/invented-path?q=invented-query", &[]).await;
    send(engine.api(), "GET", "/health", &[]).await;
    let text = send(engine.internal(), "GET", "/metrics", &[])
        .await
        .into_body();
    assert!(
        text.contains(r#"engine_http_requests_total{method="other",route="none",status="4xx"} 1"#),
        "{text}"
    );
    assert!(
        text.contains(r#"engine_http_requests_total{method="GET",route="/health",status="2xx"} 1"#),
        "{text}"
    );
    assert!(
        !text.contains("invented") && !text.contains("BREW"),
        "{text}"
    );
}
