use insta::assert_yaml_snapshot;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde::Serialize;
use serde::de::DeserializeOwned;
use userengine_api::layout::secret;

use super::*;
use crate::cluster::drift::covers;
use crate::user_engine::api_key::{Change, Keys, Record as ApiKeyRecord, Stage};
use crate::user_engine::fixtures::{UID, World, api_key, key, record, world};
use crate::user_engine::observe::api_key_hash;
use crate::user_engine::observed::{NextKey, OurApiKey};

fn built(world: &World, record: &Record) -> Vec<Child> {
    let class = world.assess().resolved.unwrap();
    children(&world.0, record, &class)
}

fn child(world: &World, kind: ChildKind) -> Value {
    built(world, &record())
        .into_iter()
        .find(|child| child.id.kind == kind)
        .unwrap()
        .object
}

/// A class that says something in every field.
fn everything() -> Value {
    json!({
        "imagePullPolicy": "Always",
        "imagePullSecrets": ["registry"],
        "resources": { "requests": { "cpu": "1000m", "memory": "1024Mi" }, "limits": { "cpu": "2", "memory": "2Gi" } },
        "storage": { "size": "2048Mi", "maxSize": "4Gi", "storageClassName": "fast", "accessMode": "ReadWriteOnce" },
        "publicURL": "https://{name}.{namespace}.engines.example.com",
        "clientMetadataDocument": "Never",
        "ingressFrom": [
            { "namespaceSelector": { "matchLabels": { "team": "platform" } }, "podSelector": { "matchLabels": { "app": "backend" } } },
            { "namespaceSelector": {} },
            { "cidr": "192.0.2.0/24" },
        ],
        "monitoringFrom": [{ "namespaceSelector": { "matchLabels": { "name": "monitoring" } } }],
        "egress": {
            "allow": [
                { "host": "mcp.tools.svc.cluster.local", "port": 8080, "insecureHTTP": true },
                { "host": "fd00::1", "port": 443 },
            ],
            "cidrs": [{ "cidr": "10.1.0.0/16", "ports": [443, 8443] }, { "cidr": "2001:db8::/32" }],
            "namespaces": [
                { "selector": { "matchLabels": { "mcp": "yes" } }, "ports": [8080] },
                { "selector": {} },
            ],
            "denyCIDRs": ["198.18.7.0/24", "2a00::/16", "fd00::/8"],
            "dnsPeers": [{ "cidr": "169.254.20.10/32" }],
        },
        "catalog": { "configMap": "servers" },
        "secretNames": ["slack", "mail.example.com"],
        "oauthRedirectBaseURL": "https://connect.example.com",
        "tls": { "caConfigMap": "roots" },
        "allowedImages": ["registry.example.com/engine:"],
        "maxResources": { "cpu": "4", "memory": "4Gi" },
        "allowedEnv": ["GREETING", "NOTHING"],
        "allowedEnvFrom": { "secretNames": ["extra"], "configMapNames": ["more"] },
        "runtimeClassName": "gvisor",
        "priorityClassName": "engines",
        "nodeSelector": { "example.com/pool": "engines" },
        "tolerations": [
            { "key": "example.com/engines", "value": "only", "effect": "NoExecute", "tolerationSeconds": 60 },
            { "operator": "Exists", "effect": "NoSchedule" },
        ],
        "topologySpreadConstraints": [
            { "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway" },
        ],
        "terminationGracePeriodSeconds": 120,
        "logLevel": "debug",
    })
}

fn plain() -> World {
    world().claimed().with_key()
}

fn full() -> World {
    let ca = json!({ "ca.crt": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n" });
    let catalog = json!({ "all.json": "[]", "README": "for people" });
    let world = plain().class(&everything());
    world
        .config_map("servers", &catalog)
        .config_map("roots", &ca)
}

#[test]
fn the_walls_let_the_operator_in_and_out_the_public_internet() {
    assert_yaml_snapshot!(
        "network_policy_public",
        child(&plain(), ChildKind::NetworkPolicy)
    );
}

#[test]
fn the_walls_without_egress_leave_name_servers_only() {
    let none = plain().class(&json!({ "egress": { "default": "None" } }));
    assert_yaml_snapshot!(
        "network_policy_none",
        child(&none, ChildKind::NetworkPolicy)
    );
}

#[test]
fn the_walls_open_for_whom_the_class_names() {
    assert_yaml_snapshot!(
        "network_policy_full",
        child(&full(), ChildKind::NetworkPolicy)
    );
}

#[test]
fn the_identity_has_no_token() {
    assert_yaml_snapshot!(
        "service_account",
        child(&plain(), ChildKind::ServiceAccount)
    );
}

#[test]
fn the_engine_is_told_to_make_a_brain_once_only() {
    let config_map = |initialised| {
        let all = built(
            &plain(),
            &Record {
                initialised,
                ..record()
            },
        );
        all.into_iter()
            .find(|child| child.id.kind == ChildKind::ConfigMap)
            .unwrap()
            .object
    };
    assert_yaml_snapshot!("config_map_create", config_map(false));
    assert_yaml_snapshot!("config_map_existing", config_map(true));
}

fn named(world: &World, name: &str) -> Value {
    let all = built(world, &record()).into_iter();
    let mut found =
        all.filter(|child| child.id.name == name && child.id.kind == ChildKind::ConfigMap);
    found.next().unwrap().object
}

#[test]
fn what_the_class_hands_on_is_beside_the_engine() {
    assert_yaml_snapshot!("catalog", named(&full(), "alice-catalog"));
    assert_yaml_snapshot!("config_map_full", named(&full(), "alice"));
}

/// Certificate authorities are read at start, so others make another pod; a catalog is read when it changes.
#[test]
fn a_pod_is_made_anew_for_certificate_authorities_and_not_for_a_catalog() {
    let pod = |world: &World| child(world, ChildKind::StatefulSet)["spec"].clone();
    let catalog = full().config_map("servers", &json!({ "other.json": "{}" }));
    assert_eq!(pod(&catalog), pod(&full()));
    let without = plain().class(&everything());
    assert_ne!(
        pod(&without),
        pod(&full()),
        "the authorities are not there yet"
    );

    let mut lost = without;
    let settings = built(&full(), &record())
        .into_iter()
        .find(|child| child.id.name == "alice" && child.id.kind == ChildKind::ConfigMap)
        .unwrap();
    let live = serde_json::from_value(settings.object).unwrap();
    lost.0.children.insert(settings.id, live);
    assert_eq!(
        pod(&lost),
        pod(&full()),
        "they are gone, and the engine keeps what it has"
    );
}

#[test]
fn the_services_lead_to_the_api_and_to_nothing_else() {
    let services: Vec<_> = built(&plain(), &record())
        .into_iter()
        .filter(|child| child.id.kind == ChildKind::Service)
        .collect();
    let objects: Vec<_> = services.iter().map(|child| &child.object).collect();
    assert_yaml_snapshot!("services", objects);
}

#[test]
fn the_pod_is_restricted_and_finds_its_brain_and_keys() {
    assert_yaml_snapshot!(
        "stateful_set_running",
        child(&plain(), ChildKind::StatefulSet)
    );
}

#[test]
fn the_pod_follows_the_class() {
    assert_yaml_snapshot!("stateful_set_full", child(&full(), ChildKind::StatefulSet));
}

#[test]
fn the_pod_has_what_the_engine_asks_for_within_the_bounds_of_the_class() {
    let pod = |world: &World| child(world, ChildKind::StatefulSet)["spec"]["template"].clone();
    let own = full().spec(&json!({
        "image": "registry.example.com/engine:2",
        "resources": { "requests": { "memory": "512Mi" }, "limits": { "cpu": "3000m" } },
        "env": [{ "name": "GREETING", "value": "hello" }, { "name": "NOTHING" }],
        "envFrom": [
            { "prefix": "EXTRA_", "secretRef": { "name": "extra" } },
            { "prefix": "MORE_", "configMapRef": { "name": "more", "optional": true } },
        ],
    }));
    let (mut expected, own) = (pod(&full()), pod(&own));
    let container = &mut expected["spec"]["containers"][0];
    container["image"] = json!("registry.example.com/engine:2");
    container["resources"] = json!({
        "requests": { "cpu": "1", "memory": "512Mi" }, "limits": { "cpu": "3", "memory": "2Gi" },
    });
    let variables = container["env"].as_array_mut().unwrap();
    variables.push(json!({ "name": "GREETING", "value": "hello" }));
    variables.push(json!({ "name": "NOTHING" }));
    container["envFrom"] = json!([
        { "prefix": "EXTRA_", "secretRef": { "name": "extra", "optional": false } },
        { "prefix": "MORE_", "configMapRef": { "name": "more", "optional": true } },
    ]);
    assert_eq!(own, expected);
}

/// What the schema refuses to users: the operator sets no variable that the list does not have.
#[test]
fn every_variable_that_the_operator_sets_is_the_engines_own() {
    let pod = child(&full(), ChildKind::StatefulSet);
    let variables = pod.pointer("/spec/template/spec/containers/0/env").unwrap();
    for variable in variables.as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        assert!(userengine_api::layout::env::ALL.contains(&name), "{name}");
    }
}

#[test]
fn a_suspended_engine_differs_in_its_replicas_only() {
    let running = child(&plain(), ChildKind::StatefulSet);
    let mut suspended = child(&plain().suspended(), ChildKind::StatefulSet);
    assert_eq!(suspended["spec"]["replicas"], 0);
    suspended["spec"]["replicas"] = json!(1);
    suspended["metadata"]["annotations"] = running["metadata"]["annotations"].clone();
    assert_eq!(suspended, running);
}

fn the_claim(world: &World) -> Value {
    let class = world.assess().resolved.unwrap();
    claim(
        &world.0,
        &record(),
        &class,
        class.spec.storage.size.parse().unwrap(),
    )
}

#[test]
fn the_claim_is_the_record_and_belongs_to_nobody() {
    assert_yaml_snapshot!("claim", the_claim(&world()));
    assert_yaml_snapshot!("claim_full", the_claim(&world().class(&everything())));
}

fn the_key_secret() -> Value {
    key_secret(&world().0, "alice-key-0123456789", UID, &key(1))
}

#[test]
fn the_key_secret_is_immutable_held_and_belongs_to_nobody() {
    let mut secret = the_key_secret();
    let text = secret["stringData"][secret::KEY].take();
    assert_eq!(text, key(1).text().as_str());
    assert!(
        !secret.to_string().contains(&key(1).text()[..8]),
        "the key is in one place only"
    );
    secret["stringData"][secret::KEY] = json!("[the key]");
    assert_yaml_snapshot!("key_secret", secret);
}

fn the_api_key_secret() -> Value {
    api_key_secret(&world().0, "the-api-key", &api_key_hash("the-api-key"))
}

#[test]
fn the_api_key_secret_goes_with_its_engine_and_holds_key_and_hash() {
    let mut secret = the_api_key_secret();
    assert_eq!(secret["stringData"][secret::API_KEY].take(), "the-api-key");
    assert!(
        !secret.to_string().contains("the-api-key"),
        "the key is in one place only"
    );
    secret["stringData"][secret::API_KEY] = json!("[the key]");
    assert_yaml_snapshot!("api_key_secret", secret);
}

#[test]
fn a_change_of_the_api_key_takes_keys_hashes_and_record_together_in_the_version_that_was_seen() {
    let id = "r-1".to_owned().try_into().unwrap();
    let next = NextKey {
        key: "the-next-key".to_owned().into(),
        hash: "cd".to_owned(),
    };
    let former = "ab".to_owned();
    let change = Change {
        record: ApiKeyRecord::default().at(&id, Stage::Overlapping { since: 7, former }),
        keys: Keys::Swap,
        news: None,
    };
    let seen = OurApiKey {
        next: Some(next),
        ..api_key()
    };
    assert_eq!(
        api_key_change(&seen, &change, None).unwrap(),
        json!({
            "metadata": {
                "resourceVersion": "3",
                "annotations": { labels::API_KEY_ROTATION: change.record.text() },
            },
            "data": { "nextKey": null },
            "stringData": { "key": "the-next-key", "hashes": "cd,ab" },
        })
    );
    assert_eq!(api_key_change(&api_key(), &change, None), None);
}

/// The pod gets the hashes and never the API key: whoever reads an engine's memory cannot speak as the backend.
#[test]
fn the_pod_mounts_hashes_and_not_the_api_key() {
    let volumes =
        child(&plain(), ChildKind::StatefulSet)["spec"]["template"]["spec"]["volumes"].clone();
    let volume = volumes
        .as_array()
        .unwrap()
        .iter()
        .find(|volume| volume["name"] == "api-key")
        .unwrap();
    assert_eq!(
        volume["secret"]["items"],
        json!([{ "key": secret::API_KEY_HASHES, "path": "hashes" }])
    );
}

/// What Kubernetes' own types make of an object: fields that they do not know are gone.
fn typed<K: Serialize + DeserializeOwned>(object: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<K>(object.clone()).unwrap()).unwrap()
}

#[test]
fn every_built_object_is_whole_in_the_types_of_kubernetes() {
    for world in [
        plain(),
        full(),
        plain().suspended(),
        plain().class(&json!({ "egress": { "default": "None" } })),
    ] {
        for Child { id, object } in built(&world, &record()) {
            let typed = match id.kind {
                ChildKind::NetworkPolicy => typed::<NetworkPolicy>(&object),
                ChildKind::ServiceAccount => typed::<ServiceAccount>(&object),
                ChildKind::ConfigMap => typed::<ConfigMap>(&object),
                ChildKind::Service => typed::<Service>(&object),
                ChildKind::StatefulSet => typed::<StatefulSet>(&object),
            };
            assert!(
                covers(&typed, &object),
                "{id:?}: {object:#} became {typed:#}"
            );
        }
        let claim = the_claim(&world);
        assert!(
            covers(&typed::<PersistentVolumeClaim>(&claim), &claim),
            "{claim:#}"
        );
    }
    for secret in [the_key_secret(), the_api_key_secret()] {
        assert!(
            covers(&typed::<Secret>(&secret), &secret),
            "a Secret lost a field"
        );
    }
}

#[test]
fn children_belong_to_their_engine_and_durable_ones_to_nobody() {
    for Child { id, object } in built(&full(), &record()) {
        let owners = &object["metadata"]["ownerReferences"];
        assert_eq!(
            (&owners[0]["uid"], &owners[0]["controller"]),
            (&json!(UID), &json!(true)),
            "{id:?}"
        );
        assert_eq!(
            object["metadata"]["labels"][labels::ENGINE],
            "alice",
            "{id:?}"
        );
        assert_eq!(object["metadata"]["name"], id.name.as_str());
    }
    for durable in [the_claim(&world()), the_key_secret()] {
        assert_eq!(durable["metadata"].get("ownerReferences"), None);
        assert_eq!(
            durable["metadata"]["finalizers"].as_array().unwrap().len(),
            1
        );
    }
}

#[test]
fn building_twice_gives_the_same() {
    assert_eq!(built(&full(), &record()), built(&full(), &record()));
}

#[test]
fn an_address_is_the_classes_template_filled_in() {
    let url = |template: &str| {
        public_url(
            &world()
                .class(&json!({ "publicURL": template }))
                .assess()
                .resolved
                .unwrap()
                .spec,
            "alice",
            "acme",
        )
    };
    assert_eq!(
        url("https://{name}.{namespace}.example.com").as_deref(),
        Some("https://alice.acme.example.com")
    );
    assert_eq!(
        url("https://example.com/{namespace}/{name}/{name}").as_deref(),
        Some("https://example.com/acme/alice/alice")
    );
    assert_eq!(
        public_url(&world().assess().resolved.unwrap().spec, "alice", "acme"),
        None
    );
}
