//! The kind `EngineClass`: what the platform decides for a group of engines.

mod bounds;
mod connectors;
mod network;
mod rollout;
mod scheduling;
mod sizes;

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use bounds::{AllowedEnvFrom, allows};
pub use connectors::{AllowedHost, Catalog, ClientMetadataDocument, Tls};
pub use network::{CidrPorts, Egress, EgressDefault, NamespacePorts, Peer, Selector};
pub use rollout::Rollout;
pub use scheduling::{
    TaintEffect, Toleration, TolerationOperator, TopologySpreadConstraint, WhenUnsatisfiable,
};
pub use sizes::{AccessMode, Amounts, Resources, Storage};

pub use crate::encryption::KeyPolicy;
use crate::rules;

/// What the platform decides for a group of engines: image, size, storage and who may talk to whom.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "userengine.dev",
    version = "v1alpha1",
    kind = "EngineClass",
    plural = "engineclasses",
    shortname = "ec",
    category = "userengine-all",
    derive = "PartialEq",
    doc = "What the platform decides for a group of engines: image, size, storage and who may talk to whom.",
    validation = Rule::new("size(self.metadata.name) <= 63").message("metadata.name: at most 63 characters"),
    validation = Rule::new("!self.metadata.name.contains('.')")
        .message("metadata.name: no dots, because spec.className of a UserEngine takes none"),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image"),
    printcolumn(name = "Storage", type_ = "string", json_path = ".spec.storage.size"),
    printcolumn(name = "Default", type_ = "string", json_path = ".metadata.annotations['userengine\\.dev/is-default-class']"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::not_above_the_maximum("cpu"), validation = rules::not_above_the_maximum("memory"))]
pub struct EngineClassSpec {
    /// The engine's image.
    #[schemars(length(min = 1, max = 512), regex(pattern = rules::IMAGE))]
    #[x_kube(validation = rules::matches(rules::IMAGE, "image: a reference without spaces, with an optional digest of 64 hex digits, such as registry.example.com/engine:1.2.3 or registry.example.com/engine@sha256:0123…"))]
    pub image: String,

    /// When the kubelet pulls the image.
    #[serde(default)]
    pub image_pull_policy: PullPolicy,

    /// Secrets of the engine's namespace with which to pull the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 253)))]
    pub image_pull_secrets: Vec<String>,

    /// The images that an engine may ask for, besides `image`: whole references, or prefixes that end in `/`, `:` or `@`,
    /// such as `registry.example.com/engines/` or `registry.example.com/engine:`. Empty: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 512), regex(pattern = rules::ALLOWED_IMAGE)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::all_match(rules::ALLOWED_IMAGE, "allowedImages: each entry is an image, or a prefix that ends in '/', ':' or '@', such as registry.example.com/engine:"))]
    pub allowed_images: Vec<String>,

    /// CPU and memory of an engine, unless it asks for others.
    #[serde(default)]
    pub resources: Resources,

    /// The most that an engine may ask for as its limits. Omitted: no more than the limits in `resources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_resources: Option<Amounts>,

    /// Names of the variables that an engine may set. Empty: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128), regex(pattern = rules::VARIABLE)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(
        validation = rules::all_match(rules::VARIABLE, "allowedEnv: the name of a variable has letters, digits and '_', and does not start with a digit"),
        validation = rules::no_variables_of_the_engine()
    )]
    pub allowed_env: Vec<String>,

    /// What an engine may take variables from.
    #[serde(default)]
    pub allowed_env_from: AllowedEnvFrom,

    /// The brain's volume.
    #[serde(default)]
    pub storage: Storage,

    /// The engines' encryption keys.
    #[serde(default)]
    pub keys: KeyPolicy,

    /// The address under which the outside reaches an engine; `{name}` and `{namespace}` are filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = rules::PUBLIC_URL))]
    #[x_kube(
        validation = rules::matches(rules::PUBLIC_URL, "publicURL: an https address without user, query or fragment, such as https://{name}.{namespace}.engines.example.com"),
        validation = Rule::new("self.contains('{name}') && self.contains('{namespace}')")
            .message("publicURL must contain {name} and {namespace}: two engines must not share an address"),
        validation = rules::matches(rules::STANDS_ALONE, "publicURL: put '.', '/' or '_' between {name} and {namespace}: with '-', a-b in c and a in b-c would share an address")
    )]
    #[serde(rename = "publicURL")]
    pub public_url: Option<String>,

    /// The servers that engines can be connected to. Omitted: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Catalog>,

    /// Secrets of the engine's own namespace that the catalog may refer to, as `<Secret>/<key>`. Where one is missing, the
    /// servers that need it are unavailable there, and all else works.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253), regex(pattern = rules::SUBDOMAIN)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::names_of("secretNames", "Secret"))]
    pub secret_names: Vec<String>,

    /// The address under which providers send a person back, the same for all engines: that of the relay. Providers
    /// register it followed by `/assets/oauth/callback`. Omitted: each engine's own `publicURL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = rules::REDIRECT_URL))]
    #[x_kube(validation = rules::matches(rules::REDIRECT_URL, "oauthRedirectBaseURL: an https address (http only for localhost) without user, query or fragment, such as https://connect.example.com"))]
    #[serde(rename = "oauthRedirectBaseURL")]
    pub oauth_redirect_base_url: Option<String>,

    /// Whether providers are offered the client metadata document under that address, by which they know every engine
    /// without a registration. `Auto`: unless the address is plainly internal, where no provider could fetch it.
    #[serde(default)]
    pub client_metadata_document: ClientMetadataDocument,

    /// Whom engines trust beside the public certificate authorities.
    #[serde(default)]
    pub tls: Tls,

    /// Who may open connections to the engines' API. Empty: nobody but the kubelet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub ingress_from: Vec<Peer>,

    /// Who may, besides the operator, read health and metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub monitoring_from: Vec<Peer>,

    /// What engines may open connections to.
    #[serde(default)]
    pub egress: Egress,

    /// The RuntimeClass of the pods. Omitted: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = rules::SUBDOMAIN))]
    #[x_kube(validation = rules::name_of("runtimeClassName", "RuntimeClass"))]
    pub runtime_class_name: Option<String>,

    /// The PriorityClass of the pods. Omitted: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = rules::SUBDOMAIN))]
    #[x_kube(validation = rules::name_of("priorityClassName", "PriorityClass"))]
    pub priority_class_name: Option<String>,

    /// Labels of the nodes that the pods may run on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = rules::label_value()))]
    pub node_selector: BTreeMap<String, String>,

    /// Taints of nodes that do not keep the pods away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,

    /// How evenly the engines of a namespace lie over the nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["topologyKey", "whenUnsatisfiable"]))]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,

    /// How engines follow a change of this class that restarts them.
    #[serde(default)]
    pub rollout: Rollout,

    /// Seconds that an engine may take to stop: it finishes what is in flight and closes its brain.
    #[serde(default = "default_grace")]
    #[schemars(range(min = 5, max = 600))]
    pub termination_grace_period_seconds: i64,

    /// Level of the engines' logs.
    #[serde(default)]
    pub log_level: LogLevel,
}

fn default_grace() -> i64 {
    30
}

/// When the kubelet pulls an image.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum PullPolicy {
    /// Only if the node does not have it.
    #[default]
    IfNotPresent,
    /// Whenever a pod starts.
    Always,
    /// Never.
    Never,
}

impl PullPolicy {
    /// As the pod's field has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IfNotPresent => "IfNotPresent",
            Self::Always => "Always",
            Self::Never => "Never",
        }
    }
}

/// Level of a log.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Failures only.
    Error,
    /// And what may become one.
    Warn,
    /// And one line a request.
    #[default]
    Info,
    /// And what helps to find a fault.
    Debug,
}

impl LogLevel {
    /// As the engine's variable has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}
