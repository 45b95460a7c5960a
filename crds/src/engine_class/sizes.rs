//! How much an engine may have: CPU, memory and storage.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

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
    #[x_kube(validation = rules::cpu())]
    pub cpu: String,
    /// Bytes, such as `64Mi`.
    #[schemars(length(max = 16), regex(pattern = rules::MEMORY))]
    #[x_kube(validation = rules::memory())]
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
    #[x_kube(validation = rules::name_of("storageClassName", "StorageClass"))]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine_class::EngineClassSpec;

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
