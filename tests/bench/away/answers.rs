//! Whether an engine answers, as somebody sees it who asks all the time.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use kube::{Client, Config};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use userengine_api::names::Names;
use userengine_e2e::Namespace;

use crate::watching::DEADLINE;

/// Between an answer and the next request.
pub const STEP: Duration = Duration::from_millis(10);
/// An answer that takes longer is none. Whoever asks a pod that is gone may hear nothing at all.
pub const PATIENCE: Duration = Duration::from_millis(250);

/// Somebody who asks.
pub struct Answers {
    end: oneshot::Sender<()>,
    asking: JoinHandle<Duration>,
}

impl Answers {
    /// Begins to ask for `/health` through the API server, which goes to a Ready pod of the engine's Service; returns
    /// after the first good answer.
    pub async fn begin(namespace: &Namespace, engine: &str) -> anyhow::Result<Self> {
        let mut config = Config::infer().await?;
        // By itself the client would ask again, with pauses, before it says that there was no answer.
        config.default_retry = false;
        let (service, client) = (Names(engine).headless(), Client::try_from(config)?);
        let path = format!(
            "/api/v1/namespaces/{}/services/{service}:api/proxy/health",
            namespace.name
        );
        let (begun, first) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let asking = tokio::spawn(ask_on(client, path, begun, ended));
        timeout(Duration::from_secs(DEADLINE.into()), first)
            .await
            .with_context(|| format!("{engine} never answered"))??;
        Ok(Self { end, asking })
    }

    /// Waits for one more good answer; gives the longest time between two of them.
    pub async fn end(self) -> anyhow::Result<Duration> {
        drop(self.end);
        timeout(Duration::from_secs(DEADLINE.into()), self.asking)
            .await
            .context("the engine never answered again")?
            .context("the asking ended early")
    }
}

async fn ask_on(
    client: Client,
    path: String,
    begun: oneshot::Sender<()>,
    mut ended: oneshot::Receiver<()>,
) -> Duration {
    let (mut begun, mut last, mut longest) = (Some(begun), Instant::now(), Duration::ZERO);
    loop {
        // Looked at before the request: the last answer is to one that was sent after the end.
        let is_last = !matches!(ended.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        if answers(&client, &path).await {
            let now = Instant::now();
            match begun.take() {
                Some(begun) => drop(begun.send(())),
                None => longest = longest.max(now - last),
            }
            last = now;
            if is_last {
                return longest;
            }
        }
        sleep(STEP).await;
    }
}

async fn answers(client: &Client, path: &str) -> bool {
    let Ok(request) = http::Request::get(path).body(Vec::new()) else {
        return false;
    };
    // Status 200, or it is an error.
    matches!(
        timeout(PATIENCE, client.request_text(request)).await,
        Ok(Ok(_))
    )
}
