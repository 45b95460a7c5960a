//! The authorization server, as it should be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use super::wire::{Answer, Request};

/// The scopes of every token, if none are asked for.
pub(super) const SCOPES: &str = "tools:read tools:write";

/// Clients, codes and tokens.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) lifetime: Duration,
    /// Is a refresh token good until the next one is used, or only once?
    pub(super) forgiving: bool,
    issued: usize,
    /// By id.
    pub(super) clients: BTreeMap<String, Client>,
    pub(super) codes: BTreeMap<String, Grant>,
    pub(super) access: BTreeMap<String, Access>,
    /// By refresh token.
    pub(super) refresh: BTreeMap<String, Grant>,
    /// Refresh tokens that were exchanged, and for what.
    pub(super) spent: BTreeMap<String, String>,
    pub(super) secrets: BTreeSet<String>,
    pub(super) reused: usize,
    pub(super) revoked: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) secret: Option<String>,
    redirect_uris: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) client: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) scope: String,
    pub(super) resource: String,
}

#[derive(Debug)]
pub(super) struct Access {
    pub(super) scope: String,
    pub(super) until: Instant,
}

impl Provider {
    pub(super) fn new(lifetime: Duration, forgiving: bool) -> Self {
        Self {
            lifetime,
            forgiving,
            issued: 0,
            clients: BTreeMap::new(),
            codes: BTreeMap::new(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            spent: BTreeMap::new(),
            secrets: BTreeSet::new(),
            reused: 0,
            revoked: 0,
        }
    }

    /// A secret that a search through logs and answers finds.
    pub(super) fn secret(&mut self, kind: &str) -> String {
        self.issued += 1;
        let secret = format!("canary-{kind}-{}", self.issued);
        self.secrets.insert(secret.clone());
        secret
    }

    pub(super) fn add_client(&mut self, id: &str, secret: Option<&str>, redirect_uri: &str) {
        self.secrets.extend(secret.map(str::to_owned));
        let client = Client {
            secret: secret.map(str::to_owned),
            redirect_uris: vec![redirect_uri.to_owned()],
        };
        self.clients.insert(id.to_owned(), client);
    }

    /// RFC 7591: a client with a secret if it asks to authenticate by one.
    pub(super) fn register(&mut self, request: &Request) -> Answer {
        let mut document = request.json();
        let uris = document["redirect_uris"].as_array().into_iter().flatten();
        let redirect_uris: Vec<_> = uris
            .filter_map(|uri| Some(uri.as_str()?.to_owned()))
            .collect();
        if redirect_uris.is_empty() {
            return refused("invalid_redirect_uri");
        }
        let by_secret = document["token_endpoint_auth_method"].as_str() != Some("none");
        let secret = by_secret.then(|| self.secret("client-secret"));
        let id = format!("client-{}", self.clients.len() + 1);
        document["client_id"] = json!(id);
        if let Some(secret) = &secret {
            document["client_secret"] = json!(secret);
            document["client_secret_expires_at"] = json!(0);
        }
        self.clients.insert(
            id,
            Client {
                secret,
                redirect_uris,
            },
        );
        Answer::json(201, &document)
    }

    /// The person agrees at once. Gives where the browser goes, or what it is shown.
    pub(super) fn authorize(&mut self, url: &Url, issuer: &str) -> Result<Url, &'static str> {
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let field = |name: &str| query.get(name).cloned().unwrap_or_default();
        let client = field("client_id");
        let registered = self.clients.get(&client).ok_or("unknown client_id")?;
        if !registered.redirect_uris.contains(&field("redirect_uri")) {
            return Err("redirect_uri_mismatch");
        }
        if field("response_type") != "code" || field("code_challenge_method") != "S256" {
            return Err("invalid_request");
        }
        let asked = query.get("scope").cloned();
        let grant = Grant {
            client,
            redirect_uri: field("redirect_uri"),
            challenge: field("code_challenge"),
            scope: asked.unwrap_or_else(|| SCOPES.to_owned()),
            resource: field("resource"),
        };
        let mut back = Url::parse(&grant.redirect_uri).map_err(|_| "redirect_uri")?;
        let code = self.secret("code");
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &field("state"))
            .append_pair("iss", issuer);
        self.codes.insert(code, grant);
        Ok(back)
    }
}

pub(super) fn refused(error: &str) -> Answer {
    let body: Value = json!({"error": error, "error_description": "said by the provider"});
    Answer::json(400, &body)
}
