//! Clients that wait for nothing for ever. A connection whose other end is gone without a word looks like one that is quiet:
//! what waits on it would wait until the kernel gives up, which takes a quarter of an hour or never happens.

use std::time::Duration;

use kube::runtime::watcher;
use kube::{Client, Config};

/// Longest silence of the API server while it answers anything but a watch.
const ANSWER: Duration = Duration::from_secs(10);
/// Seconds that a watch lasts; then the API server ends it, and it is opened again where it was. It is quiet for as long as
/// nothing changes, so this is how long one that is dead may be taken for one that is quiet.
const WATCH_SECONDS: u32 = 30;
/// Longest silence of the API server towards whoever watches: kube gives a watch up 5 s after its end; this one is for the
/// lists that a watch begins with.
const WATCHED: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 10);

/// One client for each kind of patience.
#[derive(Clone)]
pub struct Clients {
    /// Looks and writes.
    pub requests: Client,
    /// Watches.
    pub watches: Client,
}

impl Clients {
    /// Clients of this cluster, as `connect` makes them.
    pub fn of(
        cluster: &Config,
        connect: impl Fn(Config) -> kube::Result<Client>,
    ) -> kube::Result<Self> {
        Ok(Self {
            requests: connect(patient(cluster, ANSWER))?,
            watches: connect(patient(cluster, WATCHED))?,
        })
    }
}

fn patient(cluster: &Config, patience: Duration) -> Config {
    let mut cluster = cluster.clone();
    cluster.read_timeout = Some(patience);
    // Counted from the request on: a connection may have been idle before.
    cluster.reset_reader_on_write = true;
    // The library would try again by itself for minutes, without asking anybody whether that is still wanted. That the API server is
    // left alone for as long as it asks is `Busy`'s part.
    cluster.default_retry = false;
    cluster
}

/// How everything is watched.
pub fn watching() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use k8s_openapi::api::core::v1::Pod;
    use kube::Api;
    use kube::api::ListParams;
    use tokio::time::{Instant, timeout};

    use super::*;

    /// Clients of a server that takes connections and never says a word.
    fn of_a_mute_server() -> (TcpListener, Clients) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let cluster = Config::new(address.parse().unwrap());
        let clients = Clients::of(&cluster, Client::try_from).unwrap();
        (listener, clients)
    }

    async fn is_given_up_within(patience: Duration, client: Client) {
        let pods: Api<Pod> = Api::all(client);
        let began = Instant::now();
        let all = ListParams::default();
        let look = timeout(patience * 2, pods.list(&all)).await;
        assert!(look.expect("it is given up").is_err());
        assert!(began.elapsed() >= patience, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_given_up() {
        let (_listener, clients) = of_a_mute_server();
        is_given_up_within(ANSWER, clients.requests).await;
        is_given_up_within(WATCHED, clients.watches).await;
    }

    #[tokio::test]
    async fn what_was_turned_away_is_not_sent_again_unasked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicU32::new(0));
        let count = asked.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _head = stream.read(&mut [0; 4096]);
                count.fetch_add(1, Ordering::Relaxed);
                let busy = "HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                let _gone = stream.write_all(busy.as_bytes());
            }
        });
        let cluster = Config::new(address.parse().unwrap());
        let client = Clients::of(&cluster, Client::try_from).unwrap().requests;
        let pods: Api<Pod> = Api::all(client);
        let look = timeout(ANSWER, pods.list(&ListParams::default())).await;
        assert!(look.expect("it comes back with what was said").is_err());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_quiet_watch_is_not_given_up_before_its_end() {
        let kubes_own = Duration::from_secs(u64::from(WATCH_SECONDS) + 5);
        assert_eq!(watching().timeout, Some(WATCH_SECONDS));
        assert!(WATCHED > kubes_own);
    }
}
