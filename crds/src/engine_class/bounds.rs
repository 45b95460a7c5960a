//! How far an engine may go beyond what its class says.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// What engines may take variables from.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AllowedEnvFrom {
    /// Names of Secrets of the engine's own namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253), regex(pattern = rules::SUBDOMAIN)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::names_of("secretNames", "Secret"))]
    pub secret_names: Vec<String>,
    /// Names of ConfigMaps of the engine's own namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253), regex(pattern = rules::SUBDOMAIN)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::names_of("configMapNames", "ConfigMap"))]
    pub config_map_names: Vec<String>,
}

/// The entry of an `allowedImages` list allows this image. An entry that ends in `/`, `:` or `@` is a prefix, and any other
/// one is an image. Prefixes end where a name ends, so that `example.com/engine` never allows `example.com/engine-of-mallory`;
/// and what follows a `:` is a tag, or `engine:` would allow `engine:5000/mallory`, which is another registry.
pub fn allows(entry: &str, image: &str) -> bool {
    match (entry.chars().last(), image.strip_prefix(entry)) {
        (_, Some("")) => !entry.ends_with(['/', ':', '@']),
        (Some('/'), Some(_)) => true,
        (Some(':' | '@'), Some(rest)) => !rest.contains('/'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_allows_an_image_or_all_below_a_name() {
        for (entry, image) in [
            ("example.com/engine:1", "example.com/engine:1"),
            ("example.com/", "example.com/engine:1"),
            ("example.com/", "example.com/team/engine"),
            ("example.com/engine:", "example.com/engine:1.2"),
            (
                "example.com:5000/engine:",
                "example.com:5000/engine:1@sha256:00",
            ),
            ("example.com/engine@", "example.com/engine@sha256:00"),
            ("example.com/engine:1@", "example.com/engine:1@sha256:00"),
        ] {
            assert!(allows(entry, image), "{entry} {image}");
        }
    }

    #[test]
    fn no_entry_allows_what_only_looks_alike() {
        for (entry, image) in [
            ("example.com/engine", "example.com/engine-of-mallory"),
            ("example.com/engine", "example.com/engine:1"),
            ("example.com/engine:1", "example.com/engine:11"),
            ("example.com/engine:1", "example.com/engine:1@sha256:00"),
            ("example.com/", "example.com.mallory.example/engine"),
            ("example.com/", "mallory.example/example.com/engine"),
            ("example.com:", "example.com:5000/mallory"),
            ("engine:", "engine:5000/mallory"),
            ("example.com/engine@", "example.com/engine:1"),
            ("example.com/", "example.com/"),
        ] {
            assert!(!allows(entry, image), "{entry} {image}");
        }
    }
}
