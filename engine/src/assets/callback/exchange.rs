//! The code becomes tokens, if the answer is one that may be used.

use std::sync::Arc;

use secrecy::SecretString;

use super::{CallbackQuery, Ending, store};
use crate::assets::connect::FlowRequest;
use crate::assets::{Connection, Directory};
use crate::failpoint;
use crate::oauth::{self, OauthError};
use crate::store::Flow;
use crate::vault::{Place, SealedColumn};

/// A code and all that its exchange needs.
pub(super) struct Exchange {
    request: FlowRequest,
    code: SecretString,
    verifier: SecretString,
}

/// Is there a code, and may it be used?
pub(super) fn judge(
    directory: &Directory,
    flow: &Flow,
    query: CallbackQuery,
) -> Result<Exchange, Ending> {
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

impl Exchange {
    /// Exchanges the code and stores what comes of it.
    pub(super) async fn make(self, directory: &Directory, connection: &Arc<Connection>) -> Ending {
        let grant = &self.request.grant;
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
            &self.code,
            &self.verifier,
        )
        .await;
        failpoint::hit("callback.exchanged");
        match answer {
            Ok(tokens) => store::store(directory, connection, self.request, tokens, asked_at).await,
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
}
