//! An open watch: silent for all but engines, for nobody writes anything else.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use futures::Stream;
use futures::stream::unfold;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::request::{Asked, Target};
use super::server::Server;

/// Seconds of a watch that does not say how long it wants to be.
const LONGEST: u64 = 300;

/// An open watch.
pub struct Watch {
    server: Server,
    target: Target,
    version: usize,
    changes: watch::Receiver<()>,
    /// `None` once it has ended.
    until: Option<Instant>,
}

impl Watch {
    /// As it was asked for.
    pub fn open(server: Server, asked: &Asked) -> Self {
        let version = asked.extent.resource_version.as_deref();
        let version = version.and_then(|version| version.parse().ok());
        let seconds = asked.extent.timeout_seconds.unwrap_or(LONGEST);
        Self {
            changes: server.copies().changes(),
            server,
            target: asked.target.clone(),
            version: version.unwrap_or_default(),
            until: Some(Instant::now() + Duration::from_secs(seconds)),
        }
    }

    /// What it says, until its time is up.
    pub fn events(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        unfold(self, async |mut watch| {
            let events = watch.next().await?;
            Some((Ok(events.into()), watch))
        })
    }

    async fn next(&mut self) -> Option<String> {
        let until = self.until?;
        let copies = self.server.copies();
        let moulds = self.server.moulds(&self.target);
        let engine = moulds.first().filter(|mould| mould.index == 0);
        loop {
            if let Some(engine) = engine {
                let (events, version) = copies.since(engine, self.version);
                self.version = version;
                if !events.is_empty() {
                    return Some(events);
                }
            }
            if !matches!(timeout_at(until, self.changes.changed()).await, Ok(Ok(()))) {
                self.until = None;
                return Some(self.bookmark());
            }
        }
    }

    fn bookmark(&self) -> String {
        let metadata = json!({ "resourceVersion": self.version.to_string() });
        json!({ "type": "BOOKMARK", "object": { "apiVersion": "v1", "kind": "Bookmark", "metadata": metadata } })
            .to_string()
            + "\n"
    }
}
