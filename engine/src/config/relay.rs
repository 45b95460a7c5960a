//! What the relay needs.

use url::Url;
use userengine_api::layout::env;

use super::http::web_url;
use super::{ConfigError, Environment, HttpConfig};
use crate::relay::EngineUrlTemplate;

/// The settings of `engine relay`.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Addresses, and how long a stop may take.
    pub http: HttpConfig,
    /// Base of the callback URL that providers register: where this relay is.
    pub redirect_base: Url,
    /// Where the engines are.
    pub engine_url: EngineUrlTemplate,
}

impl RelayConfig {
    /// Reads `LISTEN_ADDR`, `INTERNAL_ADDR`, `SHUTDOWN_GRACE_SECONDS`, `OAUTH_REDIRECT_BASE_URL` and `ENGINE_URL_TEMPLATE`.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let base = required(environment, env::OAUTH_REDIRECT_BASE_URL)?;
        let template = required(environment, env::ENGINE_URL_TEMPLATE)?;
        Ok(Self {
            http: HttpConfig::read(environment)?,
            redirect_base: web_url(env::OAUTH_REDIRECT_BASE_URL, &base)?,
            engine_url: template.parse().map_err(|()| ConfigError::Invalid {
                variable: env::ENGINE_URL_TEMPLATE,
                expected: "https://{name}.{namespace}.example.com or the like: {name} and {namespace}, each once or more, in host or path only, with '.', '/' or '_' between them, so that no two engines share an address; http only for localhost; no query, fragment, user or password",
            })?,
        })
    }
}

fn required(environment: &Environment, variable: &'static str) -> Result<String, ConfigError> {
    environment
        .text(variable)?
        .ok_or(ConfigError::Unset(variable))
}
