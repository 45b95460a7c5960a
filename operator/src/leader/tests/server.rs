//! An API server that knows Leases, and lines to it that can be cut.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::BoxError;

/// One way.
pub const LATENCY: Duration = Duration::from_millis(30);

/// How a replica reaches the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Line {
    #[default]
    Good,
    /// Every request fails at once.
    Broken,
    /// No request is answered, or arrives.
    Silent,
    /// Requests arrive, and their answers do not.
    Deaf,
    /// Requests arrive, and the answers to writes do not.
    Unheard,
}

#[derive(Default)]
struct State {
    lease: Option<Value>,
    version: u64,
    writes: usize,
}

/// The server, with one Lease.
#[derive(Clone, Default)]
pub struct Server(Arc<Mutex<State>>);

/// One replica's line to it.
#[derive(Clone, Default)]
pub struct Wire(Arc<Mutex<Line>>);

impl Wire {
    pub fn set(&self, line: Line) {
        *self.0.lock().unwrap() = line;
    }

    /// Something goes over it, one way or the other; on these lines it is never heard of again.
    async fn carries(&self, lost: &[Line]) -> Result<(), BoxError> {
        let line = *self.0.lock().unwrap();
        if lost.contains(&line) {
            std::future::pending::<()>().await;
        }
        match line {
            Line::Broken => Err(BoxError::from("connection refused")),
            _ => Ok(()),
        }
    }
}

impl Server {
    /// A client at the end of this line.
    pub fn client(&self, wire: &Wire) -> Client {
        let (server, wire) = (self.clone(), wire.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (server, wire) = (server.clone(), wire.clone());
            let is_write = request.method() != Method::GET;
            async move {
                wire.carries(&[Line::Silent]).await?;
                sleep(LATENCY).await;
                let answer = server.answer(request).await?;
                sleep(LATENCY).await;
                wire.carries(&[Line::Silent, Line::Deaf]).await?;
                if is_write {
                    wire.carries(&[Line::Unheard]).await?;
                }
                Ok::<_, BoxError>(answer)
            }
        });
        Client::new(service, "system")
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await?;
        let mut state = self.0.lock().unwrap();
        let there = state.lease.clone();
        let (status, answer) = match (parts.method, there) {
            (Method::GET, Some(lease)) => (StatusCode::OK, lease),
            (Method::GET | Method::PUT, None) => refusal(StatusCode::NOT_FOUND, "NotFound"),
            (Method::POST, None) => state.write(serde_json::from_slice(&body)?),
            (Method::POST, Some(_)) => refusal(StatusCode::CONFLICT, "AlreadyExists"),
            (Method::PUT, Some(lease)) => {
                let wanted: Value = serde_json::from_slice(&body)?;
                let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
                if version(&wanted) == version(&lease) {
                    state.write(wanted)
                } else {
                    refusal(StatusCode::CONFLICT, "Conflict")
                }
            }
            (method, _) => panic!("{method} of a Lease"),
        };
        let body = Body::from(serde_json::to_vec(&answer)?);
        Ok(Response::builder().status(status).body(body)?)
    }

    /// Somebody else writes the Lease, or takes it away.
    pub fn put(&self, lease: Option<Value>) {
        let mut state = self.0.lock().unwrap();
        match lease {
            Some(lease) => drop(state.write(lease)),
            None => state.lease = None,
        }
    }

    /// Its holder writes it, without a change.
    pub fn renew(&self) {
        let mut state = self.0.lock().unwrap();
        let lease = state.lease.clone().unwrap();
        state.write(lease);
    }

    /// Who holds it.
    pub fn holder(&self) -> Option<String> {
        let state = self.0.lock().unwrap();
        let holder = &state.lease.as_ref()?["spec"]["holderIdentity"];
        holder.as_str().map(str::to_owned)
    }

    /// How often it was written.
    pub fn writes(&self) -> usize {
        self.0.lock().unwrap().writes
    }
}

impl State {
    fn write(&mut self, mut lease: Value) -> (StatusCode, Value) {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.writes += 1;
        self.lease = Some(lease.clone());
        (StatusCode::OK, lease)
    }
}

fn refusal(status: StatusCode, reason: &str) -> (StatusCode, Value) {
    let answer = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": status.as_u16(),
    });
    (status, answer)
}
