//! A server on loopback that gives prepared answers and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::serve::serve;

/// Status, headers and body of an answer.
#[derive(Clone)]
pub struct Reply(pub u16, pub Vec<(&'static str, String)>, pub String);

impl Reply {
    pub fn json(value: &Value) -> Self {
        let json = ("content-type", "application/json".to_owned());
        Self(200, vec![json], value.to_string())
    }

    pub fn status(status: u16) -> Self {
        Self(status, Vec::new(), String::new())
    }

    pub fn page() -> Self {
        let html = ("content-type", "text/html".to_owned());
        Self(200, vec![html], "<!doctype html><p>Hello</p>".to_owned())
    }
}

/// A request as it arrived.
#[derive(Clone)]
pub struct Asked {
    /// Method and target.
    pub line: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Asked {
    /// The fields of a form.
    pub fn form(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(self.body.as_bytes())
            .into_owned()
            .collect()
    }
}

pub struct Server {
    pub origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

type Shared = (Arc<BTreeMap<String, Reply>>, Arc<Mutex<Vec<Asked>>>);

impl Server {
    /// A server with these answers by path; all else is 404. The closure gets the origin.
    pub async fn start(replies: impl FnOnce(&str) -> Vec<(&'static str, Reply)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let replies = replies(&origin)
            .into_iter()
            .map(|(path, reply)| (path.to_owned(), reply))
            .collect();
        let shared: Shared = (Arc::new(replies), asked.clone());
        let router = Router::new().fallback(answer).with_state(shared);
        tokio::spawn(serve(
            listener,
            router,
            std::future::pending(),
            Duration::ZERO,
        ));
        Self { origin, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Method and target of each request, in order.
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

async fn answer(State((replies, asked)): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body: Bytes = body.collect().await.unwrap().to_bytes();
    asked.lock().unwrap().push(Asked {
        line: format!("{} {}", head.method, head.uri),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let Some(Reply(status, headers, body)) = replies.get(head.uri.path()).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = body.into_response();
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
