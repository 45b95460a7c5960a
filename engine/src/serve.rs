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

use crate::eager::eager;

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
                Ok((stream, _)) => { connections.spawn(eager(answer(stream, router.clone(), stopped.clone()))); }
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::{Notify, oneshot};
    use tokio::task::JoinHandle;

    use super::*;

    /// A server with one handler that says when it was entered and waits until it may answer.
    struct Slow {
        address: SocketAddr,
        entered: Arc<Notify>,
        answer: Arc<Notify>,
        stop: oneshot::Sender<()>,
        served: JoinHandle<Drained>,
    }

    async fn slow(grace: Duration) -> Slow {
        let (entered, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (enter, wait) = (entered.clone(), answer.clone());
        let handler = async move || {
            enter.notify_one();
            wait.notified().await;
            "done"
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let served = tokio::spawn(serve(
            listener,
            Router::new().route("/", get(handler)),
            stopped,
            grace,
        ));
        Slow {
            address,
            entered,
            answer,
            stop,
            served,
        }
    }

    async fn request(address: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        stream
    }

    #[tokio::test]
    async fn a_request_in_flight_is_answered_after_the_stop_and_a_new_one_is_not() {
        let slow = slow(Duration::from_mins(1)).await;
        let mut idle = TcpStream::connect(slow.address).await.unwrap();
        let mut stream = request(slow.address).await;
        slow.entered.notified().await;
        drop(slow.stop);
        // An idle connection is closed at once, and only after that the port can refuse.
        assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
        assert!(TcpStream::connect(slow.address).await.is_err());
        slow.answer.notify_one();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(
            text.starts_with("HTTP/1.1 200") && text.ends_with("done"),
            "{text}"
        );
        assert_eq!(slow.served.await.unwrap(), Drained::Completely);
    }

    #[tokio::test]
    async fn a_request_that_outlives_the_grace_period_is_cut() {
        let slow = slow(Duration::from_millis(1)).await;
        let mut stream = request(slow.address).await;
        slow.entered.notified().await;
        drop(slow.stop);
        assert_eq!(slow.served.await.unwrap(), Drained::Partly);
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_never_ends_is_cut_off() {
        let slow = slow(Duration::from_mins(1)).await;
        let mut stream = TcpStream::connect(slow.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
    }
}
