//! The person comes back from the provider: take the flow, exchange the code, store the tokens.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use super::change::failed;
use super::connect::FlowRequest;
use super::credential::{self, Document};
use super::grant::{end, sha256};
use super::{AssetError, Connection, Directory};
use crate::domain::ConnectionStatus;
use crate::failpoint;
use crate::oauth::{self, OauthError, TokenSet};
use crate::store::{Flow, StoreError};
use crate::vault::{Place, SealedColumn};

/// The query of the callback, each parameter at most once.
#[derive(Debug)]
pub struct CallbackQuery {
    /// Which flow; without it there is none.
    pub state: Option<SecretString>,
    /// What the provider gives.
    pub code: Option<SecretString>,
    /// Who says so (RFC 9207).
    pub iss: Option<String>,
    /// What the provider says instead (RFC 6749 §4.1.2.1).
    pub error: Option<OauthError>,
}

/// How it ended, for the page.
#[derive(Debug)]
pub struct Finished {
    /// The connection; `None` if no flow was found.
    pub connection: Option<Arc<Connection>>,
    /// Where the caller of the API wants the person to go.
    pub return_url: Option<Url>,
    /// How it ended.
    pub ending: Ending,
}

/// How a callback ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The tokens are stored.
    Connected,
    /// No such flow: it is of another engine, was used before, or never was.
    Unknown,
    /// The flow was there and is too old.
    Late,
    /// The answer is not from the provider that was asked. Its text is not to be shown.
    WrongIssuer,
    /// The provider said no.
    Refused {
        /// `access_denied` and the like.
        code: String,
        /// The provider's words, cleaned.
        description: String,
    },
    /// The code could not be exchanged.
    Failed(String),
    /// The connection was removed meanwhile.
    Removed,
    /// The tokens could not be stored yet; the engine keeps trying.
    Unsaved(&'static str),
}

impl Finished {
    fn nothing(ending: Ending) -> Self {
        Self {
            connection: None,
            return_url: None,
            ending,
        }
    }
}

impl Directory {
    /// Finishes an authorization. It goes on when the browser goes away: a code works once.
    pub async fn callback(&self, query: CallbackQuery) -> Result<Finished, AssetError> {
        let directory = self.clone();
        let task = self
            .tasks()
            .spawn(async move { finish(&directory, query).await });
        task.await.map_err(|_| AssetError::Interrupted)?
    }
}

async fn finish(directory: &Directory, query: CallbackQuery) -> Result<Finished, AssetError> {
    let Some(state) = &query.state else {
        return Ok(Finished::nothing(Ending::Unknown));
    };
    let Some((flow, connection)) = take(directory, state).await? else {
        return Ok(Finished::nothing(Ending::Unknown));
    };
    failpoint::hit("callback.taken");
    let ending = match judge(directory, &flow, query) {
        Ok(exchange) => complete(directory, &connection, exchange).await,
        Err(ending) => ending,
    };
    if let Some(why) = ending.why() {
        directory.note_failed_authorization(&connection, &why).await;
    }
    Ok(Finished {
        connection: Some(connection),
        return_url: flow.return_url.and_then(|url| url.parse().ok()),
        ending,
    })
}

/// Takes the flow out of the brain before anything else is done with it: whoever comes second finds nothing.
async fn take(
    directory: &Directory,
    state: &SecretString,
) -> Result<Option<(Flow, Arc<Connection>)>, AssetError> {
    let hash = sha256(secrecy::ExposeSecret::expose_secret(state));
    let mut writing = directory.store.write().await?;
    let Some(flow) = writing.take_flow(&hash).await? else {
        return Ok(None);
    };
    let until = writing.open_flow_until(&flow.connection).await?;
    writing.commit().await?;
    let Some(connection) = directory.connection(&flow.connection) else {
        return Ok(None);
    };
    connection.set_pending_until(until);
    connection.forget_step_up();
    Ok(Some((flow, connection)))
}

/// A code and all that its exchange needs.
struct Exchange {
    request: FlowRequest,
    code: SecretString,
    verifier: SecretString,
}

/// Is there a code, and may it be used?
fn judge(directory: &Directory, flow: &Flow, query: CallbackQuery) -> Result<Exchange, Ending> {
    if flow.expires_at <= directory.now() {
        return Err(Ending::Late);
    }
    let request: FlowRequest = serde_json::from_str(&flow.request)
        .map_err(|_| Ending::Failed("the engine no longer understands it".to_owned()))?;
    // Before anything that the answer says: a mixed-up provider must not even be quoted (RFC 9207 §2.4).
    oauth::check_iss(&request.grant.provider, query.iss.as_deref())
        .map_err(|_| Ending::WrongIssuer)?;
    match (query.error, query.code) {
        (Some(OauthError::Refused { code, description }), _) => {
            Err(Ending::Refused { code, description })
        }
        (Some(error), _) => Err(Ending::Failed(error.to_string())),
        (None, None) => Err(Ending::Failed("the provider sent no code".to_owned())),
        (None, Some(code)) => {
            let place = Place::new(SealedColumn::OauthFlowVerifier, flow.state_hash.clone());
            let verifier = directory
                .vault
                .open(&flow.verifier, &place)
                .map_err(|error| Ending::Failed(error.to_string()))?;
            Ok(Exchange {
                request,
                code,
                verifier,
            })
        }
    }
}

async fn complete(
    directory: &Directory,
    connection: &Arc<Connection>,
    exchange: Exchange,
) -> Ending {
    let grant = &exchange.request.grant;
    let client = match directory.client(grant, &connection.server).await {
        Ok(client) => client,
        Err(problem) => return Ending::Failed(problem),
    };
    let asked_at = directory.now();
    let answer = oauth::exchange(
        &directory.egress,
        &grant.provider,
        &client,
        &grant.redirect_uri,
        &exchange.code,
        &exchange.verifier,
    )
    .await;
    failpoint::hit("callback.exchanged");
    match answer {
        Ok(tokens) => store(directory, connection, exchange.request, tokens, asked_at).await,
        Err(error) => {
            let unknown_client =
                matches!(&error, OauthError::Refused { code, .. } if code == "invalid_client");
            if unknown_client && grant.client.is_registered() {
                directory.forget_client(grant).await;
            }
            Ending::Failed(error.to_string())
        }
    }
}

/// Tokens on their way into the brain.
struct Granted {
    request: FlowRequest,
    document: Document,
    scopes: crate::domain::Scopes,
    asked_at: Timestamp,
    expires_at: Option<Timestamp>,
}

/// A person waits only so long for the brain; the tokens do not.
const TRIES_BEFORE_AN_ANSWER: u32 = 5;

async fn store(
    directory: &Directory,
    connection: &Arc<Connection>,
    request: FlowRequest,
    tokens: TokenSet,
    asked_at: Timestamp,
) -> Ending {
    let granted = Granted {
        document: Document::Oauth {
            issuer: request.grant.provider.issuer.clone(),
            audience: request.audience.clone(),
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
        },
        scopes: tokens.scopes.unwrap_or_else(|| request.scopes.clone()),
        asked_at,
        expires_at: tokens.expires_in.map(|seconds| end(asked_at, seconds)),
        request,
    };
    let (answer, ending) = tokio::sync::watch::channel(None);
    let (directory, connection) = (directory.clone(), connection.clone());
    let keeper = directory.clone();
    keeper.tasks().spawn(async move {
        let stored = directory
            .firmly(
                "granted tokens",
                |tries, error| {
                    if tries >= TRIES_BEFORE_AN_ANSWER {
                        let trouble = error.trouble().unwrap_or("the brain does not take it");
                        answer.send_replace(Some(Ending::Unsaved(trouble)));
                    }
                },
                || commit(&directory, &connection, &granted),
            )
            .await;
        let lost = || Ending::Failed("the engine could not store the tokens".to_owned());
        answer.send_replace(Some(stored.unwrap_or_else(lost)));
    });
    let mut ending = ending;
    let ended = ending.wait_for(Option::is_some).await;
    ended
        .ok()
        .and_then(|ending| ending.clone())
        .unwrap_or_else(|| Ending::Failed("the engine stopped".to_owned()))
}

async fn commit(
    directory: &Directory,
    connection: &Arc<Connection>,
    granted: &Granted,
) -> Result<Ending, StoreError> {
    let turn = connection.turn.lock().await;
    let mut state = (*connection.state()).clone();
    let mut writing = directory.store.write().await?;
    let place = credential::place(&connection.id);
    let text = granted.document.write();
    state.credential = Some(writing.seal(&directory.vault, &place, &text).await?);
    state.auth_method = crate::domain::AuthMethod::Oauth;
    state.status = ConnectionStatus::Connected;
    state.generation += 1;
    state.scopes = granted.scopes.clone();
    state.missing_scopes = state.missing_scopes.without(&granted.scopes);
    state.expires_at = granted.expires_at;
    state.authorization = Some(granted.request.grant.write());
    state.connected_at = Some(granted.asked_at);
    state.refreshed_at = None;
    (state.last_error, state.last_error_at) = (None, None);
    if !writing.save_connection(&connection.id, &state).await? {
        directory
            .revoke_later(&mut writing, connection, &state, &granted.document)
            .await?;
        writing.commit().await?;
        directory.plan_revocation();
        return Ok(Ending::Removed);
    }
    writing.end_refresh(&connection.id).await?;
    writing.commit().await?;
    failpoint::hit("callback.stored");
    connection.publish(state);
    drop(turn);
    connection.traffic.reset();
    directory.plan(connection);
    directory.tell_connected(connection);
    Ok(Ending::Connected)
}

impl Ending {
    /// For `last_error`: what the API tells of a person who came back without a grant.
    fn why(&self) -> Option<String> {
        match self {
            Self::Connected | Self::Unknown | Self::Removed => None,
            Self::Late => Some("the person came back from the provider too late".to_owned()),
            Self::WrongIssuer => {
                Some("the answer was not from the provider that was asked".to_owned())
            }
            Self::Refused { code, description } if description.is_empty() => {
                Some(format!("the provider refused: {code}"))
            }
            Self::Refused { code, description } => {
                Some(format!("the provider refused: {code}: {description}"))
            }
            Self::Failed(why) => Some(why.clone()),
            Self::Unsaved(trouble) => Some(format!("the tokens are not stored yet: {trouble}")),
        }
    }
}

impl Directory {
    /// An authorization came to nothing. The connection stays what it was.
    pub(super) async fn note_failed_authorization(&self, connection: &Arc<Connection>, why: &str) {
        tracing::warn!(
            ref_id = %connection.id, server = %connection.server, why, callback_url = %oauth::callback_url(&self.config),
            "an authorization failed"
        );
        let _turn = connection.turn.lock().await;
        let mut state = (*connection.state()).clone();
        failed(&mut state, why, self.now());
        let saved = async {
            let mut writing = self.store.write().await?;
            writing.save_connection(&connection.id, &state).await?;
            writing.commit().await
        };
        match saved.await {
            Ok(()) => connection.publish(state),
            Err(error) => tracing::warn!(%error, "failed to store why an authorization failed"),
        }
    }
}
