//! The person comes back from the provider: take the flow, exchange the code, store the tokens.

mod exchange;
mod store;

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::grant::sha256;
use super::{AssetError, Connection, Directory};
use crate::failpoint;
use crate::oauth::OauthError;
use crate::store::Flow;

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
    let ending = match exchange::judge(directory, &flow, query) {
        Ok(exchange) => exchange.make(directory, &connection).await,
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
    let hash = sha256(state.expose_secret());
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

impl Ending {
    /// For `last_error`: what the API tells of a person who came back without a grant.
    fn why(&self) -> Option<String> {
        match self {
            // Tokens that are not stored yet will be: nothing has failed for good.
            Self::Connected | Self::Unknown | Self::Removed | Self::Unsaved(_) => None,
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
        }
    }
}
