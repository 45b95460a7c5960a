//! The callback is open to everybody.

use axum::body::Body;
use axum::http::Request;
use proptest::prelude::*;
use std::time::Duration;

use super::{answer, query, runtime};
use crate::support::arbitrary::cases;
use crate::support::in_process::TestEngine;

const QUERIES: [&str; 5] = [
    "code=canary-code&state=0123456789abcdef0123456789abcdef0123456789a",
    "state=acme.alice.0123456789abcdef&code=canary-code&iss=https%3A%2F%2Fi.example",
    "error=access_denied&error_description=canary-words&state=x",
    "state=a&state=b&code=canary-code",
    "code=%3Cscript%3Ealert%281%29%3C%2Fscript%3E&state=%3Cscript%3E",
];

#[test]
fn whoever_comes_to_the_callback_gets_a_page_that_repeats_nothing() {
    let runtime = runtime();
    let engine = runtime.block_on(TestEngine::start());
    let mut runner = proptest::test_runner::TestRunner::new(cases(1000));
    let outcome = runner.run(&query(&QUERIES), |query| {
        // Nobody is kept waiting: how often one may come is another test.
        engine.clock.advance(Duration::from_mins(1));
        let Ok(request) =
            Request::get(format!("/assets/oauth/callback?{query}")).body(Body::empty())
        else {
            return Ok(());
        };
        let response = answer(&runtime, engine.api(), request);
        prop_assert_eq!(response.status().as_u16(), 400, "{}", query);
        prop_assert!(
            !response.body().contains("canary") && !response.body().contains("<script"),
            "{}",
            query
        );
        prop_assert_eq!(
            response
                .headers()
                .get("cache-control")
                .map(|value| value.to_str().unwrap()),
            Some("no-store")
        );
        Ok(())
    });
    outcome.unwrap();
}
