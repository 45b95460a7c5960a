//! The relay sends a browser to an engine of its own with the query untouched, or nowhere.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use proptest::prelude::*;
use url::Url;
use userengine_engine::config::{Environment, RelayConfig};
use userengine_engine::metrics::Metrics;
use userengine_engine::relay::router;

use super::{answer, query, runtime};
use crate::support::arbitrary::cases;

const QUERIES: [&str; 6] = [
    "code=c&state=acme.alice.nonce",
    "state=a.b.c&error=access_denied&error_description=no+thanks",
    "state=acme.alice.nonce&iss=https%3A%2F%2Fi.example",
    "state=1.2.3",
    "state=acme.alice.nonce&state=acme.bob.nonce",
    "state=acme.evil.example%2F.nonce",
];

#[test]
fn a_browser_is_sent_to_an_engine_or_nowhere() {
    let variables = [
        ("OAUTH_REDIRECT_BASE_URL", "https://relay.example.com"),
        (
            "ENGINE_URL_TEMPLATE",
            "https://{name}.{namespace}.engines.example.com",
        ),
    ];
    let config = Arc::new(RelayConfig::read(&Environment::of(&variables)).unwrap());
    let (router, runtime) = (router(config, Metrics::new()), runtime());
    let mut runner = proptest::test_runner::TestRunner::new(cases(3000));
    let outcome = runner.run(&query(&QUERIES), |query| {
        let Ok(request) =
            Request::get(format!("/assets/oauth/callback?{query}")).body(Body::empty())
        else {
            return Ok(());
        };
        let response = answer(&runtime, router.clone(), request);
        match response.status().as_u16() {
            303 => {
                let location = response.headers()["location"].to_str().unwrap();
                let (base, kept) = location.split_once('?').unwrap();
                prop_assert_eq!(kept, query.as_str());
                let url = Url::parse(base).unwrap();
                let labels = url
                    .host_str()
                    .unwrap()
                    .strip_suffix(".engines.example.com")
                    .unwrap()
                    .split('.')
                    .count();
                prop_assert_eq!(
                    (labels, url.scheme(), url.path()),
                    (2, "https", "/assets/oauth/callback")
                );
                prop_assert!(url.port().is_none() && url.username().is_empty());
            }
            status => prop_assert_eq!(status, 400, "{}", query),
        }
        Ok(())
    });
    outcome.unwrap();
}
