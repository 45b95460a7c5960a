//! What the engine finds below its root: the brain, its keys, and what it may read.

use kube::api::DynamicObject;
use serde_json::{Value, json};
use userengine_api::layout::{
    API_KEY_HASH_FILE, CATALOG_DIR, DATA_DIR, EXTRA_CA_FILE, KEYRING_DIR, SECRETS_DIR, config_map,
    secret,
};
use userengine_api::names::Names;
use userengine_rotation::ledger::Key;

use super::Blueprint;

/// The volume with the ring.
const KEYRING: &str = "keyring";
/// Readable by the group of the process, which is the volume's as well.
const MODE: i32 = 0o440;

/// A volume and where it is mounted.
struct Mount {
    name: String,
    path: String,
    read_only: bool,
    source: (&'static str, Value),
}

impl Mount {
    fn reads(
        name: impl Into<String>,
        path: impl Into<String>,
        kind: &'static str,
        source: Value,
    ) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            read_only: true,
            source: (kind, source),
        }
    }
}

/// The volumes of the pod.
pub fn build(blueprint: &Blueprint<'_>) -> Value {
    let volumes = all(blueprint).into_iter().map(|mount| {
        let (kind, source) = mount.source;
        json!({ "name": mount.name, kind: source })
    });
    Value::Array(volumes.collect())
}

/// Where the engine's container finds them.
pub fn mounts(blueprint: &Blueprint<'_>) -> Value {
    let mounts = all(blueprint).into_iter().map(|mount| {
        let mut place = json!({ "name": mount.name, "mountPath": mount.path });
        if let (true, Value::Object(place)) = (mount.read_only, &mut place) {
            place.insert("readOnly".to_owned(), json!(true));
        }
        place
    });
    Value::Array(mounts.collect())
}

fn all(blueprint: &Blueprint<'_>) -> Vec<Mount> {
    let names = blueprint.names();
    let brain = Mount {
        read_only: false,
        ..Mount::reads(
            "brain",
            DATA_DIR,
            "persistentVolumeClaim",
            json!({ "claimName": names.claim() }),
        )
    };
    let (api_key, hashes) = split(API_KEY_HASH_FILE);
    let api_key = Mount::reads(
        "api-key",
        api_key,
        "secret",
        json!({
            "secretName": names.api_key(),
            "defaultMode": MODE,
            "items": [{ "key": secret::API_KEY_HASHES, "path": hashes }],
        }),
    );
    // Whole folders: a mount of single files would never change again.
    let catalog = Mount::reads(
        "catalog",
        CATALOG_DIR,
        "configMap",
        json!({
            "name": names.catalog(),
            "defaultMode": MODE,
        }),
    );
    let ca = blueprint.ca().map(|_| {
        let (folder, file) = split(EXTRA_CA_FILE);
        Mount::reads(
            "ca",
            folder,
            "configMap",
            json!({
                "name": names.main(),
                "defaultMode": MODE,
                "items": [{ "key": config_map::CA, "path": file }],
            }),
        )
    });
    let all = [brain, keyring(blueprint), api_key, catalog].into_iter();
    all.chain(ca).chain(secrets(blueprint)).collect()
}

fn keyring(blueprint: &Blueprint<'_>) -> Mount {
    let keys: Vec<_> = blueprint.record.ledger.ring().collect();
    Mount::reads(
        KEYRING,
        KEYRING_DIR,
        "projected",
        ring(blueprint.name, &keys),
    )
}

/// A folder with these keys, each under its kid.
pub fn ring(engine: &str, keys: &[&Key]) -> Value {
    let names = Names(engine);
    let sources: Vec<_> = keys
        .iter()
        .map(|key| json!({ "secret": { "name": names.key(&key.suffix), "items": [{ "key": secret::KEY, "path": key.kid }] } }))
        .collect();
    json!({ "defaultMode": MODE, "sources": sources })
}

/// The key Secrets that a StatefulSet mounts as its engine's ring.
pub fn ring_of(live: &DynamicObject) -> Vec<String> {
    let volumes = live.data.pointer("/spec/template/spec/volumes");
    let volumes = volumes.and_then(Value::as_array).into_iter().flatten();
    let ring = volumes.filter(|volume| volume.get("name") == Some(&json!(KEYRING)));
    let sources = ring.filter_map(|ring| ring.pointer("/projected/sources")?.as_array());
    sources
        .flatten()
        .filter_map(|source| source.pointer("/secret/name")?.as_str())
        .map(str::to_owned)
        .collect()
}

/// Puts the ring of the record into the spec of a StatefulSet that is there.
pub fn put_ring(spec: &mut Value, blueprint: &Blueprint<'_>) {
    let ring = keyring(blueprint).source.1;
    let volumes = spec.pointer_mut("/template/spec/volumes");
    let volumes = volumes.and_then(Value::as_array_mut).into_iter().flatten();
    for volume in volumes.filter(|volume| volume.get("name") == Some(&json!(KEYRING))) {
        *volume = json!({ "name": KEYRING, "projected": ring });
    }
}

/// Optional, so that one that is missing keeps no pod from starting; the kubelet brings it once it is there.
fn secrets(blueprint: &Blueprint<'_>) -> impl Iterator<Item = Mount> {
    let names = blueprint.class.secret_names.iter().enumerate();
    names.map(|(number, name)| {
        // A volume's name is a DNS label; that of a Secret may be longer and have dots.
        Mount::reads(
            format!("secret-{number}"),
            format!("{SECRETS_DIR}/{name}"),
            "secret",
            json!({
                "secretName": name,
                "defaultMode": MODE,
                "optional": true,
            }),
        )
    })
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or_default()
}
