//! What the operator's account may run is an engine, and a Job of its: each refusal of
//! `charts/userengine/templates/admission/pod-templates.yaml`, one change of what passes.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};
use userengine_e2e::attempts::{Attempts, Write, set};
use userengine_e2e::{Engine, Namespace, in_namespace};

const POD: &str = "/spec/template/spec";
const METADATA: &str = "/spec/template/metadata";
const KEY: &str = "bob-key-0123456789";

/// A change of the pod's template, and the words that refuse it.
fn foreign() -> Vec<(&'static str, Value, &'static str)> {
    let identity = "their engine's ServiceAccount and no token";
    let node = "neither network nor processes";
    let privileges = "no privileges";
    let mounts = "nothing else";
    let token = json!({ "name": "t", "projected": { "sources": [{ "serviceAccountToken": { "path": "token" } }] } });
    let ring = json!({ "name": "t", "projected": { "sources": [{ "secret": { "name": KEY } }] } });
    vec![
        ("/serviceAccountName", json!("default"), identity),
        ("/automountServiceAccountToken", json!(true), identity),
        ("/hostNetwork", json!(true), node),
        ("/hostPID", json!(true), node),
        ("/hostIPC", json!(true), node),
        (
            "/containers/0/ports",
            json!([{ "containerPort": 1, "hostPort": 1 }]),
            node,
        ),
        ("/securityContext/runAsNonRoot", json!(false), privileges),
        (
            "/containers/0/securityContext/runAsNonRoot",
            json!(false),
            privileges,
        ),
        (
            "/containers/0/securityContext/allowPrivilegeEscalation",
            json!(true),
            privileges,
        ),
        (
            "/containers/0/securityContext/capabilities/add",
            json!(["SYS_ADMIN"]),
            privileges,
        ),
        (
            "/initContainers",
            json!([{ "name": "t", "image": "localhost/t:1", "securityContext": { "allowPrivilegeEscalation": true } }]),
            privileges,
        ),
        (
            "/initContainers",
            json!([{
                "name": "t", "image": "localhost/t:1", "ports": [{ "containerPort": 1, "hostPort": 1 }],
                "securityContext": { "allowPrivilegeEscalation": false },
            }]),
            node,
        ),
        (
            "/initContainers",
            json!([{
                "name": "t", "image": "localhost/t:1",
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "add": ["NET_ADMIN"] } },
            }]),
            privileges,
        ),
        (
            "/volumes/-",
            json!({ "name": "t", "hostPath": { "path": "/" } }),
            mounts,
        ),
        (
            "/volumes/-",
            json!({ "name": "t", "csi": { "driver": "d" } }),
            mounts,
        ),
        ("/volumes/-", token, mounts),
        (
            "/volumes/0/persistentVolumeClaim/claimName",
            json!("bob-brain"),
            mounts,
        ),
        ("/volumes/-", ring, "the keys of their own engine only"),
        (
            "/resourceClaims",
            json!([{ "name": "t", "resourceClaimTemplateName": "t" }]),
            "no devices",
        ),
    ]
}

/// The same of what is between a container and its node.
fn unconfined() -> Vec<(&'static str, Value, &'static str)> {
    let confined = "confined as their runtime does it";
    let probes = "ask the engine itself";
    let unconfined = json!({ "type": "Unconfined" });
    let mut all = vec![
        (
            "/securityContext/sysctls",
            json!([{ "name": "net.ipv4.tcp_syncookies", "value": "1" }]),
            confined,
        ),
        (
            "/containers/0/livenessProbe/httpGet/host",
            json!("127.0.0.1"),
            probes,
        ),
        (
            "/containers/0/readinessProbe",
            json!({ "tcpSocket": { "host": "127.0.0.1", "port": 10250 } }),
            probes,
        ),
        (
            "/containers/0/startupProbe/httpGet/host",
            json!("192.0.2.1"),
            probes,
        ),
        (
            "/containers/0/lifecycle",
            json!({ "postStart": { "httpGet": { "host": "127.0.0.1", "port": 10250 } } }),
            probes,
        ),
    ];
    for (pod, container, value) in [
        (
            "/securityContext/seccompProfile",
            "/containers/0/securityContext/seccompProfile",
            unconfined.clone(),
        ),
        (
            "/securityContext/appArmorProfile",
            "/containers/0/securityContext/appArmorProfile",
            unconfined,
        ),
        (
            "/securityContext/seLinuxOptions",
            "/containers/0/securityContext/seLinuxOptions",
            json!({ "type": "spc_t" }),
        ),
        (
            "/securityContext/windowsOptions",
            "/containers/0/securityContext/windowsOptions",
            json!({ "runAsUserName": "t" }),
        ),
    ] {
        all.extend([(pod, value.clone(), confined), (container, value, confined)]);
    }
    all
}

#[tokio::test]
async fn the_pods_that_the_operator_asks_for_have_what_is_their_engines_and_no_more()
-> anyhow::Result<()> {
    in_namespace("templates", |namespace| async move {
        Engine::ready(&namespace, "alice", "alice").await?;
        let set_of_alice = Attempts::on::<StatefulSet>(&namespace, "alice").await?;
        let job = job(&namespace).await?;
        set_of_alice.passes(Write::Replace(json!([]))).await?;
        job.passes(Write::Create(json!([]))).await?;
        for (path, value, words) in foreign().into_iter().chain(unconfined()) {
            let change = set(&format!("{POD}{path}"), value);
            set_of_alice
                .refused(Write::Replace(change.clone()), words)
                .await?;
            job.refused(Write::Create(change), words).await?;
        }
        let unmasked = json!([
            { "op": "add", "path": format!("{POD}/hostUsers"), "value": false },
            { "op": "add", "path": format!("{POD}/containers/0/securityContext/procMount"), "value": "Unmasked" },
        ]);
        let old = json!({ "container.apparmor.security.beta.kubernetes.io/engine": "unconfined" });
        for change in [unmasked, set(&format!("{METADATA}/annotations"), old)] {
            set_of_alice
                .refused(Write::Replace(change), "confined as their runtime does it")
                .await?;
        }
        let theirs = set(&format!("{METADATA}/labels/app"), "checkout");
        let own = "have the labels of their engine";
        set_of_alice
            .refused(Write::Replace(theirs.clone()), own)
            .await?;
        let anothers = set(&format!("{METADATA}/labels/userengine.dev~1engine"), "bob");
        for change in [theirs, anothers] {
            job.refused(Write::Create(change), own).await?;
        }
        // One that is there cannot get any: the API server itself refuses that.
        let claimed = set("/spec/volumeClaimTemplates", json!([{
            "metadata": { "name": "t" },
            "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Mi" } } },
        }]));
        set_of_alice
            .refused(Write::Create(claimed), "nothing else")
            .await?;
        let named = set("/metadata/name", "alice-nightly");
        job.refused(Write::Create(named), "under the names that the children")
            .await
    })
    .await
}

#[tokio::test]
async fn no_key_reaches_a_pod_but_those_of_its_ring() -> anyhow::Result<()> {
    in_namespace("mounted", |namespace| async move {
        Engine::ready(&namespace, "alice", "alice").await?;
        let set_of_alice = Attempts::on::<StatefulSet>(&namespace, "alice").await?;
        let job = job(&namespace).await?;
        let volume = |secret: Value| {
            set(
                &format!("{POD}/volumes/-"),
                json!({ "name": "t", "secret": secret }),
            )
        };
        let slack = volume(json!({ "secretName": "slack-api-key" }));
        set_of_alice.passes(Write::Replace(slack.clone())).await?;
        let mounted = "no keys but those of their ring";
        job.refused(Write::Create(slack), mounted).await?;
        let plain =
            json!({ "secretName": "alice-api-key", "items": [{ "key": "key", "path": "key" }] });
        for secret in [
            json!({ "secretName": KEY }),
            json!({ "secretName": "alice-api-key" }),
            plain,
        ] {
            set_of_alice
                .refused(Write::Replace(volume(secret)), mounted)
                .await?;
        }

        let variable = |secret: &str| {
            let source = json!({ "secretKeyRef": { "name": secret, "key": "key" } });
            json!([{ "name": "TOKEN", "valueFrom": source }])
        };
        let path = format!("{POD}/containers/0/env");
        let slack = set(&path, variable("slack"));
        set_of_alice.passes(Write::Replace(slack.clone())).await?;
        let environment = "no keys in their environment";
        job.refused(Write::Create(slack), environment).await?;
        for secret in [KEY, "alice-api-key"] {
            let change = Write::Replace(set(&path, variable(secret)));
            set_of_alice.refused(change, environment).await?;
        }
        let whole = json!([{ "secretRef": { "name": KEY } }]);
        let change = set(&format!("{POD}/containers/0/envFrom"), whole);
        set_of_alice
            .refused(Write::Replace(change), environment)
            .await
    })
    .await
}

/// One such as a rotation runs, with the engine's own container in it.
async fn job(namespace: &Namespace) -> anyhow::Result<Attempts> {
    let engine: StatefulSet = namespace.api().get("alice").await?;
    let engine = serde_json::to_value(engine)?;
    let its = |path: &str| engine.pointer(path).cloned().unwrap_or_default();
    let volumes = its("/spec/template/spec/volumes");
    let volumes = volumes.as_array().into_iter().flatten();
    let kinds = ["persistentVolumeClaim", "projected"];
    let volumes = volumes.filter(|it| kinds.iter().any(|kind| it.get(kind).is_some()));
    let volumes: Vec<_> = volumes.collect();
    let mut container = its("/spec/template/spec/containers/0");
    json_patch::merge(&mut container, &json!({ "volumeMounts": null }));
    let mut pod = its("/spec/template/spec");
    let changes =
        json!({ "restartPolicy": "Never", "containers": [container], "volumes": volumes });
    json_patch::merge(&mut pod, &changes);
    let metadata = json!({
        "name": "alice-rotate-0123456789-1",
        "labels": its("/metadata/labels"),
        "ownerReferences": its("/metadata/ownerReferences"),
    });
    let labels = its("/spec/template/metadata/labels");
    let template = json!({ "metadata": { "labels": labels }, "spec": pod });
    let job = json!({ "metadata": metadata, "spec": { "template": template } });
    Attempts::with::<Job>(namespace, job).await
}
