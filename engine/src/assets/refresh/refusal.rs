//! A refresh that gave no token: is it the end, or does it work later?

use std::sync::Arc;

use super::attempt::failed;
use super::{Failure, Outcome};
use crate::assets::grant::Grant;
use crate::assets::{Connection, Directory, FailureReason};
use crate::domain::ConnectionStatus;
use crate::oauth::OauthError;
use crate::store::ConnectionState;

/// The server refused a token that nothing renews, or its time is up.
pub(super) async fn end_without_refresh_token(
    directory: &Directory,
    connection: &Arc<Connection>,
    state: &ConnectionState,
) -> Outcome {
    let early = state.expires_at.is_some_and(|at| directory.now() < at);
    let (status, why) = if early {
        (
            ConnectionStatus::Revoked,
            "the server took the token back before its end",
        )
    } else {
        (
            ConnectionStatus::Expired,
            "the token has ended, and the provider gave none to refresh it with",
        )
    };
    end(
        directory,
        connection,
        state.generation,
        status,
        why.to_owned(),
    )
    .await
}

/// The provider said no, or nothing.
pub(super) async fn refused(
    directory: &Directory,
    connection: &Arc<Connection>,
    state: &ConnectionState,
    grant: &Grant,
    error: &OauthError,
) -> Outcome {
    let client_is_gone = matches!(error, OauthError::Refused { code, .. } if code == "invalid_client" || code == "unauthorized_client")
        && grant.client.is_registered();
    if client_is_gone {
        directory.forget_client(grant).await;
    }
    if error.grant_is_over() || client_is_gone {
        return end(
            directory,
            connection,
            state.generation,
            ConnectionStatus::Expired,
            error.to_string(),
        )
        .await;
    }
    let failure = Failure::from(error);
    directory.note_failure(connection, &failure.problem).await;
    Outcome::Failed(failure)
}

async fn end(
    directory: &Directory,
    connection: &Arc<Connection>,
    generation: u64,
    status: ConnectionStatus,
    why: String,
) -> Outcome {
    match directory.end(connection, generation, status, &why).await {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::error!(%error, "failed to store the end of a credential");
            failed(FailureReason::Protocol, why)
        }
    }
}
