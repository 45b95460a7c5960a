//! Why a request got no answer. Nothing here repeats a header, a body or a query.

use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::time::Duration;

use rustls::pki_types::InvalidDnsNameError;

/// Characters of a reason that another party may have had a say in.
const LONGEST_REASON: usize = 200;

/// Why a request got no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The guard refused the URL or the address that it resolved to.
    #[error("the egress guard refused {host}: {why}")]
    Forbidden {
        /// Host of the URL.
        host: String,
        /// What the address is, and what would allow it.
        why: String,
    },
    /// The name did not resolve.
    #[error("failed to resolve {host}")]
    Dns {
        /// The name.
        host: String,
    },
    /// Nobody listens there, or the network is unreachable.
    #[error("failed to connect to {host}: {why}")]
    Connect {
        /// Host of the URL.
        host: String,
        /// The kind of the error.
        why: String,
    },
    /// The certificate or the TLS handshake is bad.
    #[error("failed to agree on TLS with {host}: {why}")]
    Tls {
        /// Host of the URL.
        host: String,
        /// What rustls says.
        why: String,
    },
    /// The connection broke after the request was sent: it may have run.
    #[error("the connection to {host} broke: {why}")]
    Broken {
        /// Host of the URL.
        host: String,
        /// What hyper says.
        why: String,
    },
    /// The answer took too long: the request may have run.
    #[error("{host} did not answer within {after:?}")]
    Timeout {
        /// Host of the URL.
        host: String,
        /// The limit.
        after: Duration,
    },
    /// The answer is larger than the limit.
    #[error("the answer of {host} is larger than {limit} bytes")]
    TooLarge {
        /// Host of the URL.
        host: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The answer has a `Content-Encoding`, which nobody asked for: a small one can unpack to anything.
    #[error("{host} compressed its answer unasked")]
    Compressed {
        /// Host of the URL.
        host: String,
    },
    /// A redirect that was not followed to its end.
    #[error("failed to follow a redirect of {host}: {why}")]
    Redirect {
        /// The host that redirected.
        host: String,
        /// What came of it.
        why: String,
    },
}

impl FetchError {
    /// Is it certain that the server did not see the request?
    pub fn never_sent(&self) -> bool {
        matches!(
            self,
            Self::Forbidden { .. } | Self::Dns { .. } | Self::Connect { .. } | Self::Tls { .. }
        )
    }

    /// Host of the URL; empty if there was none.
    pub fn host(&self) -> &str {
        match self {
            Self::Forbidden { host, .. }
            | Self::Dns { host }
            | Self::Connect { host, .. }
            | Self::Tls { host, .. }
            | Self::Broken { host, .. }
            | Self::Timeout { host, .. }
            | Self::TooLarge { host, .. }
            | Self::Compressed { host }
            | Self::Redirect { host, .. } => host,
        }
    }

    /// One word for logs.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Forbidden { .. } => "forbidden",
            Self::Dns { .. } => "dns",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Broken { .. } => "broken",
            Self::Timeout { .. } => "timeout",
            Self::TooLarge { .. } => "too_large",
            Self::Compressed { .. } => "compressed",
            Self::Redirect { .. } => "redirect",
        }
    }
}

/// How an attempt to connect ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Connecting {
    TimedOut,
    /// The connection stood and was gone before the request was written to it.
    Closed,
    Failed(ErrorKind),
}

impl Connecting {
    pub(super) fn on(self, host: &str) -> FetchError {
        let why = match self {
            Self::TimedOut => "timed out".to_owned(),
            Self::Closed => "closed before the request was sent".to_owned(),
            Self::Failed(kind) => kind.to_string(),
        };
        let host = host.to_owned();
        FetchError::Connect { host, why }
    }
}

/// The error of a connector, from whichever layer it comes.
pub(super) fn why_not_connected(
    host: &str,
    error: Box<dyn std::error::Error + Send + Sync>,
) -> FetchError {
    let error = match error.downcast::<FetchError>() {
        Ok(ours) => return *ours,
        Err(other) => other,
    };
    let mut kind = ErrorKind::Other;
    let mut layer: &(dyn std::error::Error + 'static) = &*error;
    // An `io::Error` holds another one, which holds what rustls says; `source` would skip layers.
    while let Some(io) = layer.downcast_ref::<io::Error>() {
        kind = io.kind();
        match io.get_ref() {
            Some(inner) => layer = inner,
            None => break,
        }
    }
    if layer.is::<InvalidDnsNameError>() {
        let host = host.to_owned();
        return FetchError::Dns { host };
    }
    if layer.is::<rustls::Error>() {
        return FetchError::Tls {
            host: host.to_owned(),
            why: short(&layer.to_string()),
        };
    }
    Connecting::Failed(kind).on(host)
}

/// The error of a connection that had been opened.
pub(super) fn broken(host: &str, error: &hyper::Error) -> FetchError {
    let io = error.source().and_then(|e| e.downcast_ref::<io::Error>());
    let why = match io {
        Some(io) => io.kind().to_string(),
        None => short(&error.to_string()),
    };
    let host = host.to_owned();
    FetchError::Broken { host, why }
}

/// A certificate's names come from the other side: one short line of them is enough.
fn short(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(LONGEST_REASON).collect()
}
