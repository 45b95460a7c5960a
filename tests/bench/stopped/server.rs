//! A simulated API server: it answers for engines that nobody has made.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode, header};
use serde_json::{Value, json};

use super::copies::Copies;
use super::mould::{Form, Mould};
use super::request::{Asked, Target};
use super::watch::Watch;

/// What has been asked so far.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Everything but writes.
    pub reads: usize,
    /// Writes of an engine's status that say that it has come to rest.
    pub rests: usize,
    /// Events.
    pub events: usize,
    /// What must not come: all other writes, and reads that are not answered as an API server would.
    pub strange: usize,
    /// The first of those, in words.
    pub first_strange: Option<String>,
}

/// The server.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    copies: Copies,
    class: Value,
    counts: Mutex<Counts>,
    lease: Mutex<Lease>,
}

/// The operator's.
#[derive(Default)]
struct Lease {
    object: Option<Value>,
    version: usize,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// For these engines, which follow this class.
    pub fn new(copies: Copies, class: Value) -> Self {
        Self(Arc::new(Inner {
            copies,
            class,
            counts: Mutex::default(),
            lease: Mutex::default(),
        }))
    }

    /// What to serve.
    pub fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    /// What has been asked so far.
    pub fn counts(&self) -> Counts {
        locked(&self.0.counts).clone()
    }

    /// The engines.
    pub fn copies(&self) -> &Copies {
        &self.0.copies
    }

    /// The objects that each engine has of this kind.
    pub fn moulds(&self, target: &Target) -> Vec<&Mould> {
        self.0.copies.moulds(&target.api_version, &target.plural)
    }

    fn read(&self, asked: &Asked) -> Response<Body> {
        locked(&self.0.counts).reads += 1;
        let Target {
            namespace, name, ..
        } = &asked.target;
        let moulds = self.moulds(&asked.target);
        if let Some(name) = name {
            if asked.target.plural == "leases" {
                let lease = locked(&self.0.lease);
                return lease
                    .object
                    .as_ref()
                    .map_or_else(absent, |lease| ok(lease.to_string()));
            }
            let namespace = namespace.as_deref().unwrap_or_default();
            let found = self.0.copies.find(&moulds, namespace, name);
            return found.map_or_else(absent, |(mould, number)| {
                ok(self.0.copies.object(mould, number, asked.form))
            });
        }
        if asked.extent.watch.is_some() {
            let watch = Watch::open(self.clone(), asked);
            return respond(StatusCode::OK, Body::from_stream(watch.events()));
        }
        match namespace.as_deref() {
            // Nothing of ours is in the operator's, and nothing else in an engine's.
            Some(userengine_e2e::SYSTEM) => self.list(asked, &[]),
            Some(_) if !moulds.is_empty() => self.strange(asked, "the list of a namespace"),
            _ => self.list(asked, &moulds),
        }
    }

    fn list(&self, asked: &Asked, moulds: &[&Mould]) -> Response<Body> {
        let from = asked.extent.r#continue.as_deref();
        let from = from.and_then(|from| from.parse().ok()).unwrap_or_default();
        let limit = asked.extent.limit.filter(|limit| *limit > 0);
        let mut page = self
            .0
            .copies
            .page(moulds, asked.form, from, limit.unwrap_or(usize::MAX));
        if asked.target.plural == "engineclasses" {
            page.items = self.0.class.to_string();
        }
        let (api_version, kind) = match (asked.form, moulds.first()) {
            (Form::Metadata, _) => ("meta.k8s.io/v1", "PartialObjectMetadata".to_owned()),
            (_, Some(mould)) => (&*mould.resource.api_version, mould.resource.kind.clone()),
            (..) => (&*asked.target.api_version, String::new()),
        };
        let metadata = json!({
            "resourceVersion": self.0.copies.version().to_string(),
            "continue": page.next.map(|next| next.to_string()),
        });
        let items = page.items;
        ok(format!(
            r#"{{"kind":"{kind}List","apiVersion":"{api_version}","metadata":{metadata},"items":[{items}]}}"#
        ))
    }

    fn write(&self, asked: &Asked, body: &[u8]) -> Response<Body> {
        let object = serde_json::from_slice(body).unwrap_or(Value::Null);
        let Target {
            plural, part, name, ..
        } = &asked.target;
        match (&asked.method, plural.as_str(), part.as_deref()) {
            (&Method::POST, "events", None) => {
                locked(&self.0.counts).events += 1;
                ok(object.to_string())
            }
            (&Method::POST | &Method::PUT, "leases", None) => ok(self.lease(object)),
            (&Method::PATCH, "userengines", Some("status")) => {
                let name = name.as_deref().unwrap_or_default();
                let done = self.settle(&asked.target, name, &object);
                done.unwrap_or_else(|error| self.strange(asked, &format!("{error:#}")))
            }
            _ => self.strange(asked, &object.to_string()),
        }
    }

    fn lease(&self, mut object: Value) -> String {
        let mut lease = locked(&self.0.lease);
        lease.version += 1;
        let version = lease.version.to_string();
        json_patch::merge(
            &mut object,
            &json!({ "metadata": { "resourceVersion": version, "uid": "lease" } }),
        );
        let text = object.to_string();
        lease.object = Some(object);
        text
    }

    fn settle(
        &self,
        target: &Target,
        name: &str,
        object: &Value,
    ) -> anyhow::Result<Response<Body>> {
        let namespace = target.namespace.as_deref().unwrap_or_default();
        let Some((engine, number)) = self.0.copies.find(&self.moulds(target), namespace, name)
        else {
            return Ok(absent());
        };
        let status = object.get("status").unwrap_or(&Value::Null);
        self.0.copies.settle(engine, number, status)?;
        locked(&self.0.counts).rests += 1;
        Ok(ok(self.0.copies.object(engine, number, Form::Whole)))
    }

    /// What must not come.
    fn strange(&self, asked: &Asked, what: &str) -> Response<Body> {
        let mut counts = locked(&self.0.counts);
        counts.strange += 1;
        let first = || format!("{} {:?}: {what}", asked.method, asked.target);
        counts.first_strange.get_or_insert_with(first);
        failure(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed")
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Some(asked) = Asked::parse(&head) else {
        return absent();
    };
    if asked.method == Method::GET {
        return server.read(&asked);
    }
    match to_bytes(body, usize::MAX).await {
        Ok(body) => server.write(&asked, &body),
        Err(_gone) => failure(StatusCode::BAD_REQUEST, "BadRequest"),
    }
}

fn ok(text: String) -> Response<Body> {
    respond(StatusCode::OK, Body::from(text))
}

fn absent() -> Response<Body> {
    failure(StatusCode::NOT_FOUND, "NotFound")
}

fn failure(code: StatusCode, reason: &str) -> Response<Body> {
    let status = json!({ "apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason,
        "message": reason, "code": code.as_u16() });
    respond(code, Body::from(status.to_string()))
}

fn respond(code: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
