//! A server that does what a test says, byte for byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::{ConnectorsConfig, Environment, HttpConfig};
use crate::egress::connect::Limits;
use crate::egress::resolve::System;
use crate::egress::{Egress, FetchError, Profile, Wait};

pub(super) const WAIT: Wait = Wait {
    head: Duration::from_secs(5),
    total: Duration::from_secs(5),
    body: 64 * 1024,
};

/// Long enough for loopback, short enough for a test that waits it out.
pub(super) const SHORT: Duration = Duration::from_millis(250);

/// A client with this `EGRESS_ALLOW` and nothing else.
pub(super) fn egress(allow: &str) -> Egress {
    egress_with(&[("EGRESS_ALLOW", allow)])
}

pub(super) fn egress_with(variables: &[(&str, &str)]) -> Egress {
    Egress::new(&config(variables)).unwrap()
}

/// A client that soon gives up connecting.
pub(super) fn hasty_egress(variables: &[(&str, &str)]) -> Egress {
    let limits = Limits {
        connect: SHORT,
        ..Limits::default()
    };
    Egress::with(&config(variables), Arc::new(System), limits).unwrap()
}

pub(super) fn config(variables: &[(&str, &str)]) -> ConnectorsConfig {
    let environment = Environment::of(variables);
    let http = HttpConfig::read(&environment).unwrap();
    ConnectorsConfig::read(&environment, &http).unwrap()
}

pub(super) fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

pub(super) fn post(url: &str) -> Request<Bytes> {
    let request = Request::builder().method(Method::POST).uri(url);
    request.body(Bytes::from_static(b"once")).unwrap()
}

/// What comes of one GET to a server that gets one request and then does this.
pub(super) async fn after_a_request<F, W>(wait: Wait, behaviour: F) -> Result<Bytes, FetchError>
where
    F: Fn(Conversation) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let server = serve(move |mut it, _| {
        let behaviour = behaviour.clone();
        async move {
            it.request().await;
            behaviour(it).await;
        }
    })
    .await;
    let egress = egress(&server.plain());
    let answer = egress
        .fetch(Profile::Catalog, get(&server.url("/")), wait)
        .await;
    assert_eq!(server.count.requests(), 1, "never sent twice");
    answer.map(http::Response::into_body)
}

/// Counts what reaches a server.
#[derive(Debug, Clone, Default)]
pub(super) struct Count {
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Count {
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// A listener on loopback, and what came to it.
pub(super) struct Server {
    pub(super) port: u16,
    pub(super) count: Count,
}

impl Server {
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The `EGRESS_ALLOW` that lets plain HTTP through to it.
    pub(super) fn plain(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Serves each connection by `behaviour`, which gets the connection's number, from 0.
pub(super) async fn serve<F, W>(behaviour: F) -> Server
where
    F: Fn(Conversation, usize) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    serve_by(None, behaviour).await
}

/// The same with TLS; who does not agree on it has no conversation.
pub(super) async fn serve_tls<F, W>(tls: ServerConfig, behaviour: F) -> Server
where
    F: Fn(Conversation, usize) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    serve_by(Some(TlsAcceptor::from(Arc::new(tls))), behaviour).await
}

async fn serve_by<F, W>(tls: Option<TlsAcceptor>, behaviour: F) -> Server
where
    F: Fn(Conversation, usize) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Count::default();
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = counted.connections.fetch_add(1, Ordering::SeqCst);
            let wire: Box<dyn Wire> = match &tls {
                None => Box::new(stream),
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => Box::new(stream),
                    Err(_) => continue,
                },
            };
            let count = counted.clone();
            tokio::spawn(behaviour(Conversation { wire, count }, number));
        }
    });
    Server { port, count }
}

pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// One connection, seen from the server.
pub(super) struct Conversation {
    wire: Box<dyn Wire>,
    count: Count,
}

impl Conversation {
    /// The next request, head and body; `None` when the client has gone.
    pub(super) async fn request(&mut self) -> Option<String> {
        let mut seen = Vec::new();
        while !is_whole(&seen) {
            let mut buffer = [0; 4096];
            let read = self.wire.read(&mut buffer).await.ok()?;
            if read == 0 {
                return None;
            }
            seen.extend_from_slice(&buffer[..read]);
        }
        self.count.requests.fetch_add(1, Ordering::SeqCst);
        Some(String::from_utf8(seen).unwrap())
    }

    /// Sends these bytes as they are.
    pub(super) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may have gone: that is its right.
        let _ = self.wire.write_all(bytes.as_ref()).await;
        let _ = self.wire.flush().await;
    }

    /// The same, and whether the client is still there.
    pub(super) async fn try_say(&mut self, text: &str) -> bool {
        self.wire.write_all(text.as_bytes()).await.is_ok()
    }

    /// Ends the connection by RST and not by FIN.
    pub(super) fn reset(self) {
        self.wire.tcp().set_zero_linger().unwrap();
    }

    /// Leaves the connection open and says nothing more, until the client goes.
    pub(super) async fn hang(mut self) {
        let mut buffer = [0; 4096];
        while matches!(self.wire.read(&mut buffer).await, Ok(read) if read > 0) {}
    }

    /// Answers every request alike until the client goes.
    pub(super) async fn always(mut self, answer: impl Fn(&str) -> String) {
        while let Some(request) = self.request().await {
            self.say(answer(&request)).await;
        }
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().unwrap())
    });
    body.len() >= length.unwrap_or(0)
}

pub(super) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(super) fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}
