//! What a server is started with.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

use super::listen::Listener;
use super::mcp::Mcp;
use super::operation::Part;
use super::provider::Provider;
use super::state::{Certificates, Origins, State};
use super::{Authority, Faulty, Names};

/// How the MCP server puts its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// One JSON document.
    Json,
    /// An event stream with one event.
    Sse,
}

/// What a server is started with.
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    answers: Answers,
    lifetime: Duration,
    forgiving: bool,
    client: Option<(String, Option<String>, String)>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            answers: Answers::Json,
            lifetime: Duration::from_hours(1),
            forgiving: false,
            client: None,
        }
    }
}

impl Builder {
    /// How the MCP server puts its answers; otherwise as JSON.
    pub fn answers(mut self, answers: Answers) -> Self {
        self.answers = answers;
        self
    }

    /// How long an access token is good; otherwise an hour. Counted in tokio's time, so that a test can pause it.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// A refresh token stays good until its successor is used, so that an answer that was lost can be asked for again;
    /// otherwise it is good once, and a second use ends all that came of it.
    pub fn forgiving(mut self) -> Self {
        self.forgiving = true;
        self
    }

    /// A client that somebody registered by hand.
    pub fn client(mut self, id: &str, secret: Option<&str>, redirect_uri: &str) -> Self {
        let secret = secret.map(str::to_owned);
        self.client = Some((id.to_owned(), secret, redirect_uri.to_owned()));
        self
    }

    /// Listens.
    pub async fn start(self) -> Faulty {
        let authority = Authority::new();
        let mut provider = Provider::new(self.lifetime, self.forgiving);
        if let Some((id, secret, redirect_uri)) = &self.client {
            provider.add_client(id, secret.as_deref(), redirect_uri);
        }
        let tls = Certificates {
            right: authority.issue("localhost", 2100),
            wrong: authority.issue("other.example", 2100),
            expired: authority.issue("localhost", 2021),
        };
        let state = Arc::new(State {
            tls,
            answers: self.answers,
            origins: Mutex::default(),
            provider: Mutex::new(provider),
            mcp: Mutex::new(Mcp::default()),
            plans: Mutex::default(),
            counts: Mutex::default(),
            dawdling: AtomicUsize::default(),
            connections: AtomicUsize::default(),
        });
        let mut listeners = BTreeMap::new();
        for part in Part::ALL {
            listeners.insert(part, Listener::open(part, state.clone()).await);
        }
        let ports = listeners
            .iter()
            .map(|(part, listener)| (*part, listener.port()));
        *state.origins.lock().unwrap() = Origins(ports.collect());
        Faulty {
            authority,
            state,
            listeners: AsyncMutex::new(listeners),
            names: Names::default(),
        }
    }
}
