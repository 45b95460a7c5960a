//! `/assets/connections`: what is connected, one of them, and its end.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::assets::{AssetError, BreakerState, Connection, Directory, HiddenTool};
use crate::domain::{AuthMethod, ConnectionId, ConnectionStatus, Scopes, ServerName};
use crate::http::error::{ApiError, ErrorBody};
use crate::state::App;

/// A connection.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Summary {
    /// Its id.
    #[schema(value_type = String)]
    ref_id: ConnectionId,
    /// The server's name in the catalog.
    #[schema(value_type = String)]
    server_name: ServerName,
    /// The prefix of its tools.
    #[schema(value_type = String)]
    alias: ServerName,
    /// `pending_oauth`, `connected`, `expired` or `revoked`. From each of them `POST /assets/connect` is the way back.
    #[schema(value_type = String)]
    status: ConnectionStatus,
    /// Granted scopes.
    #[schema(value_type = Vec<String>)]
    scopes: Scopes,
    /// When the access token ends. The engine refreshes it before, if the provider lets it.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Why no call goes through although nothing is wrong with the credential: the catalog lost the server, or it cannot be
    /// used here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    unavailable_reason: Option<String>,
}

/// A connection with all that is known of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Details {
    #[serde(flatten)]
    summary: Summary,
    /// `oauth`, `static` or `none`.
    #[schema(value_type = String)]
    auth_method: AuthMethod,
    /// Scopes that calls were refused for.
    #[schema(value_type = Vec<String>)]
    missing_scopes: Scopes,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last connected.
    #[schema(value_type = Option<String>, format = DateTime)]
    connected_at: Option<Timestamp>,
    /// When its token was last refreshed.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_refresh: Option<Timestamp>,
    /// The last thing that went wrong with its credential; `null` after it was put right.
    last_error: Option<Problem>,
    /// Does it let calls through?
    breaker: BreakerState,
    /// Tools of the server that are not offered, with the reasons; empty before anybody asked for its tools.
    hidden_tools: Vec<HiddenTool>,
}

/// Something that went wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// What, in words.
    message: String,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// Lists the connections, in the order in which they were made.
#[utoipa::path(
    get,
    path = "/assets/connections",
    operation_id = "list_connections",
    tag = "assets",
    responses(
        (status = 200, description = "The connections, oldest first.", body = [Summary]),
        (status = 401, description = "`INVALID_KEY`", body = ErrorBody),
    ),
)]
pub(in crate::http) async fn list(State(app): State<App>) -> Json<Vec<Summary>> {
    let mut connections = app.assets.connections();
    connections.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    let summaries = connections
        .iter()
        .map(|connection| summary(&app.assets, connection));
    Json(summaries.collect())
}

/// Gives one connection with all that is known of it.
#[utoipa::path(
    get,
    path = "/assets/connections/{ref_id}",
    operation_id = "get_connection",
    tag = "assets",
    params(("ref_id" = String, Path, description = "The connection's id.")),
    responses(
        (status = 200, description = "The connection.", body = Details),
        (status = 401, description = "`INVALID_KEY`", body = ErrorBody),
        (status = 404, description = "`CONNECTION_NOT_FOUND`", body = ErrorBody),
    ),
)]
pub(in crate::http) async fn get(
    State(app): State<App>,
    Path(ref_id): Path<String>,
) -> Result<Json<Details>, ApiError> {
    let id = parse(ref_id)?;
    let connection = app
        .assets
        .connection(&id)
        .ok_or_else(|| AssetError::ConnectionNotFound(id.to_string()))?;
    let state = connection.state();
    Ok(Json(Details {
        summary: summary(&app.assets, &connection),
        auth_method: state.auth_method,
        missing_scopes: state.missing_scopes.clone(),
        created_at: connection.created_at,
        connected_at: state.connected_at,
        last_refresh: state.refreshed_at,
        last_error: state.last_error.clone().map(|message| Problem {
            message,
            at: state.last_error_at,
        }),
        breaker: connection.traffic.breaker_state(),
        hidden_tools: connection.traffic.hidden_tools(),
    }))
}

/// Disconnects. The connection is gone at once; its tokens are revoked at the provider in the background.
#[utoipa::path(
    delete,
    path = "/assets/connections/{ref_id}",
    operation_id = "disconnect",
    tag = "assets",
    params(("ref_id" = String, Path, description = "The connection's id.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 401, description = "`INVALID_KEY`", body = ErrorBody),
        (status = 404, description = "`CONNECTION_NOT_FOUND`", body = ErrorBody),
        (status = 503, description = "`STORAGE_FAILED`: it is still there.", body = ErrorBody),
    ),
)]
pub(in crate::http) async fn delete(
    State(app): State<App>,
    Path(ref_id): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.assets.disconnect(&parse(ref_id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn summary(directory: &Directory, connection: &Connection) -> Summary {
    let state = connection.state();
    let unavailable_reason = match directory.entry(connection) {
        Err(AssetError::ServerUnavailable { why, .. }) => Some(why),
        _ => None,
    };
    Summary {
        ref_id: connection.id.clone(),
        server_name: connection.server.clone(),
        alias: connection.alias.clone(),
        status: connection.shown_status(directory.clock.now()),
        scopes: state.scopes.clone(),
        expires_at: state.expires_at,
        unavailable_reason,
    }
}

fn parse(ref_id: String) -> Result<ConnectionId, AssetError> {
    let shown: String = ref_id.chars().take(40).collect();
    ConnectionId::try_from(ref_id).map_err(|_| AssetError::ConnectionNotFound(shown))
}
