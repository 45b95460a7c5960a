//! A whole upstream on loopback that fails as it is told: an MCP server over streamable HTTP behind its own OAuth
//! provider, each as it should be until a fault is set.
//!
//! ```ignore
//! let server = Faulty::start().await;
//! // An engine with server.variables() can call it: EGRESS_ALLOW, EXTRA_CA_FILE.
//! // connect to server.url(), send the browser to server.approve(&auth_url), come back to the callback …
//! server.fault(Operation::ToolsCall, Fault::ResetInBody).await;
//! // … the call fails; it arrived once all the same:
//! assert_eq!(server.count(Operation::ToolsCall), 1);
//! server.heal().await;
//! ```
//!
//! A fault belongs to one [`Operation`] and stays until [`Faulty::heal`], or for so many requests
//! ([`Faulty::fault_times`]). The faults of connecting (refused, closed, certificates, DNS) belong to the operation's
//! listener: registration and the token endpoint have one each, the other metadata of the provider are with its consent
//! page, and all of MCP is one. Setting and healing them ends the connections that stand.
//!
//! All is TLS, by an authority of the test's own, at `localhost` and a port for each listener. Secrets begin with
//! `canary-`, so that [`Faulty::secrets`] can be searched for wherever they must not be.

mod authority;
mod bomb;
mod builder;
mod fault;
mod grants;
mod listen;
mod mcp;
mod operation;
mod play;
mod provider;
mod resolver;
mod state;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Mutex as AsyncMutex;
use url::Url;

pub use authority::Authority;
pub use builder::{Answers, Builder};
pub use fault::{Fault, PRIVATE, SCOPE_WANTED};
pub use operation::Operation;
pub use resolver::Names;

use fault::Door;
use listen::Listener;
use operation::Part;
use state::{Origins, Plan, State};

/// A running server. Ends with its runtime.
pub struct Faulty {
    authority: Authority,
    state: Arc<State>,
    listeners: AsyncMutex<BTreeMap<Part, Listener>>,
    names: Names,
}

impl Faulty {
    /// A server without surprises.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A server by choice.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The MCP server's URL, as a catalog has it.
    pub fn url(&self) -> String {
        self.origins().resource()
    }

    /// The provider's identifier.
    pub fn issuer(&self) -> String {
        self.origins().of(Part::Issuer)
    }

    /// What an engine must have to be able to call it: `EGRESS_ALLOW` and `EXTRA_CA_FILE`.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let hosts: Vec<_> = self
            .origins()
            .0
            .values()
            .map(|port| format!("localhost:{port}"))
            .collect();
        let file = self.authority.file().to_str().unwrap().to_owned();
        [("EGRESS_ALLOW", hosts.join(",")), ("EXTRA_CA_FILE", file)]
    }

    /// Sets the fault of an operation, in place of the one that it had.
    pub async fn fault(&self, operation: Operation, fault: Fault) {
        self.fault_times(operation, fault, usize::MAX).await;
    }

    /// The same for so many requests. The faults of connecting stay until they are healed all the same.
    pub async fn fault_times(&self, operation: Operation, fault: Fault, times: usize) {
        assert!(
            Operation::ALL.contains(&operation),
            "{operation:?} is never faulty"
        );
        self.heal_one(operation).await;
        let part = operation.part();
        if fault == Fault::DnsFailure {
            self.names.lose(self.port(part));
        }
        let plan = Plan { fault, left: times };
        self.state.plans.lock().unwrap().insert(operation, plan);
        if let Some(door) = fault.door() {
            self.change(part, door).await;
        }
    }

    /// Takes all faults away.
    pub async fn heal(&self) {
        for operation in Operation::ALL {
            self.heal_one(operation).await;
        }
    }

    async fn heal_one(&self, operation: Operation) {
        let plan = self.state.plans.lock().unwrap().remove(&operation);
        if plan.is_some_and(|plan| plan.fault.door().is_some()) {
            self.names.find(self.port(operation.part()));
            self.change(operation.part(), Door::Open).await;
        }
    }

    async fn change(&self, part: Part, door: Door) {
        let mut listeners = self.listeners.lock().await;
        listeners.get_mut(&part).unwrap().change(door).await;
    }

    /// Requests for this that arrived whole, answered or not.
    pub fn count(&self, operation: Operation) -> usize {
        let counts = self.state.counts.lock().unwrap();
        counts.get(&operation).copied().unwrap_or_default()
    }

    /// Is an answer late on purpose now? Then a test may move tokio's time on instead of waiting.
    pub fn dawdles(&self) -> bool {
        self.state.dawdling.load(Ordering::SeqCst) > 0
    }

    /// Connections that stand now.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// What the tool `write` was called with, in order.
    pub fn written(&self) -> Vec<String> {
        self.state.mcp.lock().unwrap().written.clone()
    }

    /// Times that a spent refresh token came again.
    pub fn reused(&self) -> usize {
        self.state.provider.lock().unwrap().reused
    }

    /// Tokens that were given back.
    pub fn revoked(&self) -> usize {
        self.state.provider.lock().unwrap().revoked
    }

    /// Every secret that the server gave out or knows: codes, tokens, secrets of clients.
    pub fn secrets(&self) -> BTreeSet<String> {
        self.state.provider.lock().unwrap().secrets.clone()
    }

    /// The person's browser at the consent page: agrees, and gives the callback's URL with its query.
    pub fn approve(&self, auth_url: &str) -> Url {
        let url = Url::parse(auth_url).unwrap();
        let mut provider = self.state.provider.lock().unwrap();
        provider.authorize(&url, &self.issuer()).unwrap()
    }

    /// All access tokens end at once; refresh tokens stay.
    pub fn expire_access(&self) {
        self.state.provider.lock().unwrap().expire();
    }

    /// All refresh tokens end at once: the next refresh is an `invalid_grant`.
    pub fn forget_grants(&self) {
        self.state.provider.lock().unwrap().forget_grants();
    }

    /// All MCP sessions end at once.
    pub fn forget_sessions(&self) {
        self.state.mcp.lock().unwrap().forget_sessions();
    }

    /// Says where `localhost` is, but not under [`Fault::DnsFailure`].
    pub fn resolver(&self) -> Arc<Names> {
        Arc::new(self.names.clone())
    }

    fn origins(&self) -> Origins {
        self.state.origins.lock().unwrap().clone()
    }

    fn port(&self, part: Part) -> u16 {
        self.origins().0[&part]
    }
}
