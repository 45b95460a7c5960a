//! A real engine, as a process, beside a provider: for what happens when it is killed or its disk fails.

use serde_json::{Value, json};
use tempfile::TempDir;
use userengine_engine::clock::Clock;
use userengine_engine::config::RingConfig;
use userengine_engine::ring::Ring;
use userengine_engine::vault::{Place, Sealed, SealedColumn, Token, Vault};

use crate::support::process::{Engine, Setup};
use crate::support::provider::Provider;
use crate::support::request::get;
use crate::support::volume::Volume;
use crate::support::{key, sql};

pub struct RealWorld {
    pub volume: Volume,
    pub provider: Provider,
    catalog: TempDir,
}

impl RealWorld {
    pub fn new() -> Self {
        Self::on(Volume::new())
    }

    pub fn on(volume: Volume) -> Self {
        let provider = Provider::start();
        Self {
            volume,
            catalog: provider.catalog(),
            provider,
        }
    }

    pub fn setup(&self) -> Setup {
        Setup::new(&self.volume)
            .with("CATALOG_DIR", self.catalog.path())
            .with("EGRESS_ALLOW", self.provider.egress())
            .with("OAUTH_REDIRECT_BASE_URL", "https://engines.example.com")
    }

    pub fn start(&self) -> Engine {
        self.setup().start()
    }

    /// An engine that ends itself at this step.
    pub fn start_to_die_at(&self, step: &str) -> Engine {
        self.setup().with("FAILPOINT", step).start()
    }

    /// Makes the access token of every connection look as if it had ended long ago: the next start refreshes it at once.
    pub fn age_tokens(&self) {
        sql::run(
            &self.volume.brain(),
            "UPDATE connections SET connected_at = '2026-01-01T00:00:00.000Z', expires_at = '2026-01-01T01:00:00.000Z'",
        );
    }

    /// The stored credential of a connection, opened with key 1; `None` if there is none.
    pub fn credential(&self, ref_id: &str) -> Option<Value> {
        self.credential_under(1, ref_id)
    }

    /// The same, opened with the key of this number.
    pub fn credential_under(&self, number: u8, ref_id: &str) -> Option<Value> {
        let row = sql::texts(
            &self.volume.read_brain(),
            &format!(
                "SELECT kid, credentials FROM connections WHERE ref_id = '{ref_id}' AND kid IS NOT NULL"
            ),
        );
        let [kid, token] = row.first()?.clone().try_into().unwrap();
        let ring = Ring::load(RingConfig::Single(key(number))).unwrap();
        let vault = Vault::new(&ring, Clock::system());
        let sealed = Sealed {
            kid: kid.parse().unwrap(),
            token: Token::try_from(token).unwrap(),
        };
        let place = Place::new(SealedColumn::ConnectionCredentials, ref_id);
        let text = vault.open(&sealed, &place).unwrap();
        serde_json::from_str(secrecy::ExposeSecret::expose_secret(&text)).unwrap()
    }

    /// The one thing that must hold whatever happened: a connection that says that it is connected has tokens that the
    /// provider takes, and nothing is left that says otherwise.
    pub fn assert_honest(&self, engine: &Engine) {
        for connection in engine.list() {
            let ref_id = connection["ref_id"].as_str().unwrap();
            let credential = self.credential(ref_id);
            if connection["status"] != "connected" {
                assert_eq!(credential, None, "{connection}");
                continue;
            }
            let credential = credential.unwrap();
            if credential["kind"] == "oauth" {
                let refresh_token = credential["refresh_token"].as_str().unwrap();
                let state = self.provider.state();
                assert!(
                    state.refresh_tokens.contains_key(refresh_token),
                    "{connection}: {:?}",
                    state.spent
                );
            }
        }
        let brain = self.volume.read_brain();
        assert_eq!(
            sql::number(&brain, "SELECT COUNT(*) FROM refresh_intents"),
            0
        );
        assert_eq!(
            sql::number(&brain, "SELECT COUNT(*) FROM pragma_foreign_key_check"),
            0
        );
    }
}

/// Calls of the API, as a caller makes them.
impl Engine {
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let answer = self
            .call(method, path, body)
            .unwrap_or_else(|| panic!("the engine ended"));
        (
            answer.status,
            serde_json::from_str(&answer.body).unwrap_or(Value::Null),
        )
    }

    pub fn list(&self) -> Vec<Value> {
        let (status, list) = self.ask("GET", "/assets/connections", None);
        assert_eq!(status, 200, "{list}");
        list.as_array().unwrap().clone()
    }

    /// Begins an authorization; `None` if the engine ended.
    pub fn begin(&self) -> Option<(String, String)> {
        self.begin_as("oauth")
    }

    fn begin_as(&self, alias: &str) -> Option<(String, String)> {
        let body = json!({ "server_name": "oauth", "alias": alias, "reconnect": true });
        let answer = self.call("POST", "/assets/connect", Some(&body))?;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
        Some((text("ref_id"), text("auth_url")))
    }

    /// The browser comes back; `None` if the engine ended.
    pub fn callback(&self, query: &str) -> Option<u16> {
        let path = format!("/assets/oauth/callback?{query}");
        let answer = crate::support::request::attempt(self.address(), "GET", &path, "", None)?;
        Some(answer.status)
    }

    /// Connects all the way.
    pub fn authorize(&self, provider: &Provider) -> String {
        self.authorize_as("oauth", provider)
    }

    /// Connects all the way, under this alias.
    pub fn authorize_as(&self, alias: &str, provider: &Provider) -> String {
        let (ref_id, auth_url) = self.begin_as(alias).unwrap();
        assert_eq!(self.callback(&provider.consent(&auth_url)), Some(200));
        ref_id
    }

    /// Waits until this is the status of the only connection.
    pub fn until_status(&self, status: &str) {
        self.until(status, || {
            let list = self.list();
            list.len() == 1 && list[0]["status"] == status
        });
    }

    pub fn until(&self, what: &str, met: impl Fn() -> bool) {
        let deadline = std::time::Instant::now() + crate::support::process::DEADLINE;
        while !met() {
            assert!(
                std::time::Instant::now() < deadline,
                "never {what}: {:?}",
                self.list()
            );
            // Each look is a request, which is pause enough.
            drop(get(self.address(), "/health", ""));
        }
    }
}
