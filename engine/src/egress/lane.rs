//! The connections of one profile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HOST};
use http::{HeaderMap, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use super::connect::{Connector, Dial};
use super::deadline::Deadline;
use super::error::{Connecting, broken};
use super::guard::{Guard, Target};
use super::{Body, FetchError};

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) guard: Arc<Guard>,
    client: Client<Connector, Full<Bytes>>,
}

/// How long an unused connection is kept, and how many of one origin: as many as a connection's calls at once, by default. With
/// fewer, callers who come in waves connect anew in each wave.
const IDLE: Duration = Duration::from_secs(90);
const IDLE_OF_AN_ORIGIN: usize = 16;

impl Lane {
    pub(super) fn new(dial: Dial, tls: Arc<ClientConfig>) -> Self {
        let guard = dial.guard.clone();
        let connector = Connector::new(dial, tls);
        // A request that a stale connection gave back untouched is sent once more on another one: that is hyper-util's
        // default. One of which a byte may have been written is never sent again.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_OF_AN_ORIGIN)
            .build(connector);
        Self { guard, client }
    }

    pub(super) async fn send(
        &self,
        target: &Target,
        request: Request<Bytes>,
        deadline: Deadline,
    ) -> Result<Response<Body>, FetchError> {
        let host = &target.host;
        let mut request = request.map(Full::new);
        *request.uri_mut() = target.uri.clone();
        *request.version_mut() = Version::HTTP_11;
        // The first is the URL's to say; the second would allow what is refused below.
        request.headers_mut().remove(HOST);
        request.headers_mut().remove(ACCEPT_ENCODING);

        let used = capture_connection(&mut request);
        let answer = deadline.keep(self.client.request(request)).await;
        let connected = used.connection_metadata().is_some();
        let answer = match answer {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => return Err(why_unanswered(host, connected, &error)),
            None if connected => return Err(deadline.missed_by(host)),
            None => return Err(Connecting::TimedOut.on(host)),
        };
        if is_encoded(answer.headers()) {
            let host = host.clone();
            return Err(FetchError::Compressed { host });
        }
        let host = host.clone();
        Ok(answer.map(|body| {
            body.map_err(move |error| broken(&host, &error))
                .boxed_unsync()
        }))
    }
}

fn why_unanswered(
    host: &str,
    connected: bool,
    error: &hyper_util::client::legacy::Error,
) -> FetchError {
    let source = std::error::Error::source(error);
    if let Some(ours) = source.and_then(|e| e.downcast_ref::<FetchError>()) {
        return ours.clone();
    }
    match source.and_then(|e| e.downcast_ref::<hyper::Error>()) {
        // hyper gives a request back, "canceled", only while it has not begun to write it.
        Some(error) if connected && !error.is_canceled() => broken(host, error),
        None if connected => FetchError::Broken {
            host: host.to_owned(),
            why: error.to_string(),
        },
        _ => Connecting::Closed.on(host),
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(CONTENT_ENCODING);
    codings
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}
