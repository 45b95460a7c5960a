//! Stands between an operator and the API server, and keeps what the operator writes, word for word: an object that is read
//! back has the server's defaults as well.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use kube::Client;
use serde_json::Value;

/// What was written last of each object, by kind and name.
pub type Written = HashMap<(String, String), Value>;

/// Keeps it.
#[derive(Clone)]
pub struct Recorder {
    client: Client,
    written: Arc<Mutex<Written>>,
}

impl Recorder {
    /// One before the API server that this client speaks with.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            written: Arc::default(),
        }
    }

    /// What to serve.
    pub fn router(&self) -> Router {
        Router::new().fallback(pass).with_state(self.clone())
    }

    /// What was written so far.
    pub fn written(&self) -> Written {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.clone()
    }

    fn keep(&self, body: &[u8]) {
        let Ok(object) = serde_json::from_slice::<Value>(body) else {
            return;
        };
        let text = |path| object.pointer(path).and_then(Value::as_str);
        if let Some((kind, name)) = text("/kind").zip(text("/metadata/name")) {
            let which = (kind.to_owned(), name.to_owned());
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.insert(which, object);
        }
    }

    async fn pass(&self, request: Request) -> anyhow::Result<Response<Body>> {
        let (head, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await?;
        if [Method::POST, Method::PUT].contains(&head.method) {
            self.keep(&body);
        }
        let path = head.uri.path_and_query().context("a request has a path")?;
        let mut passed = http::Request::builder()
            .method(head.method)
            .uri(path.as_str());
        for name in [header::ACCEPT, header::CONTENT_TYPE] {
            if let Some(value) = head.headers.get(&name) {
                passed = passed.header(name, value);
            }
        }
        let answer = self.client.send(passed.body(body.into())?).await?;
        Ok(answer.map(Body::new))
    }
}

async fn pass(State(recorder): State<Recorder>, request: Request) -> Response<Body> {
    let answer = recorder.pass(request).await;
    answer.unwrap_or_else(|error| {
        eprintln!("    a request was not passed on: {error:#}");
        StatusCode::BAD_GATEWAY.into_response()
    })
}
