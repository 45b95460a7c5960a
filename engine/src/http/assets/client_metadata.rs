//! `GET /assets/oauth/client-metadata.json`: who the engine is, for authorization servers that read it there
//! (<https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/>). Open to everybody.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use url::Url;

use crate::oauth::{ClientMetadata, client_metadata_document};
use crate::state::App;

/// The document, and how long it may be kept.
pub(crate) type Document = ([(HeaderName, HeaderValue); 1], Json<ClientMetadata>);

/// Gives the client metadata document.
#[utoipa::path(
    get,
    path = "/assets/oauth/client-metadata.json",
    operation_id = "clientMetadata",
    tag = "connections",
    responses((status = 200, description = "The client metadata document; its URL is the `client_id`.", body = ClientMetadata)),
    security(()),
)]
pub(in crate::http) async fn get(State(app): State<App>) -> Document {
    document(&app.assets.config.redirect_base)
}

/// The document of the engines whose callback is under `base`. It changes with the deployment only, and authorization
/// servers are asked to keep what they read.
pub(crate) fn document(base: &Url) -> Document {
    let keep = HeaderValue::from_static("public, max-age=3600");
    (
        [(CACHE_CONTROL, keep)],
        Json(client_metadata_document(base)),
    )
}
