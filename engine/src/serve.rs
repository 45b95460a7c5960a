//! One listener: accept, answer, drain.

use std::io;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// A client that does not finish its request's head in this time is cut off.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Were all requests answered?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Yes.
    Completely,
    /// Some took longer than the grace period and were cut.
    Partly,
}

/// Serves until `shutdown`, then takes no more connections and gives the requests in flight `grace`
/// to end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
    grace: Duration,
) -> Drained {
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(answer(stream, router.clone(), stopped.clone())); }
                Err(error) => wait_after(&error).await,
            },
            // Keeps the set as small as the number of open connections.
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    stop.send_replace(true);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let drained = if timeout(grace, all_ended).await.is_ok() {
        Drained::Completely
    } else {
        Drained::Partly
    };
    connections.shutdown().await;
    drained
}

async fn answer(stream: TcpStream, router: Router, mut stopped: watch::Receiver<bool>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to set TCP_NODELAY");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Out of file descriptors, most likely: without a pause this would be a busy loop.
async fn wait_after(error: &io::Error) {
    tracing::warn!(%error, "failed to accept a connection");
    sleep(Duration::from_millis(50)).await;
}
