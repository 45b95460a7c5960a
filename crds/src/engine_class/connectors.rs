//! What engines are given for their connections to MCP servers.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// The servers that engines can be connected to.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Catalog {
    /// A ConfigMap of the operator's namespace: each key that ends in `.json` is a file of the catalog. The operator keeps
    /// a copy of it beside each engine. At most 256 KiB; a change is in force without a restart.
    #[schemars(length(min = 1, max = 253), regex(pattern = rules::SUBDOMAIN))]
    #[x_kube(validation = rules::name_of("configMap", "ConfigMap"))]
    pub config_map: String,
}

/// Whether providers are offered the client metadata document.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum ClientMetadataDocument {
    /// Unless the host of the callback is plainly internal.
    #[default]
    Auto,
    /// Also then: the providers are internal, too.
    Always,
    /// Never: the host looks public and is not.
    Never,
}

impl ClientMetadataDocument {
    /// As the engine's variable has it; `None` where the engine decides by itself.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Auto => None,
            Self::Always => Some("always"),
            Self::Never => Some("never"),
        }
    }
}

/// Whom engines trust.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// A ConfigMap of the operator's namespace whose key `ca.crt` has, in PEM, certificate authorities to trust beside the
    /// public ones when an engine calls an MCP server or its provider. A change restarts the engines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = rules::SUBDOMAIN))]
    #[x_kube(validation = rules::name_of("caConfigMap", "ConfigMap"))]
    pub ca_config_map: Option<String>,
}

/// A server with a private address that the engines' own guard lets them call.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AllowedHost {
    /// Its name or address, as URLs have it; an IPv6 address without brackets.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::host("host"))]
    pub host: String,
    /// Its port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// It may be called without TLS: only where the network itself is trusted.
    #[serde(default)]
    #[serde(rename = "insecureHTTP")]
    pub insecure_http: bool,
}
