//! Names that point where they should not, or not always to the same place.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::support::{WAIT, config, get, ok, serve};
use crate::egress::{Egress, FetchError, Profile, Resolve, Resolving};

/// Says something else at each question, and at last nothing.
#[derive(Debug)]
struct Fickle(Mutex<VecDeque<Vec<SocketAddr>>>);

impl Fickle {
    fn saying(answers: &[&[&str]]) -> Arc<Self> {
        let parsed = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(parsed).collect())))
    }

    fn unasked(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Resolve for Fickle {
    fn resolve(&self, _: &str, _: u16) -> Resolving {
        let answer = self.0.lock().unwrap().pop_front().unwrap_or_default();
        Box::pin(async move { Ok(answer) })
    }
}

fn egress(allow: &str, resolver: &Arc<Fickle>) -> Egress {
    Egress::resolved_by(&config(&[("EGRESS_ALLOW", allow)]), resolver.clone()).unwrap()
}

/// What is checked is what is connected to: there is no second question whose answer could be another.
#[tokio::test]
async fn a_name_is_resolved_once_a_connection() {
    let server = serve(|it, _| it.always(|_| ok("private"))).await;
    let private = format!("127.0.0.1:{}", server.port);
    let resolver = Fickle::saying(&[&[&private], &[&private]]);
    let egress = egress("", &resolver);
    let request = || get("https://rebinding.example/");
    for left in [1, 0] {
        let error = egress
            .fetch(Profile::Catalog, request(), WAIT)
            .await
            .unwrap_err();
        assert!(matches!(error, FetchError::Forbidden { .. }), "{error}");
        assert_eq!(resolver.unasked(), left);
    }
    assert_eq!(server.count.connections(), 0);
}

#[tokio::test]
async fn of_a_names_addresses_only_the_open_ones_are_tried() {
    let server = serve(|it, _| it.always(|_| ok("hello"))).await;
    let open = format!("127.0.0.1:{}", server.port);
    // The listed name opens loopback, and never the metadata service.
    let resolver = Fickle::saying(&[&["169.254.169.254:80", &open]]);
    let request = get("http://mcp.internal/");
    let egress = egress("http://mcp.internal:80", &resolver);
    let answer = egress.fetch(Profile::Catalog, request, WAIT).await;
    assert_eq!(answer.unwrap().into_body(), "hello");
}

#[tokio::test]
async fn a_listed_name_that_comes_to_point_to_the_metadata_service_is_refused() {
    for address in [
        "169.254.169.254:80",
        "[fe80::1]:80",
        "[fd00:ec2::254]:80",
        "[::ffff:a9fe:a9fe]:80",
    ] {
        let resolver = Fickle::saying(&[&[address]]);
        let egress = egress("http://mcp.internal:80,10.0.0.0/8,::/0", &resolver);
        let error = egress
            .fetch(Profile::Catalog, get("http://mcp.internal/"), WAIT)
            .await
            .unwrap_err();
        assert!(
            matches!(error, FetchError::Forbidden { .. }),
            "{address}: {error}"
        );
    }
}

#[tokio::test]
async fn a_name_without_addresses_does_not_resolve() {
    let resolver = Fickle::saying(&[]);
    let error = egress("", &resolver)
        .fetch(Profile::Untrusted, get("https://nowhere.example/"), WAIT)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        FetchError::Dns {
            host: "nowhere.example".to_owned()
        }
    );
}
