//! One engine, and one server that fails.

use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tempfile::TempDir;
use tracing::Level;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;
use userengine_engine::telemetry;

use super::asking::Called;
use crate::support::faulty::Faulty;
use crate::support::in_process::TestEngine;

pub struct World {
    pub engine: TestEngine,
    pub server: Faulty,
    pub calls: Mutex<Vec<Called>>,
    /// Where the browser comes back to, once it is sent away.
    pub(super) back: Mutex<String>,
    /// All answers of the engine.
    pub(super) answers: Mutex<String>,
    _catalog: TempDir,
    log: Log,
    _guard: DefaultGuard,
}

impl World {
    /// An engine whose calls may take so many seconds, and this server, which it knows by the name `notes`. Belongs to a
    /// runtime with one thread.
    pub async fn beside(server: Faulty, call_limit: u64) -> Self {
        let log = Log::default();
        let writer = log.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let registry = tracing_subscriber::registry().with(telemetry::filter(Level::TRACE));
        let guard = tracing::subscriber::set_default(registry.with(layer));

        let catalog = tempfile::tempdir().unwrap();
        let entry = json!({
            "name": "notes",
            "transport": "streamable_http",
            "url": server.url(),
            "auth_method": "oauth",
            "trust_annotations": true,
        });
        fs::write(catalog.path().join("notes.json"), entry.to_string()).unwrap();
        let limit = call_limit.to_string();
        let [(allow, hosts), (extra, ca)] = server.variables();
        let variables = [
            (allow, hosts.as_str()),
            (extra, ca.as_str()),
            ("CATALOG_DIR", catalog.path().to_str().unwrap()),
            ("OAUTH_REDIRECT_BASE_URL", "https://engines.example.com"),
            ("CALL_TIMEOUT_SECONDS", &limit),
            // A place that a failed call keeps would refuse the next one.
            ("CALLS_PER_CONNECTION", "1"),
            ("CALLS_PER_ENGINE", "1"),
        ];
        let engine = TestEngine::start_resolved_by(server.resolver(), &variables).await;
        Self {
            engine,
            server,
            calls: Mutex::default(),
            back: Mutex::default(),
            answers: Mutex::default(),
            _catalog: catalog,
            log,
            _guard: guard,
        }
    }

    /// Stops the engine cleanly and starts it again.
    pub async fn restarted(self) -> Self {
        Self {
            engine: self.engine.restart().await,
            ..self
        }
    }

    /// Everything that anybody could have seen so far, each with where: answers, the log at its loudest, metrics, what is on
    /// the volume.
    pub fn seen(&self) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut seen = vec![
            (
                "the answers".to_owned(),
                self.answers.lock().unwrap().clone(),
            ),
            ("the log".to_owned(), text(&self.log.0.lock().unwrap())),
            (
                "the metrics".to_owned(),
                self.engine.app.metrics.render().unwrap(),
            ),
        ];
        for file in fs::read_dir(self.engine.volume.path()).unwrap() {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            seen.push((
                path.file_name().unwrap().to_string_lossy().into(),
                text(&bytes),
            ));
        }
        seen
    }
}

#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
