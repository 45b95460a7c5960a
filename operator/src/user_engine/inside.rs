//! What a running engine says of itself, on its internal port.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use userengine_api::key::Kid;
use userengine_api::layout::INTERNAL_PORT;
use userengine_rotation::verdict::Progress;

use super::assess::is_over;
use super::retry;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How soon an engine that did not answer is asked again: twice as long each time.
const AGAIN: Duration = Duration::from_secs(5);
const SELDOM: Duration = Duration::from_mins(5);
/// Engines that did not answer before and are asked again at once: the others have most of the operator's turns.
const MUTE_AT_ONCE: usize = 4;
/// After so many in a row that did not answer, those that were never asked count among these: it may be the way to all of them.
const IN_A_ROW: u32 = 8;
/// Longest wait for word of a rotation's progress, which is asked for each second.
pub(super) const PROGRESS_PATIENCE: Duration = Duration::from_millis(700);
/// Largest answer that is read, in bytes.
const LIMIT: usize = 64 * 1024;

/// The answer of `GET /keys`, as far as the operator needs it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Inside {
    /// The engine's version.
    pub version: String,
    /// The key that it seals with.
    pub write_kid: Kid,
    /// The keys in its ring.
    #[serde(default)]
    pub held_kids: Vec<Kid>,
    /// Sealed values by key, those in quarantine included.
    #[serde(default)]
    pub rows_by_kid: BTreeMap<Kid, u64>,
    /// The last time that all values opened with one key alone.
    #[serde(default)]
    pub last_verify: Option<LastVerify>,
    /// The short names of the API keys that it accepts, the current one first.
    #[serde(default)]
    pub api_key_hashes: Vec<String>,
}

/// A time at which all values opened with one key alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LastVerify {
    /// Which key.
    pub kid: Kid,
}

impl Inside {
    /// Nothing needs this key any more, as far as the engine can tell: it seals with `active`, everything opened with that
    /// alone, it does not hold the key, and no value names it.
    pub fn does_without(&self, kid: &Kid, active: &Kid) -> bool {
        let rows = self.rows_by_kid.get(kid).copied().unwrap_or_default();
        self.write_kid == *active
            && self
                .last_verify
                .as_ref()
                .is_some_and(|last| last.kid == *active)
            && !self.held_kids.contains(kid)
            && rows == 0
    }
}

/// The engine could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pod has no address.
    #[error("failed to ask the engine: its pod has no address")]
    NoAddress,
    /// No connection, or no answer.
    #[error("failed to ask the engine at {address}: {message}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        message: String,
    },
    /// It answered something else.
    #[error("failed to understand the engine's answer: {0}")]
    NotUnderstood(String),
}

/// Asks engines, and remembers of each run of a pod its engine's version, or that it did not answer. Who waits for an answer
/// keeps others waiting, and where nobody may reach the pods that is every engine.
pub struct Insides {
    known: Mutex<HashMap<String, Known>>,
    /// How many of those that did not answer may be asked at once.
    again: Semaphore,
    /// How many did not answer since one did.
    in_a_row: AtomicU32,
}

/// What is known of one run of an engine.
struct Known {
    run: Run,
    /// What it said last.
    version: Option<Box<str>>,
    /// It did not answer since.
    mute: Option<Mute>,
}

#[derive(Clone, Copy)]
struct Mute {
    /// So often in a row.
    misses: u32,
    /// It is not asked before.
    next: Instant,
}

/// One run of an engine: a pod and how often its container started, as a hash.
type Run = u64;

impl Default for Insides {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            again: Semaphore::new(MUTE_AT_ONCE),
            in_a_row: AtomicU32::new(0),
        }
    }
}

impl Insides {
    /// The version that the engine in this pod says it has; from memory if this run was asked before. An error is how long it
    /// is not asked again.
    pub async fn version(&self, engine: &str, pod: &Pod) -> Result<Box<str>, Duration> {
        if let Some(version) = self.said(engine, run_of(pod)) {
            return Ok(version);
        }
        Ok(self.ask(engine, pod).await?.version.into())
    }

    /// What the engine in this pod says now: proof must be fresh. An error is how long it is not asked again.
    pub async fn ask(&self, engine: &str, pod: &Pod) -> Result<Inside, Duration> {
        let run = run_of(pod);
        let mute = self.of_run(engine, run, |known| known.mute);
        let left = mute.and_then(Mute::left);
        if let Some(left) = left {
            return Err(left);
        }
        let misses = mute.map_or(0, |mute| mute.misses);
        let is_doubtful = misses > 0 || self.in_a_row.load(Ordering::Relaxed) >= IN_A_ROW;
        let turn = is_doubtful.then(|| self.again.try_acquire());
        if let Some(Err(_)) = turn {
            // However many there are: whoever comes back costs a look, asked or not.
            return Err(AGAIN + retry::share(SELDOM, engine));
        }
        let answer = ask(pod, "/keys", PATIENCE).await;
        let (version, mute, said) = match answer {
            Ok(inside) => {
                let inside: Inside = inside;
                self.in_a_row.store(0, Ordering::Relaxed);
                (Some(inside.version.as_str().into()), None, Ok(inside))
            }
            Err(error) => {
                self.in_a_row.fetch_add(1, Ordering::Relaxed);
                let misses = misses.saturating_add(1);
                let wait = pause(misses);
                tracing::warn!(engine, %error, again_s = wait.as_secs(), "the engine could not be asked; it is asked again");
                let next = Instant::now() + wait;
                (
                    self.said(engine, run),
                    Some(Mute { misses, next }),
                    Err(wait),
                )
            }
        };
        let known = Known { run, version, mute };
        self.known().insert(engine.to_owned(), known);
        said
    }

    /// The version that this run has said.
    fn said(&self, engine: &str, run: Run) -> Option<Box<str>> {
        self.of_run(engine, run, |known| known.version.clone())
    }

    /// What is known of this run, and of no other.
    fn of_run<T>(&self, engine: &str, run: Run, what: impl Fn(&Known) -> Option<T>) -> Option<T> {
        let all = self.known();
        all.get(engine)
            .filter(|known| known.run == run)
            .and_then(what)
    }

    /// How long an engine that did not answer is not asked again.
    pub fn silence(&self, engine: &str) -> Option<Duration> {
        self.known().get(engine)?.mute?.left()
    }

    /// Forgets an engine that is gone.
    pub fn forget(&self, engine: &str) {
        self.known().remove(engine);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mute {
    /// How long it is not asked again, if it is not.
    fn left(self) -> Option<Duration> {
        let left = self.next.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

/// How long an engine is not asked again that did not answer so often in a row.
fn pause(misses: u32) -> Duration {
    let doubled = AGAIN.saturating_mul(1 << misses.saturating_sub(1).min(16));
    doubled.min(SELDOM)
}

fn run_of(pod: &Pod) -> Run {
    let containers = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    let restarts: i32 = containers.map(|container| container.restart_count).sum();
    let mut hasher = DefaultHasher::new();
    (&pod.metadata.uid, restarts).hash(&mut hasher);
    hasher.finish()
}

/// How far the rotation is that one of these pods runs; `None` if none of them says so.
pub async fn progress(pods: &[Pod]) -> Option<Progress> {
    let pod = pods.iter().find(|pod| !is_over(pod))?;
    ask(pod, "/progress", PROGRESS_PATIENCE).await.ok()
}

async fn ask<T: DeserializeOwned>(pod: &Pod, path: &str, patience: Duration) -> Result<T, Error> {
    let address = pod
        .status
        .as_ref()
        .and_then(|status| status.pod_ip.clone())
        .ok_or(Error::NoAddress)?;
    let address = if address.contains(':') {
        format!("[{address}]:{INTERNAL_PORT}")
    } else {
        format!("{address}:{INTERNAL_PORT}")
    };
    match timeout(patience, get(&address, path)).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::Unreachable {
            address,
            message: "no answer in time".to_owned(),
        }),
    }
}

async fn get<T: DeserializeOwned>(address: &str, path: &str) -> Result<T, Error> {
    let unreachable = |message: String| Error::Unreachable {
        address: address.to_owned(),
        message,
    };
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", address)
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|error| unreachable(error.to_string()))?;
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    if answer.status() != StatusCode::OK {
        return Err(Error::NotUnderstood(answer.status().to_string()));
    }
    let body = Limited::new(answer.into_body(), LIMIT).collect().await;
    let body = body.map_err(|error| Error::NotUnderstood(error.to_string()))?;
    serde_json::from_slice(&body.to_bytes())
        .map_err(|error| Error::NotUnderstood(error.to_string()))
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn kid(digit: &str) -> Kid {
        digit.repeat(16).parse().unwrap()
    }

    fn inside(change: impl FnOnce(&mut Inside)) -> Inside {
        let mut inside = Inside {
            version: "0.1.0".to_owned(),
            write_kid: kid("b"),
            held_kids: vec![kid("b")],
            rows_by_kid: [(kid("b"), 3)].into(),
            last_verify: Some(LastVerify { kid: kid("b") }),
            api_key_hashes: vec!["01234567".to_owned()],
        };
        change(&mut inside);
        inside
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_does_not_answer_is_asked_ever_more_seldom_until_it_starts_anew() {
        let insides = Insides::default();
        // These pods have no address.
        let wait = async |uid| insides.version("e", &pod(uid, 0)).await.unwrap_err();
        assert_eq!(wait("1").await, AGAIN);
        assert_eq!(wait("1").await, AGAIN, "it is not asked before");
        for doubled in [2, 4, 8, 16, 32] {
            advance(SELDOM).await;
            assert_eq!(wait("1").await, doubled * AGAIN);
        }
        advance(SELDOM).await;
        assert_eq!(wait("1").await, SELDOM);
        assert_eq!(wait("2").await, AGAIN);
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_answers_few_are_asked_at_once_for_the_first_time_as_well() {
        let insides = Insides::default();
        let busy = insides.again.try_acquire_many(4).unwrap();
        // These pods have no address.
        let wait = async |engine: u32| {
            let engine = format!("engine-{engine}");
            let wait = insides.ask(&engine, &pod("1", 0)).await.unwrap_err();
            (insides.silence(&engine).is_some(), wait)
        };
        for engine in 0..IN_A_ROW {
            assert_eq!(wait(engine).await, (true, AGAIN), "{engine}");
        }
        let mut waits = Vec::new();
        for engine in 0..100 {
            advance(AGAIN).await;
            let (is_asked, wait) = wait(engine + IN_A_ROW).await;
            assert!(!is_asked, "others are being asked");
            waits.push(wait);
        }
        // Each second, of a hundred that were turned away.
        let looks: f64 = waits.iter().map(|wait| wait.as_secs_f64().recip()).sum();
        assert!(looks < 2.0, "{looks}");
        drop(busy);
        assert_eq!(wait(IN_A_ROW).await, (true, AGAIN));
    }

    #[tokio::test(start_paused = true)]
    async fn a_version_that_was_said_outlasts_a_silence_of_the_same_run() {
        let insides = Insides::default();
        insides.known().insert("e".to_owned(), told(&pod("1", 0)));
        assert_eq!(insides.silence("e"), None);
        for _ in 0..2 {
            assert!(insides.ask("e", &pod("1", 0)).await.is_err());
            assert_eq!(insides.silence("e"), Some(AGAIN));
            let version = insides.version("e", &pod("1", 0)).await;
            assert_eq!(version.unwrap().as_ref(), "0.1.0");
        }
        assert!(
            insides.version("e", &pod("1", 1)).await.is_err(),
            "another run"
        );
    }

    #[test]
    fn a_key_is_done_without_only_if_nothing_at_all_speaks_for_it() {
        let without = |inside: Inside| inside.does_without(&kid("a"), &kid("b"));
        assert!(without(inside(|_| {})));
        assert!(!without(inside(|it| it.held_kids.push(kid("a")))));
        assert!(!without(inside(|it| {
            it.rows_by_kid.insert(kid("a"), 1);
        })));
        assert!(!without(inside(|it| it.last_verify = None)));
        let of_another = Some(LastVerify { kid: kid("a") });
        assert!(!without(inside(|it| it.last_verify = of_another)));
        assert!(!without(inside(|it| it.write_kid = kid("c"))));
    }

    fn pod(uid: &str, restarts: i32) -> Pod {
        let container = serde_json::json!({ "name": "engine", "image": "", "imageID": "", "ready": true,
            "restartCount": restarts });
        serde_json::from_value(serde_json::json!({
            "metadata": { "uid": uid }, "status": { "containerStatuses": [container] },
        }))
        .unwrap()
    }

    /// Its engine said so.
    fn told(pod: &Pod) -> Known {
        Known {
            run: run_of(pod),
            version: Some("0.1.0".into()),
            mute: None,
        }
    }

    #[tokio::test]
    async fn each_run_is_asked_once_and_none_is_remembered_of_an_engine_that_is_gone() {
        let insides = Insides::default();
        let first = pod("p", 0);
        insides.known().insert("e".to_owned(), told(&first));
        let version = insides.version("e", &first).await;
        assert_eq!(version.unwrap().as_ref(), "0.1.0");
        // These pods have no address.
        assert!(insides.version("e", &pod("p", 1)).await.is_err());
        assert!(insides.version("e", &pod("q", 0)).await.is_err());
        insides.forget("e");
        assert!(insides.version("e", &first).await.is_err());
    }

    /// As `engine/src/internal/keys.rs` writes it; fields of no use here are left out of both.
    #[test]
    fn reads_the_answer_of_an_engine() {
        let answer = serde_json::json!({
            "version": "0.1.0", "database_id": "db", "held_kids": [kid("b")], "write_kid": kid("b"),
            "rows_by_kid": { (kid("b").to_string()): 3 }, "api_key_hashes": ["01234567"], "open_count": 1,
            "last_verify": { "kid": kid("b"), "at": "2026-01-01T00:00:00Z" },
        });
        let read: Inside = serde_json::from_value(answer).unwrap();
        assert_eq!(read, inside(|_| {}));
    }
}
