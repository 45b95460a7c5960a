//! A watch on its way through.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use kube::client::Body as Upstream;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::call::Call;
use super::fault::{Fault, expired};
use super::{Shared, Trouble};

/// The answer to a watch, event by event.
pub(super) fn pass(
    shared: Arc<Shared>,
    watch: &Call,
    answer: http::Response<Upstream>,
) -> Response {
    let (head, body) = answer.into_parts();
    let (sender, receiver) = channel(16);
    let has_lost = shared.seen().goes_past(watch);
    let watching = Watching {
        troubles: shared.trouble.subscribe(),
        shared,
        path: watch.path.clone(),
        out: sender,
        has_lost,
    };
    tokio::spawn(watching.run(lines(body)));
    Response::from_parts(head, Body::from_stream(received(receiver)))
}

type Chunk = Result<Bytes, io::Error>;

fn received(mut receiver: Receiver<Chunk>) -> impl futures::Stream<Item = Chunk> {
    stream::poll_fn(move |context| receiver.poll_recv(context))
}

/// The lines of a body, each with its end.
fn lines(body: Upstream) -> impl futures::Stream<Item = Vec<u8>> {
    let chunks = Box::pin(body.into_data_stream());
    stream::unfold((chunks, Vec::new()), |(mut chunks, mut rest)| async move {
        loop {
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let after = rest.split_off(end + 1);
                return Some((rest, (chunks, after)));
            }
            rest.extend(chunks.next().await?.ok()?);
        }
    })
}

/// Waits for the end of the trouble.
async fn calm(troubles: &mut tokio::sync::watch::Receiver<Option<Trouble>>) {
    // The sender lives as long as the proxy.
    let _gone = troubles.wait_for(Option::is_none).await.is_err();
}

/// What is done with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Pass,
    Twice,
    Drop,
    Bookmark,
    Cut,
    Expire,
    Silence,
}

/// What a fault that strikes does to this event.
pub(super) fn fate(fault: Fault, event: &[u8]) -> Fate {
    let is_bookmark = event.starts_with(br#"{"type":"BOOKMARK""#);
    match fault {
        Fault::Dropped if !is_bookmark => Fate::Drop,
        Fault::BookmarksOnly if !is_bookmark => Fate::Bookmark,
        Fault::Duplicated => Fate::Twice,
        Fault::Cut => Fate::Cut,
        Fault::Gone | Fault::StaleList => Fate::Expire,
        Fault::Silent | Fault::CutOff => Fate::Silence,
        _ => Fate::Pass,
    }
}

/// The version of this event, and a bookmark of it; `None` if it has none.
fn bookmark(event: &[u8]) -> Option<(String, String)> {
    let event: Value = serde_json::from_slice(event).ok()?;
    let object = event.get("object")?;
    let version = object.pointer("/metadata/resourceVersion")?.as_str()?;
    let (kind, api_version) = (object.get("kind")?, object.get("apiVersion")?);
    let mark = json!({
        "kind": kind, "apiVersion": api_version, "metadata": { "resourceVersion": version },
    });
    // As the API server writes it: by its beginning an event is known.
    let text = format!("{{\"type\":\"BOOKMARK\",\"object\":{mark}}}\n");
    Some((version.to_owned(), text))
}

struct Watching {
    shared: Arc<Shared>,
    path: String,
    troubles: tokio::sync::watch::Receiver<Option<Trouble>>,
    out: Sender<Chunk>,
    has_lost: bool,
}

impl Watching {
    /// Passes events on until either side hangs up.
    async fn run(mut self, events: impl futures::Stream<Item = Vec<u8>>) {
        let mut events = std::pin::pin!(events);
        loop {
            let event = tokio::select! {
                () = self.out.closed() => return,
                () = calm(&mut self.troubles), if self.has_lost => None,
                event = events.next() => event,
            };
            let Some(event) = event else {
                // An API server that has lost events makes its clients list anew.
                if self.has_lost {
                    self.send(expired()).await;
                }
                return;
            };
            if !self.is_to_go_on(event).await {
                return;
            }
        }
    }

    async fn is_to_go_on(&mut self, event: Vec<u8>) -> bool {
        match self.shared.strikes_event(&event) {
            Fate::Pass => self.send(event).await,
            Fate::Twice => {
                self.send(event.clone()).await;
                self.send(event).await;
            }
            Fate::Drop => self.has_lost = true,
            Fate::Bookmark => {
                self.has_lost = true;
                if let Some((version, bookmark)) = bookmark(&event) {
                    let skipped = (self.path.clone(), version);
                    self.shared.seen().skipped.push(skipped);
                    self.send(bookmark).await;
                    // It comes again, from there.
                    return false;
                }
            }
            Fate::Cut => {
                let half = event.len() / 2;
                self.send(event.into_iter().take(half).collect::<Vec<_>>())
                    .await;
                let _gone = self.out.send(Err(io::Error::other("cut"))).await;
                return false;
            }
            Fate::Expire => {
                self.send(expired()).await;
                return false;
            }
            Fate::Silence => {
                self.out.closed().await;
                return false;
            }
        }
        true
    }

    /// The operator may be gone.
    async fn send(&self, chunk: impl Into<Bytes>) {
        let _gone = self.out.send(Ok(chunk.into())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_are_taken_apart_wherever_the_network_split_them() {
        let body = Upstream::from(b"{\"a\":1}\n{\"b\":2}\n{\"half\"".to_vec());
        let all: Vec<_> = lines(body).collect().await;
        assert_eq!(all, [b"{\"a\":1}\n".to_vec(), b"{\"b\":2}\n".to_vec()]);
    }

    #[test]
    fn bookmarks_pass_where_events_are_lost() {
        let bookmark = br#"{"type":"BOOKMARK","object":{}}"#;
        let event = br#"{"type":"MODIFIED","object":{}}"#;
        for (fault, lost) in [
            (Fault::Dropped, Fate::Drop),
            (Fault::BookmarksOnly, Fate::Bookmark),
        ] {
            assert_eq!(fate(fault, bookmark), Fate::Pass);
            assert_eq!(fate(fault, event), lost);
        }
        assert_eq!(fate(Fault::Failure, event), Fate::Pass);
    }

    #[test]
    fn a_bookmark_is_of_the_kind_and_the_version_of_the_event_and_holds_nothing_else() {
        let event = br#"{"type":"MODIFIED","object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","resourceVersion":"7"}}}"#;
        let (version, text) = bookmark(event).unwrap();
        assert_eq!(version, "7");
        assert_eq!(fate(Fault::BookmarksOnly, text.as_bytes()), Fate::Pass);
        let bookmark: Value = serde_json::from_str(&text).unwrap();
        let object =
            json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "resourceVersion": "7" } });
        assert_eq!(bookmark["object"], object);
        assert!(text.ends_with('\n'));
        assert!(super::bookmark(br#"{"type":"ERROR","object":{"metadata":{}}}"#).is_none());
    }
}
