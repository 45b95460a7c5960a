//! An engine in this process beside a provider.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use userengine_engine::assets::Connection;
use userengine_engine::domain::ConnectionId;

use crate::support::in_process::{TestEngine, shown};
use crate::support::provider::Provider;

pub const CALLBACK: &str = "https://engines.example.com/base/assets/oauth/callback";

pub struct World {
    pub engine: TestEngine,
    pub provider: Provider,
    pub catalog: TempDir,
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more variables.
    pub async fn start_with(more: &[(&str, &str)]) -> Self {
        let provider = Provider::start();
        let catalog = provider.catalog();
        let egress = provider.egress();
        let mut variables = vec![
            ("CATALOG_DIR", catalog.path().to_str().unwrap()),
            ("EGRESS_ALLOW", egress.as_str()),
            (
                "OAUTH_REDIRECT_BASE_URL",
                "https://engines.example.com/base/",
            ),
        ];
        variables.extend(more);
        let engine = TestEngine::start_with(&variables).await;
        Self {
            engine,
            provider,
            catalog,
        }
    }

    /// Stops the engine cleanly and starts it again.
    pub async fn restarted(self) -> Self {
        Self {
            engine: self.engine.restart().await,
            ..self
        }
    }

    pub async fn request(&self, method: &str, path: &str, body: Option<Value>) -> Response<String> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-request-id", "test")
            .header("x-engine-key", "current");
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let response = self
            .engine
            .api()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.request("GET", path, None).await;
        assert_eq!(answer.status(), 200, "{}", answer.body());
        serde_json::from_str(answer.body()).unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.request("POST", path, Some(body)).await;
        let json = serde_json::from_str(answer.body()).unwrap_or(Value::Null);
        (answer.status().as_u16(), json)
    }

    pub async fn connect(&self, body: Value) -> (u16, Value) {
        self.post("/assets/connect", body).await
    }

    /// What the browser gets when the provider sends it back. It has no key.
    pub async fn callback(&self, query: &str) -> Response<String> {
        let path = format!("/assets/oauth/callback?{query}");
        crate::support::in_process::send(self.engine.api(), "GET", &path, &[]).await
    }

    /// Begins an authorization. Gives `ref_id` and `auth_url`.
    pub async fn begin(&self, body: Value) -> (String, String) {
        let (status, answer) = self.connect(body).await;
        assert_eq!(
            (status, &answer["status"]),
            (200, &json!("pending_oauth")),
            "{answer}"
        );
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        (text("ref_id"), text("auth_url"))
    }

    /// Connects by OAuth, all the way.
    pub async fn authorize(&self, body: Value) -> String {
        let (ref_id, auth_url) = self.begin(body).await;
        let page = self.callback(&self.provider.consent(&auth_url)).await;
        assert_eq!(page.status(), 200, "{}", page.body());
        ref_id
    }

    pub async fn connection(&self, ref_id: &str) -> Value {
        self.get(&format!("/assets/connections/{ref_id}")).await
    }

    pub async fn status(&self, ref_id: &str) -> String {
        self.connection(ref_id).await["status"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub fn handle(&self, ref_id: &str) -> std::sync::Arc<Connection> {
        let id = ConnectionId::try_from(ref_id.to_owned()).unwrap();
        self.engine.app.assets.connection(&id).unwrap()
    }

    /// Moves the clock and does what is due.
    pub async fn pass(&self, time: Duration) {
        self.engine.clock.advance(time);
        self.engine.app.assets.run_due().await;
    }

    /// Waits for something that happens in the background.
    pub async fn until(&self, what: &str, met: impl AsyncFn() -> bool) {
        let waiting = async {
            while !met().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        assert!(waited.is_ok(), "never: {what}");
    }

    /// Replaces what is different at each run, so that answers compare.
    pub fn steady(&self, text: &str) -> String {
        let mut text = text.replace(&self.provider.base(), "http://provider");
        for connection in self.engine.app.assets.connections() {
            text = text.replace(connection.id.as_str(), "conn-00000000000000000000");
        }
        text
    }
}

/// A page as text, for snapshots: without its style, which is the same everywhere and has tests of its own.
pub fn shown_page(page: &Response<String>) -> String {
    let text = shown(page);
    let (before, rest) = text.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    let varies = |line: &&str| {
        !line.starts_with("content-length") && !line.starts_with("content-security-policy")
    };
    let head: Vec<&str> = before.lines().filter(varies).collect();
    format!("{}{after}", head.join("\n"))
}
