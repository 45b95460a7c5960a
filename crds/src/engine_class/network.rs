//! Who may talk to an engine, and to whom it may talk.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AllowedHost;
use crate::rules;

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
    /// Servers with private addresses that the engines' own guard lets them call. It stands behind the network's walls:
    /// an address must be open in both, so give its `cidrs` or `namespaces` as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["host", "port"]))]
    pub allow: Vec<AllowedHost>,
    /// Addresses to allow besides, in the network and in the engines' own guard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub cidrs: Vec<CidrPorts>,
    /// Namespaces whose pods to allow besides, in the network; the guard knows servers by name: give those in `allow`.
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
