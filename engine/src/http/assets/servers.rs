//! `GET /assets/servers`: the servers that can be connected.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::catalog::Entry;
use crate::domain::{AuthMethod, Transport};
use crate::http::error::ErrorBody;
use crate::oauth;
use crate::state::App;

/// A server of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Server {
    /// The name to connect it by.
    pub server_name: String,
    /// Its name for people.
    pub display_name: String,
    /// `streamable_http`, `sse` or `stdio`.
    #[schema(value_type = String)]
    pub transport: Transport,
    /// `oauth`, `static` or `none`.
    #[schema(value_type = String)]
    pub auth_method: AuthMethod,
    /// Can it be connected?
    pub status: Availability,
    /// With `oauth`: the callback URL to register with the provider, to the letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub callback_url: Option<String>,
    /// Why it cannot be connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub unavailable_reason: Option<String>,
}

/// Can a server be connected?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Availability {
    /// It can.
    Available,
    /// It cannot; `unavailable_reason` says why.
    Unavailable,
}

/// Lists the servers of the catalog, by name.
#[utoipa::path(
    get,
    path = "/assets/servers",
    operation_id = "list_servers",
    tag = "assets",
    responses(
        (status = 200, description = "The servers, by name.", body = [Server]),
        (status = 401, description = "`INVALID_KEY`", body = ErrorBody),
    ),
)]
pub(in crate::http) async fn list(State(app): State<App>) -> Json<Vec<Server>> {
    let catalog = app.assets.catalog.current();
    let callback = oauth::callback_url(&app.assets.config);
    Json(
        catalog
            .servers
            .values()
            .map(|entry| shown(entry, callback.as_str()))
            .collect(),
    )
}

fn shown(entry: &Entry, callback: &str) -> Server {
    Server {
        server_name: entry.name.to_string(),
        display_name: entry.display_name.clone(),
        transport: entry.endpoint.transport(),
        auth_method: entry.auth_method,
        status: match entry.unavailable {
            None => Availability::Available,
            Some(_) => Availability::Unavailable,
        },
        callback_url: (entry.auth_method == AuthMethod::Oauth).then(|| callback.to_owned()),
        unavailable_reason: entry.unavailable.clone(),
    }
}
