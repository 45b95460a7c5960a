//! One server of the catalog, parsed.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::domain::{AuthMethod, Scopes, ServerName, ToolClass, Transport};

/// A server that can be connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, unique in the catalog.
    pub name: ServerName,
    /// Its name for people.
    pub display_name: String,
    /// Where it is.
    pub endpoint: Endpoint,
    /// How it knows who calls.
    pub auth_method: AuthMethod,
    /// Where a static credential goes; only with [`AuthMethod::Static`].
    pub r#static: StaticSettings,
    /// What the OAuth flow needs; only with [`AuthMethod::Oauth`].
    pub oauth: OauthSettings,
    /// May the server's own annotations say that a tool only reads?
    pub trust_annotations: bool,
    /// What the catalog says of tools, by action.
    pub tools: BTreeMap<String, ToolSettings>,
    /// Why the server cannot be used here (a missing Secret, stdio on Kubernetes); it is listed nevertheless.
    pub unavailable: Option<String>,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Streamable HTTP at this URL.
    StreamableHttp(Url),
    /// HTTP+SSE, beginning at this URL.
    Sse(Url),
    /// A child process: program and arguments, no shell.
    Stdio {
        /// Path or name of the program.
        program: String,
        /// Its arguments.
        args: Vec<String>,
        /// Its whole environment, beside the static credential.
        env: BTreeMap<String, String>,
    },
}

impl Endpoint {
    /// The transport's name.
    pub fn transport(&self) -> Transport {
        match self {
            Self::StreamableHttp(_) => Transport::StreamableHttp,
            Self::Sse(_) => Transport::Sse,
            Self::Stdio { .. } => Transport::Stdio,
        }
    }

    /// The URL, if it has one.
    pub fn url(&self) -> Option<&Url> {
        match self {
            Self::StreamableHttp(url) | Self::Sse(url) => Some(url),
            Self::Stdio { .. } => None,
        }
    }
}

/// Where a static credential goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StaticSettings {
    /// The header that carries it; default `Authorization`.
    pub header: Option<String>,
    /// What stands before it in the header; default `Bearer ` in `Authorization`, nothing elsewhere.
    pub prefix: Option<String>,
    /// The variable that carries it to a stdio server.
    pub env: Option<String>,
}

/// What the OAuth flow needs beyond discovery.
#[derive(Debug, Clone, Default)]
pub struct OauthSettings {
    /// A client that was registered with the provider by hand.
    pub client_id: Option<String>,
    /// Its secret, as it was read from `client_secret_file`.
    pub client_secret: Option<SecretString>,
    /// The scopes to ask for; empty = as the server says.
    pub scopes: Scopes,
    /// The authorization server, where the server does not name it.
    pub issuer: Option<Url>,
    /// Where tokens are revoked, if the metadata do not say.
    pub revocation_url: Option<Url>,
}

impl PartialEq for OauthSettings {
    /// Both secrets come from files of the platform: nobody learns anything from how long this takes.
    fn eq(&self, other: &Self) -> bool {
        let secret = |settings: &Self| {
            settings
                .client_secret
                .as_ref()
                .map(|secret| secret.expose_secret().to_owned())
        };
        let rest = |settings: &Self| {
            (
                settings.client_id.clone(),
                settings.scopes.clone(),
                settings.issuer.clone(),
                settings.revocation_url.clone(),
            )
        };
        rest(self) == rest(other) && secret(self) == secret(other)
    }
}

impl Eq for OauthSettings {}

/// What the catalog says of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolSettings {
    /// Read or write; `None` = as a trusted annotation says, else write.
    pub class: Option<ToolClass>,
    /// Does it reach beyond the server's own data?
    pub open_world: Option<bool>,
    /// May it be called twice with the effect of once?
    pub idempotent: Option<bool>,
    /// Replaces the server's description.
    pub description: Option<String>,
}
