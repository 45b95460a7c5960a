//! An MCP server with its own authorization server, in this process: rotating one-time refresh tokens, and every kind of
//! trouble on demand. Whatever is secret in it begins with `telltale`.

pub mod browser;
mod mcp;
mod oauth;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// The credential that the server `static` accepts.
pub const STATIC_CREDENTIAL: &str = "telltale-static-credential";

/// A running provider. It ends with the process.
#[derive(Clone)]
pub struct Provider {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

type BeforeAnswer = Box<dyn Fn(&str) + Send>;

pub struct Shared {
    state: Mutex<State>,
    /// Runs before the token endpoint answers, when the answer is decided.
    before_answer: Mutex<Option<BeforeAnswer>>,
    before_revocation: Mutex<Option<Box<dyn Fn() + Send>>>,
}

/// What the provider knows and how it behaves.
#[derive(Default)]
pub struct State {
    pub codes: BTreeMap<String, Code>,
    pub access_tokens: BTreeMap<String, BTreeSet<String>>,
    pub refresh_tokens: BTreeMap<String, BTreeSet<String>>,
    /// Refresh tokens that were used: each works once.
    pub spent: BTreeSet<String>,
    /// Refreshes with a token that was not the last one: spent, or never given.
    pub refused: u32,
    pub revoked: Vec<String>,
    pub clients: BTreeSet<String>,
    pub exchanges: u32,
    pub refreshes: u32,
    pub registrations: u32,
    pub probes: u32,
    pub next: u32,
    pub behaviour: Behaviour,
    pub bearers_seen: Vec<String>,
    /// PKCE verifiers that came.
    pub verifiers: Vec<String>,
}

/// How the provider answers.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Clone)]
pub struct Behaviour {
    pub expires_in: Option<u64>,
    pub refresh_tokens: bool,
    /// The status of the token endpoint instead of an answer.
    pub token_status: Option<u16>,
    /// The OAuth error of the token endpoint instead of an answer.
    pub token_error: Option<String>,
    /// Refuses every code and quotes it.
    pub quotes: bool,
    /// How long the token endpoint takes.
    pub token_delay: Duration,
    pub revocation_status: u16,
    /// Answers in Slack's form.
    pub like_slack: bool,
    /// Grants no more than this.
    pub grants_at_most: Option<BTreeSet<String>>,
    /// The scope that a call of the tool `write` needs.
    pub needs: Option<String>,
    pub static_credential: String,
    pub metadata_documents: bool,
    pub registers: bool,
    pub revokes: bool,
    pub sends_iss: bool,
    pub s256: bool,
    /// Lifetime of a registration's secret, from 1970.
    pub client_secret_expires_at: Option<u64>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            expires_in: Some(3600),
            refresh_tokens: true,
            token_status: None,
            token_error: None,
            quotes: false,
            token_delay: Duration::ZERO,
            revocation_status: 200,
            like_slack: false,
            grants_at_most: None,
            needs: None,
            static_credential: STATIC_CREDENTIAL.to_owned(),
            metadata_documents: false,
            registers: true,
            revokes: true,
            sends_iss: true,
            s256: true,
            client_secret_expires_at: None,
        }
    }
}

/// A code that waits to be exchanged.
#[derive(Clone)]
pub struct Code {
    pub client: String,
    pub challenge: String,
    pub redirect_uri: String,
    pub scopes: BTreeSet<String>,
}

impl Provider {
    pub fn start() -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            before_answer: Mutex::default(),
            before_revocation: Mutex::default(),
        });
        let (sender, receiver) = std::sync::mpsc::channel();
        let for_server = shared.clone();
        // A thread of its own: tests without a runtime use it, too.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let provider = Self {
                    address,
                    shared: for_server,
                };
                sender.send(provider.clone()).unwrap();
                serve(listener, provider).await;
            });
        });
        receiver.recv().unwrap()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    pub fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state().behaviour);
    }

    /// Runs this when the token endpoint has decided and before it answers, with the grant type.
    pub fn before_answer(&self, hook: impl Fn(&str) + Send + 'static) {
        *self.shared.before_answer.lock().unwrap() = Some(Box::new(hook));
    }

    pub fn clear_before_answer(&self) {
        *self.shared.before_answer.lock().unwrap() = None;
    }

    /// Runs this before a revocation is answered.
    pub fn before_revocation(&self, hook: impl Fn() + Send + 'static) {
        *self.shared.before_revocation.lock().unwrap() = Some(Box::new(hook));
    }

    fn run_before_revocation(&self) {
        if let Some(hook) = self.shared.before_revocation.lock().unwrap().as_ref() {
            hook();
        }
    }

    fn run_before_answer(&self, grant: &str) {
        if let Some(hook) = self.shared.before_answer.lock().unwrap().as_ref() {
            hook(grant);
        }
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes all access tokens back, as if they had ended.
    pub fn end_access_tokens(&self) {
        self.state().access_tokens.clear();
    }

    /// The user took the grant back.
    pub fn end_grant(&self) {
        let mut state = self.state();
        state.access_tokens.clear();
        state.refresh_tokens.clear();
    }

    /// A catalog with this provider's servers: `oauth`, `static`, `none`, and `gone`, where nobody listens.
    pub fn catalog(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        self.write_catalog(&folder, &self.entries());
        folder
    }

    pub fn entries(&self) -> Vec<Value> {
        let base = self.base();
        let entry = |name: &str, url: String, auth: &str| json!({ "name": name, "transport": "streamable_http", "url": url, "auth_method": auth });
        let mut with_header = entry("keyed", format!("{base}/static"), "static");
        with_header["static"] = json!({ "header": "X-Api-Key" });
        let mut oauth = entry("oauth", format!("{base}/mcp"), "oauth");
        oauth["display_name"] = json!("The <Calendar>");
        vec![
            oauth,
            entry("static", format!("{base}/static"), "static"),
            with_header,
            entry("none", format!("{base}/open"), "none"),
            // Port 9 is discard: nobody listens there.
            entry("gone", "http://127.0.0.1:9/mcp".to_owned(), "static"),
        ]
    }

    #[expect(clippy::unused_self, reason = "it reads as the provider's")]
    pub fn write_catalog(&self, folder: &TempDir, entries: &[Value]) {
        let text = json!({ "servers": entries }).to_string();
        std::fs::write(folder.path().join("servers.json"), text).unwrap();
    }

    /// For `EGRESS_ALLOW`.
    pub fn egress(&self) -> String {
        format!("http://{},http://127.0.0.1:9", self.address)
    }
}

impl State {
    /// A fresh name for a secret.
    pub fn secret(&mut self, kind: &str) -> String {
        self.next += 1;
        format!(
            "telltale-{kind}-{:04}-{:016x}",
            self.next,
            getrandom::u64().unwrap()
        )
    }
}

async fn serve(listener: TcpListener, provider: Provider) {
    let router = Router::new()
        .route(
            "/.well-known/oauth-protected-resource",
            get(oauth::resource),
        )
        .route(
            "/.well-known/oauth-protected-resource/mcp",
            get(oauth::resource),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(oauth::metadata),
        )
        .route("/register", post(oauth::register))
        .route("/token", post(oauth::token))
        .route("/revoke", post(oauth::revoke))
        .route("/mcp", post(mcp::protected))
        .route("/static", post(mcp::keyed))
        .route("/open", post(mcp::open))
        .with_state(provider);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let stream = hyper_util::rt::TokioIo::new(stream);
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(stream, service)
                    .await,
            );
        });
    }
}
