//! What the engine is told at start.

use serde_json::{Value, json};
use userengine_api::engine_class::{AllowedHost, Egress};
use userengine_api::layout::{
    API_KEY_HASH_FILE, API_PORT, BRAIN_FILE, CATALOG_DIR, EXTRA_CA_FILE, INTERNAL_PORT,
    KEYRING_DIR, REFUSAL_FILE, SECRETS_DIR, config_map, env,
};
use userengine_api::user_engine::Variable;

use super::Blueprint;

/// Seconds of the grace period that are the kubelet's and the kernel's, not the engine's.
const STOP_MARGIN: i64 = 3;

/// The variables of the engine's container.
pub fn build(blueprint: &Blueprint<'_>) -> Value {
    let class = blueprint.class;
    let grace = (class.termination_grace_period_seconds - STOP_MARGIN).max(1);
    let mut variables = vec![
        variable(
            env::ENGINE_NAME,
            format!("{}.{}", blueprint.namespace, blueprint.name),
        ),
        variable(env::SQLITE_DB_PATH, BRAIN_FILE),
        variable(env::KEYRING_DIR, KEYRING_DIR),
        variable(env::ENGINE_KEY_HASH_FILE, API_KEY_HASH_FILE),
        variable(env::DATABASE_ID, &*blueprint.record.database_id),
        json!({
            "name": env::BRAIN_MODE,
            "valueFrom": { "configMapKeyRef": { "name": blueprint.names().main(), "key": config_map::BRAIN } },
        }),
        variable(env::REFUSAL_FILE, REFUSAL_FILE),
        variable(env::LISTEN_ADDR, format!("0.0.0.0:{API_PORT}")),
        variable(env::INTERNAL_ADDR, format!("0.0.0.0:{INTERNAL_PORT}")),
        variable(env::ENGINE_LOG_LEVEL, class.log_level.as_str()),
        variable(env::SHUTDOWN_GRACE_SECONDS, grace.to_string()),
        variable(env::CATALOG_DIR, CATALOG_DIR),
        variable(env::SECRETS_DIR, SECRETS_DIR),
    ];
    let allowed = egress_allow(&class.egress);
    let optional = [
        (env::PUBLIC_URL, blueprint.public_url()),
        (
            env::OAUTH_REDIRECT_BASE_URL,
            class.oauth_redirect_base_url.clone(),
        ),
        (
            env::CLIENT_METADATA_DOCUMENT,
            class.client_metadata_document.as_str().map(str::to_owned),
        ),
        (env::EGRESS_ALLOW, (!allowed.is_empty()).then_some(allowed)),
        (
            env::EXTRA_CA_FILE,
            blueprint.ca().map(|_| EXTRA_CA_FILE.to_owned()),
        ),
    ];
    let given = optional
        .into_iter()
        .filter_map(|(name, value)| Some(variable(name, value?)));
    variables.extend(given);
    variables.extend(blueprint.engine.env.iter().map(own));
    Value::Array(variables)
}

/// One that the user sets. The API server drops an empty value, and a comparison must not miss it.
fn own(own: &Variable) -> Value {
    if own.value.is_empty() {
        return json!({ "name": own.name });
    }
    variable(&own.name, &*own.value)
}

fn variable(name: &str, value: impl Into<String>) -> Value {
    json!({ "name": name, "value": value.into() })
}

/// What the guard lets through although it is not public: ranges that the network's walls let through as well, and
/// servers by name.
fn egress_allow(egress: &Egress) -> String {
    let ranges = egress.cidrs.iter().map(|range| range.cidr.clone());
    let hosts = egress.allow.iter().map(host_and_port);
    ranges.chain(hosts).collect::<Vec<_>>().join(",")
}

fn host_and_port(allowed: &AllowedHost) -> String {
    let scheme = if allowed.insecure_http { "http://" } else { "" };
    let AllowedHost { host, port, .. } = allowed;
    if host.contains(':') {
        format!("{scheme}[{host}]:{port}")
    } else {
        format!("{scheme}{host}:{port}")
    }
}
