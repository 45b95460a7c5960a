//! Whoever owns the engine, and what the engine would keep for them: the part that the product has a brain, a browser and
//! a person for.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::LOCATION;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;
use userengine_engine::catalog::{Endpoint, OauthSettings};
use userengine_engine::domain::Scopes;
use userengine_engine::egress::{Egress, Profile};
use userengine_engine::mcp::{
    Credential, CredentialSource, McpError, Session, Target, ToolDefinition, ToolResult,
};
use userengine_engine::oauth::{self, Challenge, ClientChoice};

use crate::Failure;

/// How long each step may take.
const LIMIT: Duration = Duration::from_secs(20);
/// How often one step may ask the person for consent.
const CONSENTS: usize = 2;
/// Where the suite expects a client's metadata document.
const DOCUMENT: &str = "https://conformance-test.local/client-metadata.json";
/// Any value does: the suite's browser looks at the redirect and follows none.
const CALLBACK: &str = "http://localhost:3999/assets/oauth/callback";
const STATE: &str = "a-state";
/// Of JSON-RPC.
const METHOD_NOT_FOUND: i64 = -32601;

/// Whoever owns the engine, and what the engine would keep for them.
pub struct User {
    egress: Egress,
    target: Target,
    server: Url,
    settings: OauthSettings,
    token: Arc<Token>,
    /// By issuer: a client of one provider is never shown to another.
    clients: BTreeMap<String, oauth::Client>,
    granted: Scopes,
}

/// The access token of the moment.
#[derive(Debug, Default)]
struct Token(RwLock<Option<Credential>>);

impl CredentialSource for Token {
    fn credential(&self) -> Result<Option<Credential>, String> {
        let token = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(token.clone())
    }
}

impl Token {
    fn replace(&self, token: &SecretString) {
        let value = format!("Bearer {}", token.expose_secret());
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let generation = current.as_ref().map_or(1, |token| token.generation + 1);
        *current = Some(Credential {
            name: "Authorization".to_owned(),
            value: value.into(),
            generation,
        });
    }
}

impl User {
    /// A user who connects to this server and to no other. `context` may name a client that the provider knows already.
    pub fn new(egress: Egress, server: Url, context: &Value) -> Self {
        let text = |name: &str| context[name].as_str();
        let token = Arc::<Token>::default();
        Self {
            egress,
            target: Target {
                endpoint: Endpoint::StreamableHttp(server.clone()),
                credentials: token.clone(),
                label: "conformance".to_owned(),
            },
            server,
            settings: OauthSettings {
                client_id: text("client_id").map(str::to_owned),
                client_secret: text("client_secret").map(Into::into),
                ..OauthSettings::default()
            },
            token,
            clients: BTreeMap::new(),
            granted: Scopes::default(),
        }
    }

    /// Opens a session.
    pub async fn open(&mut self) -> Result<Session, Failure> {
        let open =
            async |user: &Self| Session::open(&user.egress, user.target.clone(), LIMIT).await;
        self.consenting(open).await
    }

    /// The server's tools.
    pub async fn list(&mut self, session: &Session) -> Result<Vec<ToolDefinition>, Failure> {
        let list = async |_: &Self| session.list_tools(LIMIT).await;
        self.consenting(list).await
    }

    /// Calls a tool; `None` if the server only lists tools, as in scenarios about lists.
    pub async fn call(
        &mut self,
        session: &Session,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<Option<ToolResult>, Failure> {
        let call = async |_: &Self| match session.call_tool(name, arguments, LIMIT).await {
            Err(McpError::Rpc { code, .. }) if code == METHOD_NOT_FOUND => Ok(None),
            answer => answer.map(Some),
        };
        self.consenting(call).await
    }

    /// Takes a step, and takes it again after each consent that the server asks for.
    async fn consenting<T>(
        &mut self,
        step: impl AsyncFn(&Self) -> Result<T, McpError>,
    ) -> Result<T, Failure> {
        for _ in 0..CONSENTS {
            match step(self).await {
                Ok(done) => return Ok(done),
                Err(refusal) => self.consent(refusal).await?,
            }
        }
        Ok(step(self).await?)
    }

    /// If a refusal asks for consent, the person gives it.
    async fn consent(&mut self, refusal: McpError) -> Result<(), Failure> {
        let challenge = match refusal {
            McpError::Unauthorized { challenge, .. }
            | McpError::InsufficientScope { challenge } => challenge,
            other => return Err(other.into()),
        };
        self.authorize(&challenge).await
    }

    /// What `POST /assets/connect`, the provider's page and the callback do together.
    async fn authorize(&mut self, challenge: &Challenge) -> Result<(), Failure> {
        let http = self.egress.clone();
        let provider =
            oauth::discover(&http, &self.server, Some(challenge), &self.settings).await?;
        let callback = Url::parse(CALLBACK)?;
        let client = match self.clients.get(&provider.issuer) {
            Some(client) => client.clone(),
            None => {
                match oauth::choose_client(&provider, &self.settings, Some(&DOCUMENT.parse()?))? {
                    ClientChoice::Registered(client) | ClientChoice::Document(client) => client,
                    ClientChoice::Dynamic => oauth::register(&http, &provider, &callback).await?,
                }
            }
        };
        self.clients.insert(provider.issuer.clone(), client.clone());
        let scopes = provider.scopes.union(&self.granted);
        let authorization = oauth::authorize(&provider, &client, &callback, STATE, &scopes)?;

        let answer = self.visit(&authorization.url).await?;
        if answer.get("state").map(String::as_str) != Some(STATE) {
            return Err("the provider gave another state back".into());
        }
        oauth::check_iss(&provider, answer.get("iss").map(String::as_str))?;
        let code = answer.get("code").ok_or("the provider sent no code")?;
        let (code, verifier) = (code.as_str().into(), &authorization.verifier);
        let tokens = oauth::exchange(&http, &provider, &client, &callback, &code, verifier).await?;
        self.token.replace(&tokens.access_token);
        self.granted = tokens.scopes.unwrap_or(scopes);
        Ok(())
    }

    /// The person's browser: where does the provider send it?
    async fn visit(&self, url: &Url) -> Result<BTreeMap<String, String>, Failure> {
        let request = Request::get(url.as_str()).body(Bytes::new())?;
        let target = self.egress.target(Profile::Catalog, url.as_str())?;
        let answer = self.egress.send(&target, request, LIMIT).await?;
        let location = answer.headers().get(LOCATION);
        let location = location.ok_or("the provider does not redirect")?.to_str()?;
        let location = url.join(location)?;
        let pairs = location.query_pairs();
        Ok(pairs
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect())
    }
}
