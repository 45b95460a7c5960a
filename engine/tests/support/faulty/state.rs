//! What the listeners share: who was asked for what, what is to go wrong, and the right answers.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio_rustls::TlsAcceptor;

use super::Answers;
use super::fault::Fault;
use super::mcp::Mcp;
use super::operation::{Operation, Part};
use super::play::Spoiled;
use super::provider::{Provider, SCOPES};
use super::wire::{Answer, Request};

pub(super) struct State {
    pub(super) tls: Certificates,
    pub(super) answers: Answers,
    pub(super) origins: Mutex<Origins>,
    pub(super) provider: Mutex<Provider>,
    pub(super) mcp: Mutex<Mcp>,
    pub(super) plans: Mutex<BTreeMap<Operation, Plan>>,
    pub(super) counts: Mutex<BTreeMap<Operation, usize>>,
    /// Answers that are late on purpose now.
    pub(super) dawdling: AtomicUsize,
    /// Connections that stand.
    pub(super) connections: AtomicUsize,
}

/// Counts one as long as it lives.
pub(super) struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One for each way to be believed or not.
pub(super) struct Certificates {
    pub(super) right: TlsAcceptor,
    pub(super) wrong: TlsAcceptor,
    pub(super) expired: TlsAcceptor,
}

/// What goes wrong, and how many times still.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) fault: Fault,
    pub(super) left: usize,
}

/// Where the parts are, once they listen.
#[derive(Debug, Clone, Default)]
pub(super) struct Origins(pub(super) BTreeMap<Part, u16>);

impl Origins {
    pub(super) fn of(&self, part: Part) -> String {
        format!("https://localhost:{}", self.0[&part])
    }

    pub(super) fn resource(&self) -> String {
        format!("{}/mcp", self.of(Part::Resource))
    }

    fn challenge(&self) -> String {
        let metadata = format!(
            "{}/.well-known/oauth-protected-resource/mcp",
            self.of(Part::Resource)
        );
        format!("Bearer resource_metadata=\"{metadata}\", scope=\"{SCOPES}\"")
    }
}

impl State {
    /// Counts a request that is there, and says what is to go wrong with its answer.
    pub(super) fn arrived(&self, operation: Operation) -> Option<Fault> {
        *self.counts.lock().unwrap().entry(operation).or_default() += 1;
        let mut plans = self.plans.lock().unwrap();
        let plan = plans.get_mut(&operation)?;
        if plan.fault.door().is_some() {
            // What its listener does; a request that comes nevertheless came through another one.
            return None;
        }
        plan.left = plan.left.checked_sub(1)?;
        Some(plan.fault)
    }

    pub(super) fn spoil(
        &self,
        fault: Fault,
        part: Part,
        operation: Operation,
        request: &Request,
    ) -> Spoiled {
        let right = if fault.takes_effect() {
            self.answer(part, operation, request)
        } else {
            Answer::empty(200)
        };
        let challenge = self.origins.lock().unwrap().challenge();
        Spoiled {
            operation,
            right,
            challenge,
        }
    }

    /// What a server that is as it should be answers.
    pub(super) fn answer(&self, part: Part, operation: Operation, request: &Request) -> Answer {
        let origins = self.origins.lock().unwrap().clone();
        let mut provider = self.provider.lock().unwrap();
        match operation {
            Operation::Discovery => metadata(part, request, &origins),
            Operation::Registration => provider.register(request),
            Operation::CodeExchange | Operation::Refresh => {
                provider.token(request, &origins.resource())
            }
            Operation::Revocation => provider.revoke(request),
            Operation::Authorize => {
                let issuer = origins.of(Part::Issuer);
                match provider.authorize(&request.url(&issuer), &issuer) {
                    Ok(back) => Answer::empty(302).with("location", back.as_str()),
                    Err(why) => Answer::json(400, &json!({"error": why})),
                }
            }
            _ if part == Part::Resource && request.path() == "/mcp" => {
                self.of_the_resource(&provider, request, &origins)
            }
            _ => Answer::empty(404),
        }
    }

    fn of_the_resource(&self, provider: &Provider, request: &Request, origins: &Origins) -> Answer {
        let Some(access) = provider.bearer(request) else {
            let mut challenge = origins.challenge();
            if request.header("authorization").is_some() {
                challenge.push_str(", error=\"invalid_token\"");
            }
            return Answer::empty(401).with("www-authenticate", challenge);
        };
        let mut mcp = self.mcp.lock().unwrap();
        match request.method.as_str() {
            "POST" => match mcp.answer(request, access) {
                Ok(answer) => self.in_its_form(answer),
                Err(other) => other,
            },
            "DELETE" => mcp.end(request),
            _ => Answer::empty(405).with("allow", "POST, DELETE"),
        }
    }

    fn in_its_form(&self, answer: Answer) -> Answer {
        if self.answers == Answers::Json {
            return answer;
        }
        let message = serde_json::from_slice(&answer.body).unwrap();
        answer.events(&[message])
    }
}

fn metadata(part: Part, request: &Request, origins: &Origins) -> Answer {
    let issuer = origins.of(Part::Issuer);
    let scopes: Vec<_> = SCOPES.split(' ').collect();
    let document = match (part, request.path()) {
        (
            Part::Resource,
            "/.well-known/oauth-protected-resource/mcp" | "/.well-known/oauth-protected-resource",
        ) => json!({
            "resource": origins.resource(),
            "authorization_servers": [issuer],
            "scopes_supported": scopes,
            "bearer_methods_supported": ["header"],
        }),
        (Part::Issuer, "/.well-known/oauth-authorization-server") => json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{}/token", origins.of(Part::Tokens)),
            "registration_endpoint": format!("{}/register", origins.of(Part::Registration)),
            "revocation_endpoint": format!("{issuer}/revoke"),
            "scopes_supported": scopes,
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": true,
        }),
        _ => return Answer::empty(404),
    };
    Answer::json(200, &document)
}
