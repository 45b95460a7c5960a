//! An API server for unit tests that answers as it is told.

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::BoxError;

/// A client of one that answers each request with this status and body.
pub fn server<F>(answer: impl Fn(&Request<Body>) -> F + Send + 'static) -> Client
where
    F: Future<Output = (u16, Value)> + Send + 'static,
{
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answer(&request);
        async move {
            let (status, body) = answer.await;
            let body = Body::from(body.to_string().into_bytes());
            let answer = Response::builder().status(status).body(body);
            answer.map_err(BoxError::from)
        }
    });
    Client::new(service, "acme")
}

/// What an API server says of a request that came to nothing.
pub fn failure(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({ "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": "" });
    (code, status)
}
