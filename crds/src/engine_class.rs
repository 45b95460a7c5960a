//! The kind `EngineClass`: what the platform decides for a group of engines.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

    /// CPU and memory of an engine.
    #[serde(default)]
    pub resources: Resources,

    /// The brain's volume.
    #[serde(default)]
    pub storage: Storage,

    /// The address under which the outside reaches an engine; `{name}` and `{namespace}` are filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = rules::PUBLIC_URL))]
    #[x_kube(
        validation = rules::matches(rules::PUBLIC_URL, "publicURL: an https address without user, query or fragment, such as https://{name}.{namespace}.engines.example.com"),
        validation = Rule::new("self.contains('{name}') && self.contains('{namespace}')")
            .message("publicURL must contain {name} and {namespace}: two engines must not share an address")
    )]
    #[serde(rename = "publicURL")]
    pub public_url: Option<String>,

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

/// CPU and memory.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::not_above("cpu"), validation = rules::not_above("memory"))]
pub struct Resources {
    /// What the scheduler sets aside.
    #[serde(default = "Amounts::requests")]
    pub requests: Amounts,
    /// What an engine cannot go beyond.
    #[serde(default = "Amounts::limits")]
    pub limits: Amounts,
}

/// An amount of CPU and of memory.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Amounts {
    /// CPUs, such as `1` or `250m`.
    #[schemars(length(max = 16), regex(pattern = rules::CPU))]
    #[x_kube(validation = rules::matches(rules::CPU, "cpu: a whole number of CPUs or of thousandths, above 0, such as 1 or 250m"))]
    pub cpu: String,
    /// Bytes, such as `64Mi`.
    #[schemars(length(max = 16), regex(pattern = rules::MEMORY))]
    #[x_kube(validation = rules::matches(rules::MEMORY, "memory: a whole number above 0 and a unit, one of Ki, Mi, Gi, k, M or G, such as 64Mi"))]
    pub memory: String,
}

impl Amounts {
    fn requests() -> Self {
        Self {
            cpu: "10m".to_owned(),
            memory: "32Mi".to_owned(),
        }
    }

    fn limits() -> Self {
        Self {
            cpu: "1".to_owned(),
            memory: "256Mi".to_owned(),
        }
    }
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            requests: Amounts::requests(),
            limits: Amounts::limits(),
        }
    }
}

/// Storage of the brain.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.maxSize) || !isQuantity(self.maxSize) || !isQuantity(self.size) || quantity(self.maxSize).compareTo(quantity(self.size)) >= 0")
    .message("maxSize must not be smaller than size"))]
pub struct Storage {
    /// Size of a volume, unless an engine asks for another.
    #[serde(default = "default_size")]
    #[schemars(length(max = 16), regex(pattern = rules::SIZE))]
    #[x_kube(validation = rules::size("size"))]
    pub size: String,
    /// The largest size that an engine may ask for. Omitted: no engine may ask for more than `size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = rules::SIZE))]
    #[x_kube(validation = rules::size("maxSize"))]
    pub max_size: Option<String>,
    /// The StorageClass. Omitted: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = rules::SUBDOMAIN))]
    #[x_kube(validation = rules::matches(rules::SUBDOMAIN, "storageClassName: the name of a StorageClass has lowercase letters, digits, '-' and '.', and starts and ends with a letter or digit"))]
    pub storage_class_name: Option<String>,
    /// How the volume may be mounted. `ReadWriteOncePod` keeps a second pod out, whatever happens.
    #[serde(default)]
    pub access_mode: AccessMode,
}

fn default_size() -> String {
    "1Gi".to_owned()
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            size: default_size(),
            max_size: None,
            storage_class_name: None,
            access_mode: AccessMode::default(),
        }
    }
}

/// How a volume may be mounted.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum AccessMode {
    /// By one pod.
    #[default]
    ReadWriteOncePod,
    /// By the pods of one node: only where the driver offers nothing stricter.
    ReadWriteOnce,
}

impl AccessMode {
    /// As the claim's field has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadWriteOncePod => "ReadWriteOncePod",
            Self::ReadWriteOnce => "ReadWriteOnce",
        }
    }
}

/// Pods, by their labels and those of their namespace, or a range of addresses.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.cidr) != (has(self.namespaceSelector) || has(self.podSelector))")
    .message("give either cidr, or namespaceSelector and/or podSelector"))]
pub struct Peer {
    /// Namespaces; omitted: the engine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<Selector>,
    /// Pods; omitted: all of the namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<Selector>,
    /// A range of addresses, such as `192.0.2.0/24`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 49))]
    #[x_kube(validation = rules::cidr("cidr"))]
    pub cidr: Option<String>,
}

/// Labels, all of which must match; none: everything matches.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Label and value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = rules::label_value()))]
    pub match_labels: BTreeMap<String, String>,
}

/// What engines may open connections to.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Egress {
    /// `Public`: every public address, and no special-purpose one. `None`: only what is listed here.
    #[serde(default)]
    pub default: EgressDefault,
    /// Addresses to allow besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub cidrs: Vec<CidrPorts>,
    /// Namespaces whose pods to allow besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub namespaces: Vec<NamespacePorts>,
    /// Public addresses to refuse all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 49)))]
    #[serde(rename = "denyCIDRs")]
    #[x_kube(validation = rules::cidrs("denyCIDRs"))]
    pub deny_cidrs: Vec<String>,
    /// Where name servers are. Omitted: the pods `k8s-app: kube-dns` of `kube-system`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub dns_peers: Vec<Peer>,
}

/// What engines may reach without a rule.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum EgressDefault {
    /// The public internet.
    #[default]
    Public,
    /// Nothing.
    None,
}

/// A range of addresses and its ports.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CidrPorts {
    /// The range.
    #[schemars(length(max = 49))]
    #[x_kube(validation = rules::cidr("cidr"))]
    pub cidr: String,
    /// TCP ports; none: every port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(range(min = 1, max = 65535)))]
    pub ports: Vec<i32>,
}

/// Namespaces by their labels, and ports of their pods.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespacePorts {
    /// Labels of the namespaces.
    pub selector: Selector,
    /// TCP ports; none: every port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(range(min = 1, max = 65535)))]
    pub ports: Vec<i32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A class that says nothing of resources gets the same as one that says nothing inside them.
    #[test]
    fn an_engine_may_use_more_than_is_set_aside_for_it() {
        let silent: EngineClassSpec = serde_json::from_str(r#"{"image":"x"}"#).unwrap();
        let empty: Resources = serde_json::from_str("{}").unwrap();
        assert_eq!(silent.resources, empty);
        assert_eq!(silent.resources.limits.cpu, "1");
        assert_eq!(silent.resources.limits.memory, "256Mi");
    }
}
