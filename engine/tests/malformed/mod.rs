//! Requests that nobody meant: every one is answered, none with a fault of ours, and nothing of it comes back as markup.

mod bodies;
mod callback;
mod relay;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use proptest::prelude::*;
use tower::ServiceExt;

use crate::support::arbitrary::near;

/// Runs a request to its end.
fn answer(
    runtime: &tokio::runtime::Runtime,
    router: Router,
    request: Request<Body>,
) -> Response<String> {
    runtime.block_on(async {
        let (head, body) = router.oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A query whose values are percent-encoded or raw, near good ones.
fn query(seeds: &'static [&'static str]) -> impl Strategy<Value = String> {
    near(seeds).prop_map(|bytes| {
        // What a URL cannot hold is encoded, as a browser does it; `%`, `&` and `=` stay as they are.
        bytes
            .into_iter()
            .fold(String::new(), |query, byte| match byte {
                b'!'..=b'~' if !b"\"#<>\\^`{|}".contains(&byte) => {
                    query + &char::from(byte).to_string()
                }
                byte => format!("{query}%{byte:02X}"),
            })
    })
}
