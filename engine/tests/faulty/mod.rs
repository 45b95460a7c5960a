//! The faulty server is right where it should be right, and wrong as it is told.

mod correct;
mod wrong;

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded::Serializer;
use userengine_engine::config::{ConnectorsConfig, Environment, HttpConfig};
use userengine_engine::egress::{Egress, FetchError, Profile, Wait};

use crate::support::faulty::{Faulty, Operation};

const REDIRECT_URI: &str = "http://localhost:1/callback";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-x";

/// Longer than any answer takes, shorter than any fault.
const WAIT: Wait = Wait {
    head: Duration::from_secs(1),
    total: Duration::from_secs(4),
    body: 64 * 1024,
};

type Answered = Result<Response<Bytes>, FetchError>;

/// A client that does one step after the other, and knows no more than it was told.
struct Walk<'a> {
    server: &'a Faulty,
    egress: Egress,
    metadata: Value,
    client: Value,
    code: String,
    tokens: Value,
    session: String,
}

impl<'a> Walk<'a> {
    fn new(server: &'a Faulty) -> Self {
        Self {
            server,
            egress: egress(server),
            metadata: Value::Null,
            client: Value::Null,
            code: String::new(),
            tokens: Value::Null,
            session: String::new(),
        }
    }

    /// Uses no connection that stands.
    fn connect_anew(&mut self) {
        self.egress = egress(self.server);
    }

    /// Does everything that comes before an operation.
    async fn until(&mut self, operation: Operation) {
        for step in Operation::ALL {
            if step == operation {
                return;
            }
            self.step(step).await.unwrap();
        }
    }

    /// Does one operation, and keeps what it gave.
    async fn step(&mut self, operation: Operation) -> Answered {
        if operation == Operation::CodeExchange {
            self.approve();
        }
        let answer = self.attempt(operation).await?;
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        match operation {
            Operation::Discovery => self.metadata = body,
            Operation::Registration => self.client = body,
            Operation::CodeExchange | Operation::Refresh if body["access_token"].is_string() => {
                self.tokens = body;
            }
            Operation::Initialize => {
                let session = answer.headers().get("mcp-session-id");
                self.session =
                    session.map_or_else(String::new, |id| id.to_str().unwrap().to_owned());
            }
            _ => {}
        }
        Ok(answer)
    }

    /// One request for an operation.
    async fn attempt(&self, operation: Operation) -> Answered {
        let request = match operation {
            Operation::Discovery => {
                let url = format!(
                    "{}/.well-known/oauth-authorization-server",
                    self.server.issuer()
                );
                Request::get(url).body(Bytes::new()).unwrap()
            }
            Operation::Registration => {
                let body =
                    json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"});
                post(
                    self.text("registration_endpoint"),
                    "application/json",
                    body.to_string(),
                )
            }
            Operation::CodeExchange => self.token(&[
                ("grant_type", "authorization_code"),
                ("code", &self.code),
                ("code_verifier", VERIFIER),
                ("redirect_uri", REDIRECT_URI),
            ]),
            Operation::Refresh => self.token(&[
                ("grant_type", "refresh_token"),
                (
                    "refresh_token",
                    self.tokens["refresh_token"].as_str().unwrap(),
                ),
            ]),
            Operation::Initialize => self.message("initialize", &json!({})),
            Operation::ToolsList => self.message("tools/list", &json!({})),
            Operation::ToolsCall => self.message(
                "tools/call",
                &json!({"name": "write", "arguments": {"text": "once"}}),
            ),
            other => panic!("{other:?} is no step"),
        };
        self.send(request).await
    }

    async fn send(&self, request: Request<Bytes>) -> Answered {
        self.egress.fetch(Profile::Catalog, request, WAIT).await
    }

    async fn revoke(&self) {
        let token = self.tokens["refresh_token"].as_str().unwrap();
        let kind = "application/x-www-form-urlencoded";
        let request = post(
            self.text("revocation_endpoint"),
            kind,
            form(&[("token", token)]),
        );
        assert_eq!(self.send(request).await.unwrap().status(), 200);
    }

    fn approve(&mut self) {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let query = form(&[
            ("response_type", "code"),
            ("client_id", self.client["client_id"].as_str().unwrap()),
            ("redirect_uri", REDIRECT_URI),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", "a-state"),
            ("resource", &self.server.url()),
        ]);
        let url = format!("{}?{query}", self.text("authorization_endpoint"));
        let back: BTreeMap<_, _> = self
            .server
            .approve(&url)
            .query_pairs()
            .into_owned()
            .collect();
        assert_eq!(
            (&*back["state"], &back["iss"]),
            ("a-state", &self.server.issuer())
        );
        self.code.clone_from(&back["code"]);
    }

    fn token(&self, fields: &[(&str, &str)]) -> Request<Bytes> {
        let client = self.client["client_id"].as_str().unwrap();
        let url = self.server.url();
        let mut all = fields.to_vec();
        all.extend([("client_id", client), ("resource", url.as_str())]);
        all.extend(
            self.client["client_secret"]
                .as_str()
                .map(|it| ("client_secret", it)),
        );
        let body = form(&all);
        let kind = "application/x-www-form-urlencoded";
        post(self.text("token_endpoint"), kind, body)
    }

    fn message(&self, method: &str, params: &Value) -> Request<Bytes> {
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let mut request = post(&self.server.url(), "application/json", body.to_string());
        let token = self.tokens["access_token"].as_str().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        if !self.session.is_empty() {
            headers.insert("mcp-session-id", self.session.parse().unwrap());
        }
        request
    }

    fn text(&self, field: &str) -> &str {
        self.metadata[field].as_str().unwrap()
    }
}

fn egress(server: &Faulty) -> Egress {
    let variables = server.variables();
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let environment = Environment::of(&variables);
    let http = HttpConfig::read(&environment).unwrap();
    let config = ConnectorsConfig::read(&environment, &http).unwrap();
    Egress::resolved_by(&config, server.resolver()).unwrap()
}

fn post(url: &str, kind: &str, body: String) -> Request<Bytes> {
    let request = Request::builder().method(Method::POST).uri(url);
    request
        .header("content-type", kind)
        .body(body.into())
        .unwrap()
}

fn form(fields: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn json_of(answer: &Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap()
}
