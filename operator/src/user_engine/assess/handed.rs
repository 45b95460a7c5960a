//! What a class hands to its engines out of ConfigMaps of the operator's namespace. What cannot be handed on changes nothing:
//! engines keep what they have.

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use serde::de::IgnoredAny;
use userengine_api::condition::Reason;
use userengine_api::engine_class::EngineClassSpec;
use userengine_api::layout::config_map;

use super::Finding;
use crate::user_engine::observed::Observed;

/// Largest catalog, in bytes: each engine has a copy, and all of them are in the API server's one database.
const CATALOG_LIMIT: usize = 256 * 1024;
/// Largest bundle of certificate authorities, in bytes, for the same reason.
const CA_LIMIT: usize = 128 * 1024;

/// The files of the catalog, none if the class names no catalog; or why there is nothing to hand on.
pub fn catalog(
    observed: &Observed,
    class: &EngineClassSpec,
) -> Result<BTreeMap<String, String>, Finding> {
    let Some(catalog) = &class.catalog else {
        return Ok(BTreeMap::new());
    };
    let name = &catalog.config_map;
    let found =
        find(observed, name).ok_or_else(|| missing(observed, Reason::CatalogMissing, name))?;
    files(found).map_err(|wrong| {
        let message = format!("the catalog in ConfigMap '{name}' is not handed on: {wrong}; engines keep the one they have");
        Finding::fine_but(Reason::CatalogInvalid, message)
    })
}

fn files(found: &ConfigMap) -> Result<BTreeMap<String, String>, String> {
    let files: BTreeMap<_, _> = found
        .data
        .iter()
        .flatten()
        .filter(|(name, _)| Path::new(name).extension().is_some_and(|end| end == "json"))
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect();
    if files.is_empty() {
        return Err("none of its keys ends in .json".to_owned());
    }
    let size: usize = files.values().map(String::len).sum();
    if size > CATALOG_LIMIT {
        return Err(format!(
            "it has {size} bytes, and {CATALOG_LIMIT} are allowed"
        ));
    }
    for (name, text) in &files {
        // What the entries say is the engine's to judge. A file that nobody can read must not wait for the next restart.
        serde_json::from_str::<IgnoredAny>(text)
            .map_err(|error| format!("'{name}' is not JSON: {error}"))?;
    }
    Ok(files)
}

/// The class's certificate authorities in PEM, if it names any; or why there is nothing to hand on.
pub fn ca(observed: &Observed, class: &EngineClassSpec) -> Result<Option<String>, Finding> {
    let Some(name) = &class.tls.ca_config_map else {
        return Ok(None);
    };
    let found = find(observed, name).ok_or_else(|| missing(observed, Reason::CaMissing, name))?;
    let pem = found
        .data
        .as_ref()
        .and_then(|data| data.get(config_map::CA));
    match pem {
        Some(pem) if pem.len() <= CA_LIMIT && pem.contains("-----BEGIN CERTIFICATE-----") => {
            Ok(Some(pem.clone()))
        }
        _ => Err(Finding::fine_but(
            Reason::CaInvalid,
            format!(
                "ConfigMap '{name}' is not handed on: its key '{}' must hold certificates in PEM, {CA_LIMIT} bytes at most; engines keep what they have",
                config_map::CA
            ),
        )),
    }
}

fn find<'a>(observed: &'a Observed, name: &str) -> Option<&'a ConfigMap> {
    observed
        .platform
        .iter()
        .map(AsRef::as_ref)
        .find(|found: &&ConfigMap| found.name_any() == name)
}

fn missing(observed: &Observed, reason: Reason, name: &str) -> Finding {
    Finding::fine_but(
        reason,
        format!(
            "there is no ConfigMap '{name}' in namespace '{}': create it, or change the class; engines keep what they have",
            observed.operator_namespace
        ),
    )
}
