//! What the connections to MCP servers need: the catalog, the callback, and where calls may go.

use std::path::PathBuf;

use url::Url;
use userengine_api::layout::env;

use super::http::web_url;
use super::{ConfigError, Environment, HttpConfig, Limits, client_metadata};
use crate::domain::DnsLabel;
use crate::egress::Allowed;

/// The settings of the connectors.
#[derive(Debug, Clone)]
pub struct ConnectorsConfig {
    /// Folder of the catalog; `None` is an empty catalog.
    pub catalog: Option<PathBuf>,
    /// Folder of the Secrets that catalog entries name.
    pub secrets: Option<PathBuf>,
    /// Base of the callback URL.
    pub redirect_base: Url,
    /// Are providers offered the client metadata document under it?
    pub offer_client_metadata: bool,
    /// `<namespace>.<name>` on Kubernetes. Such an engine starts no children.
    pub name: Option<String>,
    /// Private addresses that may be called.
    pub egress_allow: Vec<Allowed>,
    /// Certificate authorities beside the public ones.
    pub extra_ca: Option<PathBuf>,
    /// What calls may take.
    pub limits: Limits,
}

impl ConnectorsConfig {
    /// Reads `CATALOG_DIR`, `SECRETS_DIR`, `OAUTH_REDIRECT_BASE_URL`, `CLIENT_METADATA_DOCUMENT`, `ENGINE_NAME`, `EGRESS_ALLOW`,
    /// `EXTRA_CA_FILE` and the limits.
    pub fn read(environment: &Environment, http: &HttpConfig) -> Result<Self, ConfigError> {
        let redirect_base = match environment.text(env::OAUTH_REDIRECT_BASE_URL)? {
            Some(text) => web_url(env::OAUTH_REDIRECT_BASE_URL, &text)?,
            None => match &http.public_url {
                Some(url) => url.clone(),
                None => on_this_machine(http.listen.port())?,
            },
        };
        Ok(Self {
            offer_client_metadata: client_metadata::offered(environment, &redirect_base)?,
            catalog: environment.path(env::CATALOG_DIR)?,
            secrets: environment.path(env::SECRETS_DIR)?,
            redirect_base,
            name: environment
                .text(env::ENGINE_NAME)?
                .map(engine_name)
                .transpose()?,
            egress_allow: allow_list(&environment.text(env::EGRESS_ALLOW)?.unwrap_or_default())?,
            extra_ca: environment.path(env::EXTRA_CA_FILE)?,
            limits: Limits::read(environment)?,
        })
    }
}

fn on_this_machine(port: u16) -> Result<Url, ConfigError> {
    web_url(
        env::OAUTH_REDIRECT_BASE_URL,
        &format!("http://localhost:{port}"),
    )
}

/// Two DNS labels: both end up in a URL.
fn engine_name(text: String) -> Result<String, ConfigError> {
    let is_label = |label: &str| DnsLabel::try_from(label).is_ok();
    match text.split_once('.') {
        Some((namespace, name)) if is_label(namespace) && is_label(name) => Ok(text),
        _ => Err(ConfigError::Invalid {
            variable: env::ENGINE_NAME,
            expected: "<namespace>.<name>, both DNS labels",
        }),
    }
}

fn allow_list(text: &str) -> Result<Vec<Allowed>, ConfigError> {
    let entries = text
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            entry.parse().map_err(|()| ConfigError::Invalid {
                variable: env::EGRESS_ALLOW,
                expected: "a comma list of CIDR (10.0.0.0/8), host:port, or http://host:port where plain HTTP is allowed",
            })
        })
        .collect()
}
