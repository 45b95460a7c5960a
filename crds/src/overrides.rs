//! What an engine may have otherwise than its class says, within the bounds that the class sets.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// CPU and memory of an engine, up to the class's `maxResources`. What is left out is as the class has it.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::not_above_where_given("cpu"), validation = rules::not_above_where_given("memory"))]
pub struct ResourcesOverride {
    /// What the scheduler sets aside.
    #[serde(default)]
    pub requests: AmountsOverride,
    /// What the engine cannot go beyond.
    #[serde(default)]
    pub limits: AmountsOverride,
}

/// An amount of CPU, of memory, or of both.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AmountsOverride {
    /// CPUs, such as `1` or `250m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = rules::CPU))]
    #[x_kube(validation = rules::cpu())]
    pub cpu: Option<String>,
    /// Bytes, such as `64Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = rules::MEMORY))]
    #[x_kube(validation = rules::memory())]
    pub memory: Option<String>,
}

/// A variable of the engine's process.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    /// Its name, one of the class's `allowedEnv`.
    #[schemars(length(min = 1, max = 128), regex(pattern = rules::VARIABLE))]
    #[x_kube(validation = rules::matches(rules::VARIABLE, "env: the name of a variable has letters, digits and '_', and does not start with a digit"), validation = rules::no_variable_of_the_engine())]
    pub name: String,
    /// Its value, as it stands in the pod: everybody who may read pods reads it. Secrets belong into `envFrom`.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub value: String,
}

/// Variables out of a Secret or a ConfigMap of the engine's namespace. A change is in force at the next start.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretRef) != has(self.configMapRef)")
    .message("envFrom: give either secretRef or configMapRef"))]
pub struct VariableSource {
    /// What stands before each key to make the name of its variable. It must not lead to one that the engine itself reads.
    #[schemars(length(min = 1, max = 64), regex(pattern = rules::VARIABLE))]
    #[x_kube(validation = rules::matches(rules::VARIABLE, "envFrom: a prefix has letters, digits and '_', and does not start with a digit"), validation = rules::leads_to_no_variable_of_the_engine())]
    pub prefix: String,
    /// A Secret, one of the class's `allowedEnvFrom.secretNames`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SourceRef>,
    /// A ConfigMap, one of the class's `allowedEnvFrom.configMapNames`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<SourceRef>,
}

/// A Secret or a ConfigMap.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = rules::SUBDOMAIN))]
    #[x_kube(validation = rules::matches(rules::SUBDOMAIN, "name: a name in lowercase letters, digits, '-' and '.', which starts and ends with a letter or digit"))]
    pub name: String,
    /// True: the engine starts without it, too. False: it waits for it.
    #[serde(default)]
    pub optional: bool,
}
