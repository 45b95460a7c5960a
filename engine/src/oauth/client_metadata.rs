//! What providers are told of the engine: its callback URL and its client metadata document
//! (<https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/>).

use serde::Serialize;
use url::Url;
use userengine_api::layout::{OAUTH_CALLBACK_PATH, OAUTH_CLIENT_METADATA_PATH};

use super::CLIENT_NAME;
use super::client::NONE;
use super::registration::application_type;
use crate::config::ConnectorsConfig;

/// The callback URL that providers register, to the letter.
pub fn callback_url(config: &ConnectorsConfig) -> Url {
    under(&config.redirect_base, OAUTH_CALLBACK_PATH)
}

/// Where the client metadata document is; its URL is the `client_id`.
pub fn client_metadata_url(config: &ConnectorsConfig) -> Url {
    under(&config.redirect_base, OAUTH_CLIENT_METADATA_PATH)
}

/// The same, if providers are offered it.
pub fn offered_client_metadata(config: &ConnectorsConfig) -> Option<Url> {
    config
        .offer_client_metadata
        .then(|| client_metadata_url(config))
}

/// The document itself. The same for all engines that share a base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ClientMetadata {
    /// The URL of this document.
    client_id: String,
    /// The name that people read on a consent page.
    client_name: &'static str,
    /// The one callback.
    redirect_uris: [String; 1],
    /// `authorization_code` and `refresh_token`.
    grant_types: [&'static str; 2],
    /// `code`.
    response_types: [&'static str; 1],
    /// `none`: a public document keeps no secret.
    token_endpoint_auth_method: &'static str,
    /// `web`, or `native` where the callback is on loopback.
    application_type: &'static str,
}

/// The client metadata document of the engines whose callback is under `base`.
pub fn client_metadata_document(base: &Url) -> ClientMetadata {
    let callback = under(base, OAUTH_CALLBACK_PATH);
    ClientMetadata {
        client_id: under(base, OAUTH_CLIENT_METADATA_PATH).into(),
        client_name: CLIENT_NAME,
        application_type: application_type(&callback),
        redirect_uris: [callback.into()],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: NONE,
    }
}

/// The base may have a path, with or without a slash at its end.
fn under(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}
