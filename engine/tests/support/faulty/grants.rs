//! Tokens for codes and for other tokens.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::provider::{Access, Grant, Provider, refused};
use super::wire::{Answer, Request};

impl Provider {
    pub(super) fn token(&mut self, request: &Request, resource: &str) -> Answer {
        let Some(client) = self.authenticate(request) else {
            return Answer::json(401, &json!({"error": "invalid_client"}));
        };
        if request.form("resource").as_deref() != Some(resource) {
            return refused("invalid_target");
        }
        let grant = match request.form("grant_type").as_deref() {
            Some("authorization_code") => self.redeem(request),
            Some("refresh_token") => {
                self.rotate(&request.form("refresh_token").unwrap_or_default())
            }
            _ => return refused("unsupported_grant_type"),
        };
        match grant {
            Some((grant, spent)) if grant.client == client && grant.resource == resource => {
                self.issue(grant, spent)
            }
            _ => refused("invalid_grant"),
        }
    }

    fn authenticate(&self, request: &Request) -> Option<String> {
        let (id, secret) = match request.header("authorization") {
            Some(basic) => {
                let decoded = BASE64_STANDARD.decode(basic.strip_prefix("Basic ")?).ok()?;
                let text = String::from_utf8(decoded).ok()?;
                let (id, secret) = text.split_once(':')?;
                (id.to_owned(), Some(secret.to_owned()))
            }
            None => (request.form("client_id")?, request.form("client_secret")),
        };
        (self.clients.get(&id)?.secret == secret).then_some(id)
    }

    fn redeem(&mut self, request: &Request) -> Option<(Grant, Option<String>)> {
        let grant = self.codes.remove(&request.form("code")?)?;
        let verifier = request.form("code_verifier")?;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        let matches = grant.challenge == challenge
            && request.form("redirect_uri").as_ref() == Some(&grant.redirect_uri);
        matches.then_some((grant, None))
    }

    /// A refresh token that comes a second time was stolen by one of the two: all that came of it ends (RFC 9700, 4.14.2).
    fn rotate(&mut self, token: &str) -> Option<(Grant, Option<String>)> {
        if let Some(grant) = self.refresh.get(token) {
            return Some((grant.clone(), Some(token.to_owned())));
        }
        let next = self.spent.get(token)?.clone();
        if self.forgiving && self.refresh.contains_key(&next) {
            let grant = self.refresh.remove(&next)?;
            return Some((grant, Some(token.to_owned())));
        }
        self.reused += 1;
        self.end_family(token);
        None
    }

    fn end_family(&mut self, token: &str) {
        let mut token = token.to_owned();
        while let Some(next) = self.spent.get(&token) {
            token.clone_from(next);
        }
        self.refresh.remove(&token);
        self.access.clear();
    }

    fn issue(&mut self, grant: Grant, spent: Option<String>) -> Answer {
        let (access, refresh) = (self.secret("access"), self.secret("refresh"));
        if let Some(spent) = spent {
            self.refresh.remove(&spent);
            self.spent.insert(spent, refresh.clone());
        }
        let body = json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.lifetime.as_secs(),
            "refresh_token": refresh,
            "scope": grant.scope,
        });
        let until = Instant::now() + self.lifetime;
        let scope = grant.scope.clone();
        self.access.insert(access, Access { scope, until });
        self.refresh.insert(refresh, grant);
        Answer::json(200, &body).with("cache-control", "no-store")
    }

    /// RFC 7009.
    pub(super) fn revoke(&mut self, request: &Request) -> Answer {
        let token = request.form("token").unwrap_or_default();
        self.revoked += 1;
        self.access.remove(&token);
        if self.refresh.remove(&token).is_some() {
            self.access.clear();
        }
        Answer::empty(200)
    }

    /// What the bearer of a request may do.
    pub(super) fn bearer(&self, request: &Request) -> Option<&Access> {
        let token = request.header("authorization")?.strip_prefix("Bearer ")?;
        self.access
            .get(token)
            .filter(|access| Instant::now() < access.until)
    }

    /// No access token is good any more; refresh tokens are.
    pub(super) fn expire(&mut self) {
        self.access.clear();
    }

    /// No refresh token is good any more.
    pub(super) fn forget_grants(&mut self) {
        self.refresh.clear();
        self.spent.clear();
    }
}
