//! `POST /assets/connect`: connects a server, or gives the URL where a person does.

use axum::Json;
use axum::extract::State;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use crate::assets::{ConnectRequest, Connected};
use crate::domain::{ConnectionId, ConnectionStatus};
use crate::http::body::JsonBody;
use crate::http::error::{ApiError, ErrorBody};
use crate::state::App;

/// What to connect.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct ConnectBody {
    /// The server's name in `GET /assets/servers`.
    #[schema(max_length = 40)]
    server_name: String,
    /// The prefix of its tools, for a second account with the same server. Default: the server's name.
    #[schema(max_length = 40, pattern = "^[a-z0-9][a-z0-9_-]*$")]
    alias: Option<String>,
    /// What the connection needs beyond its name.
    server_config: Option<ServerConfig>,
    /// Where the person goes after the provider: https, or http on loopback. Gets `ref_id` and `status` added.
    #[schema(max_length = 2048, format = "uri")]
    return_url: Option<String>,
    /// Connect again although the connection works: for another account, or another credential.
    reconnect: Option<bool>,
}

/// What a connection needs beyond its name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct ServerConfig {
    /// The credential of a server with `auth_method` `static`.
    #[schema(min_length = 1, max_length = 16384, write_only)]
    credential: Option<String>,
    /// Scopes to ask for, with `auth_method` `oauth`. Default: as the catalog or the server says. Those that were granted
    /// before are asked for again.
    #[schema(max_items = 100)]
    scopes: Option<Vec<String>>,
}

/// What the connect led to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectAnswer {
    /// The connection's id, for as long as it exists.
    #[schema(value_type = String)]
    ref_id: ConnectionId,
    /// `connected`, or `pending_oauth` until the person has been at `auth_url`.
    #[schema(value_type = String)]
    status: ConnectionStatus,
    /// Where the person consents, within ten minutes. Whoever opens it connects an account: give it to nobody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uri", nullable = false)]
    auth_url: Option<Url>,
}

/// Connects a server. The same server and alias again brings a connection back under its `ref_id`.
#[utoipa::path(
    post,
    path = "/assets/connect",
    operation_id = "connect",
    tag = "assets",
    request_body = ConnectBody,
    responses(
        (status = 200, description = "Connected, or waiting for the person.", body = ConnectAnswer),
        (status = 400, description = "`MALFORMED_REQUEST`", body = ErrorBody),
        (status = 401, description = "`INVALID_KEY`", body = ErrorBody),
        (status = 404, description = "`SERVER_NOT_FOUND`", body = ErrorBody),
        (status = 409, description = "`ALREADY_CONNECTED`: it works, or the alias is another server's.", body = ErrorBody),
        (status = 413, description = "`REQUEST_TOO_LARGE`", body = ErrorBody),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`", body = ErrorBody),
        (status = 422, description = "`INVALID_REQUEST` names the field; `MCP_CREDENTIAL_REJECTED`: the server refused the credential.", body = ErrorBody),
        (status = 502, description = "`MCP_CONNECTION_FAILED` or `OAUTH_FAILED`, with `details.reason` and `details.retry_after`", body = ErrorBody),
        (status = 503, description = "`SERVER_UNAVAILABLE` or `STORAGE_FAILED`", body = ErrorBody),
    ),
)]
pub(in crate::http) async fn post(
    State(app): State<App>,
    JsonBody(body): JsonBody<ConnectBody>,
) -> Result<Json<ConnectAnswer>, ApiError> {
    let Connected {
        id,
        status,
        auth_url,
    } = app.assets.connect(body.into()).await?;
    Ok(Json(ConnectAnswer {
        ref_id: id,
        status,
        auth_url,
    }))
}

impl From<ConnectBody> for ConnectRequest {
    fn from(body: ConnectBody) -> Self {
        let (credential, scopes) = body
            .server_config
            .map_or((None, None), |config| (config.credential, config.scopes));
        Self {
            server_name: body.server_name,
            alias: body.alias,
            credential: credential.map(SecretString::from),
            scopes,
            return_url: body.return_url,
            reconnect: body.reconnect.unwrap_or_default(),
        }
    }
}
