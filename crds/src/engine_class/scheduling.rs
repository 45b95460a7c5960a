//! On which nodes engines run.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// A taint that does not keep engines away
/// (<https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>).
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.key) || self.operator == 'Exists'")
        .message("tolerations: without a key, operator is Exists: every taint is tolerated"),
    validation = Rule::new("!has(self.value) || self.operator == 'Equal'")
        .message("tolerations: with operator Exists there is no value"),
    validation = Rule::new("!has(self.tolerationSeconds) || has(self.effect) && self.effect == 'NoExecute'")
        .message("tolerations: tolerationSeconds goes with effect NoExecute only")
)]
pub struct Toleration {
    /// The taint's key. Omitted: every key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 317), regex(pattern = rules::LABEL_KEY))]
    #[x_kube(validation = rules::matches(rules::LABEL_KEY, "tolerations: a key is a name, with a DNS name and '/' before it if it has a prefix, such as example.com/engines"))]
    pub key: Option<String>,
    /// Whether the value counts.
    #[serde(default)]
    pub operator: TolerationOperator,
    /// The taint's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = rules::LABEL_VALUE))]
    #[x_kube(validation = rules::matches(rules::LABEL_VALUE, "tolerations: a value has letters, digits, '-', '_' and '.', and starts and ends with a letter or digit"))]
    pub value: Option<String>,
    /// The taint's effect. Omitted: every effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// Seconds after which a taint `NoExecute` drives the engine away all the same. Omitted: it never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub toleration_seconds: Option<i64>,
}

/// How a toleration is compared with a taint.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum TolerationOperator {
    /// Key and value are the taint's.
    #[default]
    Equal,
    /// The key is.
    Exists,
}

/// What a taint does.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum TaintEffect {
    /// New pods stay away.
    NoSchedule,
    /// New pods go elsewhere if they can.
    PreferNoSchedule,
    /// Those that run have to go as well.
    NoExecute,
}

/// How evenly the engines of a namespace lie over the nodes
/// (<https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>).
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TopologySpreadConstraint {
    /// By how many engines two places may differ.
    #[schemars(range(min = 1, max = 1000))]
    pub max_skew: i32,
    /// The label of nodes whose values are the places, such as `topology.kubernetes.io/zone`.
    #[schemars(length(min = 1, max = 317), regex(pattern = rules::LABEL_KEY))]
    #[x_kube(validation = rules::matches(rules::LABEL_KEY, "topologySpreadConstraints: a topologyKey is the label of nodes, such as topology.kubernetes.io/zone"))]
    pub topology_key: String,
    /// What happens where no node would keep to it.
    pub when_unsatisfiable: WhenUnsatisfiable,
}

/// What happens to an engine that cannot be placed evenly.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum WhenUnsatisfiable {
    /// It waits.
    DoNotSchedule,
    /// It goes where it is least uneven.
    ScheduleAnyway,
}
