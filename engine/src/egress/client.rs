//! The one HTTP client.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use tracing::debug;

use super::connect::{Dial, Limits};
use super::deadline::Deadline;
use super::guard::{Guard, Target};
use super::lane::Lane;
use super::resolve::{Resolve, System};
use super::{FetchError, tls};
use crate::config::ConnectorsConfig;

/// Who chose the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The catalog, or a server of the catalog: https; `EGRESS_ALLOW` opens private addresses.
    Catalog,
    /// A client of the engine: https to public addresses, without exception.
    Untrusted,
}

/// How long to wait, and for how much.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// Until the head of the answer is there, redirects included.
    pub head: Duration,
    /// Until all of it is there.
    pub total: Duration,
    /// Largest body, in bytes.
    pub body: usize,
}

/// The body of an answer, as it arrives.
pub type Body = UnsyncBoxBody<Bytes, FetchError>;

/// The guarded client. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Egress(Arc<Lanes>);

/// One lane a profile: a connection that the catalog may have is never lent to a stranger's URL.
#[derive(Debug)]
struct Lanes {
    catalog: Lane,
    untrusted: Lane,
}

impl Egress {
    /// A client with these rules. Fails if the file of authorities cannot be read or holds none.
    pub fn new(config: &ConnectorsConfig) -> Result<Self, io::Error> {
        Self::resolved_by(config, Arc::new(System))
    }

    /// The same with another resolver than that of the operating system.
    pub fn resolved_by(
        config: &ConnectorsConfig,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, io::Error> {
        Self::with(config, resolver, Limits::default())
    }

    pub(super) fn with(
        config: &ConnectorsConfig,
        resolver: Arc<dyn Resolve>,
        limits: Limits,
    ) -> Result<Self, io::Error> {
        let tls = Arc::new(tls::config(config.extra_ca.as_deref())?);
        let lane = |profile, resolver| {
            let guard = Arc::new(Guard::new(profile, &config.egress_allow));
            let dial = Dial {
                guard,
                resolver,
                limits,
            };
            Lane::new(dial, tls.clone())
        };
        Ok(Self(Arc::new(Lanes {
            catalog: lane(Profile::Catalog, resolver.clone()),
            untrusted: lane(Profile::Untrusted, resolver),
        })))
    }

    /// Parses and checks a URL. Where its host is found is checked at each connection.
    pub fn target(&self, profile: Profile, url: &str) -> Result<Target, FetchError> {
        let target = self.lane(profile).guard.target(url);
        target.inspect_err(|error| note(error, profile))
    }

    /// Sends a request there, whatever URL it names, and gives the head of its answer if that comes within `head`.
    /// Follows no redirect. How long and how large the answer may become is the caller's to see to.
    pub async fn send(
        &self,
        target: &Target,
        request: Request<Bytes>,
        head: Duration,
    ) -> Result<Response<Body>, FetchError> {
        let lane = self.lane(target.profile);
        let answer = lane.send(target, request, Deadline::after(head)).await;
        answer.inspect_err(|error| note(error, target.profile))
    }

    /// Sends a request and collects its answer. A GET follows up to three redirects, each checked again; to another
    /// origin it takes neither credentials nor a body along. The answer to any other method is given as it is.
    pub async fn fetch(
        &self,
        profile: Profile,
        request: Request<Bytes>,
        wait: Wait,
    ) -> Result<Response<Bytes>, FetchError> {
        let answer = self.lane(profile).fetch(request, wait).await;
        answer.inspect_err(|error| note(error, profile))
    }

    fn lane(&self, profile: Profile) -> &Lane {
        match profile {
            Profile::Catalog => &self.0.catalog,
            Profile::Untrusted => &self.0.untrusted,
        }
    }
}

fn note(error: &FetchError, profile: Profile) {
    debug!(
        host = error.host(),
        kind = error.kind(),
        ?profile,
        "request failed"
    );
}
