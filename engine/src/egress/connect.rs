//! Opens connections, and only to addresses that the guard has seen.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tower::Service;

use super::error::{Connecting, why_not_connected};
use super::guard::Guard;
use super::{FetchError, Resolve};

/// How long the steps of connecting may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Resolving a name.
    pub(super) resolve: Duration,
    /// From the start of resolving to the end of the TLS handshake.
    pub(super) connect: Duration,
    /// Head start of an address over the next one of the same name (RFC 8305, 5).
    pub(super) head_start: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            head_start: Duration::from_millis(250),
        }
    }
}

/// Addresses of one name that are tried: a name with a thousand of them is a way to make an engine scan.
const MOST_ADDRESSES: usize = 8;

type Connected = MaybeHttpsStream<TokioIo<TcpStream>>;
type Opening<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// TCP, then TLS if the scheme is https, within one time limit.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    https: HttpsConnector<Dial>,
    limits: Limits,
}

impl Connector {
    pub(super) fn new(dial: Dial, tls: Arc<ClientConfig>) -> Self {
        let limits = dial.limits;
        let https = HttpsConnector::from((dial, tls));
        Self { https, limits }
    }
}

impl Service<Uri> for Connector {
    type Response = Connected;
    type Error = FetchError;
    type Future = Opening<Connected, FetchError>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        // Neither layer below ever makes anybody wait here.
        self.https
            .poll_ready(context)
            .map_err(|error| why_not_connected("", error))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (host, limit) = (bare_host(&uri), self.limits.connect);
        let connecting = self.https.call(uri);
        Box::pin(async move {
            match timeout(limit, connecting).await {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(why_not_connected(&host, error)),
                Err(_) => Err(Connecting::TimedOut.on(&host)),
            }
        })
    }
}

/// Resolves, asks the guard, connects.
#[derive(Debug, Clone)]
pub(super) struct Dial {
    pub(super) guard: Arc<Guard>,
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) limits: Limits,
}

impl Service<Uri> for Dial {
    type Response = TokioIo<TcpStream>;
    type Error = FetchError;
    type Future = Opening<Self::Response, FetchError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dial = self.clone();
        Box::pin(async move {
            let host = bare_host(&uri);
            let port = uri.port_u16().unwrap_or_else(|| default_port(&uri));
            let addresses = dial.resolve(&host, port).await?;
            let stream = first_of(addresses, dial.limits.head_start).await;
            let stream = stream.map_err(|error| Connecting::Failed(error.kind()).on(&host))?;
            // Small requests must not wait for the acknowledgement of earlier ones.
            stream
                .set_nodelay(true)
                .map_err(|error| Connecting::Failed(error.kind()).on(&host))?;
            Ok(TokioIo::new(stream))
        })
    }
}

impl Dial {
    /// The addresses of a host that may be called. What is connected to afterwards is one of these and nothing that a
    /// second look-up would say.
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, FetchError> {
        let unresolved = || FetchError::Dns {
            host: host.to_owned(),
        };
        let found = self.resolver.resolve(host, port);
        let found = timeout(self.limits.resolve, found).await;
        let found = found.map_err(|_| unresolved())?.map_err(|_| unresolved())?;
        let mut refusal = None;
        let mut open = Vec::new();
        for address in found {
            match self.guard.check_address(host, port, address.ip()) {
                Ok(()) => open.push(address),
                Err(error) => refusal = Some(error),
            }
        }
        open.truncate(MOST_ADDRESSES);
        if open.is_empty() {
            return Err(refusal.unwrap_or_else(unresolved));
        }
        Ok(open)
    }
}

/// The first connection that stands. Each address gets a head start; a failure starts the next one at once.
pub(super) async fn first_of(
    addresses: Vec<SocketAddr>,
    head_start: Duration,
) -> io::Result<TcpStream> {
    let mut waiting = VecDeque::from(addresses);
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = waiting.pop_front() {
            attempts.push(TcpStream::connect(address));
        }
        let finished = if waiting.is_empty() {
            attempts.next().await
        } else {
            tokio::select! {
                finished = attempts.next() => finished,
                () = sleep(head_start) => continue,
            }
        };
        match finished {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => last = error,
            None => return Err(last),
        }
    }
}

fn bare_host(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned()
}

fn default_port(uri: &Uri) -> u16 {
    if uri.scheme_str() == Some("http") {
        80
    } else {
        443
    }
}
