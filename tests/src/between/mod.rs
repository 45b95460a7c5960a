//! What stands between an operator and the API server: passes everything on, counts writes, kills the operator after one of
//! them, and plays an API server that has faults.

mod call;
mod fault;
mod late;
mod seen;
mod watching;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use kube::{Client, Config};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::call::{Call, Kind};
use self::seen::Seen;
use self::watching::{Fate, fate};

pub use self::fault::{Fault, draw};
pub use self::late::Late;
pub use self::seen::Write;

/// Largest request or list that is taken, in bytes.
const LIMIT: usize = 64 << 20;

/// A fault that is on, and the seed of where it strikes.
type Trouble = (Fault, u64);

/// The proxy. It ends with this value.
pub struct Between {
    /// Where it listens: plain HTTP on the loopback interface.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    upstream: Client,
    /// The operator's process; 0 if there is none.
    process: Arc<AtomicI32>,
    trouble: watch::Sender<Option<Trouble>>,
    /// Nothing about Leases is answered.
    are_leases_mute: AtomicBool,
    seen: Mutex<Seen>,
}

impl Between {
    /// Starts it in front of the cluster that `KUBECONFIG` names, for a client with this token.
    pub async fn start(token: String, process: Arc<AtomicI32>) -> anyhow::Result<Self> {
        let mut config = Config::infer().await?;
        config.auth_info = kube::config::AuthInfo {
            token: Some(token.into()),
            ..kube::config::AuthInfo::default()
        };
        config.default_retry = false;
        let shared = Arc::new(Shared {
            upstream: Client::try_from(config)?,
            process,
            trouble: watch::channel(None).0,
            are_leases_mute: AtomicBool::new(false),
            seen: Mutex::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(pass).with_state(shared.clone());
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the proxy ended: {error}");
            }
        });
        Ok(Self {
            address,
            shared,
            server,
        })
    }

    /// Counts writes in this namespace from now on.
    pub fn count(&self, namespace: &str) {
        let mut seen = self.shared.seen();
        namespace.clone_into(&mut seen.namespace);
        seen.writes.clear();
    }

    /// The writes since then.
    pub fn writes(&self) -> Vec<Write> {
        self.shared.seen().writes.clone()
    }

    /// Kills the operator once this many more writes have been carried out, before it hears of the last; 0: takes that back.
    pub fn kill_after(&self, writes: usize) {
        let mut seen = self.shared.seen();
        seen.deadly = (writes > 0).then(|| seen.writes.len() + writes);
    }

    /// Holds back the write of this number, counted from now on, and kills the operator while it waits for the answer; 0: takes
    /// that back.
    pub fn hold_back(&self, write: usize) {
        let mut seen = self.shared.seen();
        seen.held = None;
        seen.late = (write > 0).then(|| seen.writes.len() + write);
    }

    /// Lets the write through that was held back; `None` if none was.
    pub async fn let_through(&self) -> anyhow::Result<Option<Late>> {
        let held = self.shared.seen().held.take();
        match held {
            Some((call, request)) => Ok(Some(self.shared.late(&call, request).await?)),
            None => Ok(None),
        }
    }

    /// The operator is still to be killed.
    pub fn is_deadly(&self) -> bool {
        let seen = self.shared.seen();
        seen.deadly.is_some() || seen.late.is_some()
    }

    /// No request about a Lease is answered from now on, or those that come from now on are again. Meanwhile a leader goes on for as
    /// long as it may without renewing.
    pub fn mute_leases(&self, are_mute: bool) {
        self.shared
            .are_leases_mute
            .store(are_mute, Ordering::SeqCst);
    }

    /// From now on there is this fault, at places that the seed gives.
    pub fn trouble(&self, fault: Fault, seed: u64) {
        self.shared.seen().begin_trouble();
        self.shared.trouble.send_replace(Some((fault, seed)));
    }

    /// The fault is gone; gives how often it struck.
    pub fn calm(&self) -> usize {
        self.shared.trouble.send_replace(None);
        self.shared.seen().strikes
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn strikes_call(&self, kind: Kind) -> Option<Fault> {
        let trouble = *self.trouble.borrow();
        let trouble = trouble.filter(|(fault, _)| fault.concerns(kind))?;
        // Every list, as far as a former one is known: what is as it is now would make up for what was stale before.
        let strikes = trouble.0 == Fault::StaleList || self.seen().strikes(trouble);
        strikes.then_some(trouble.0)
    }

    fn strikes_event(&self, event: &[u8]) -> Fate {
        let trouble = *self.trouble.borrow();
        let Some(trouble) = trouble else {
            return Fate::Pass;
        };
        let fate = fate(trouble.0, event);
        let is_struck = fate != Fate::Pass && self.seen().strikes(trouble);
        if is_struck { fate } else { Fate::Pass }
    }

    /// Asks the API server.
    async fn forward(
        &self,
        request: http::Request<Bytes>,
    ) -> anyhow::Result<http::Response<kube::client::Body>> {
        let (head, body) = request.into_parts();
        let mut asked = http::Request::builder()
            .method(head.method)
            .uri(head.uri)
            .body(kube::client::Body::from(body.to_vec()))?;
        *asked.headers_mut() = end_to_end(head.headers);
        let mut answer = self.upstream.send(asked).await?;
        *answer.headers_mut() = end_to_end(std::mem::take(answer.headers_mut()));
        Ok(answer)
    }

    /// Counts a write that was carried out. If it is the deadly one, the operator does not live to hear of it.
    async fn wrote(&self, call: &Call, answer: &Bytes) {
        let is_deadly = self.seen().is_deadly(call, answer);
        if is_deadly {
            self.kill().await;
        }
    }

    /// Kills the operator, which hears nothing more of what it waits for.
    async fn kill(&self) {
        if let Some(process) = Pid::from_raw(self.process.load(Ordering::SeqCst)) {
            let _ended = kill_process(process, Signal::KILL);
            std::future::pending::<()>().await;
        }
    }
}

/// What is between two neighbours only stays there, and the proxy says who it is by itself.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [
        header::HOST,
        header::AUTHORIZATION,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ] {
        headers.remove(name);
    }
    headers
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let call = Call::of(&request);
    let fault = shared.strikes_call(call.kind);
    let is_mute = shared.are_leases_mute.load(Ordering::SeqCst) && call.path.contains("/leases");
    if is_mute || matches!(fault, Some(Fault::NoAnswer | Fault::CutOff)) {
        return std::future::pending().await;
    }
    if let Some(answer) = fault.and_then(Fault::answer) {
        return answer;
    }
    match carry_on(&shared, &call, fault, request).await {
        Ok(answer) => answer,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}

async fn carry_on(
    shared: &Arc<Shared>,
    call: &Call,
    fault: Option<Fault>,
    request: Request,
) -> anyhow::Result<Response> {
    let is_stale = fault == Some(Fault::StaleList);
    let former = is_stale.then(|| shared.seen().stale(call)).flatten();
    if let Some(former) = former {
        return Ok(former.into_response());
    }
    let (head, body) = request.into_parts();
    let request = http::Request::from_parts(head, to_bytes(body, LIMIT).await?);
    let is_held = shared.seen().holds_back(call, &request);
    if is_held {
        shared.kill().await;
    }
    let answer = shared.forward(request).await?;
    if !answer.status().is_success() || matches!(call.kind, Kind::Look | Kind::Aside) {
        return Ok(answer.map(Body::new).into_response());
    }
    if call.kind == Kind::Watch {
        return Ok(watching::pass(shared.clone(), call, answer));
    }
    let (head, body) = answer.into_parts();
    let body = body
        .collect()
        .await
        .context("the API server's answer broke")?;
    let body = body.to_bytes();
    if call.kind == Kind::Write {
        shared.wrote(call, &body).await;
        if fault == Some(Fault::AnswerLost) {
            return Ok(fault::cut());
        }
    } else if shared.trouble.borrow().is_none() {
        shared.seen().lists.insert(call.target(), body.clone());
    }
    Ok(Response::from_parts(head, Body::from(body)))
}
