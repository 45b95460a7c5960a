use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use userengine_e2e::{Engine, Probe, SYSTEM, in_namespace};

async fn may(
    client: &kube::Client,
    verb: &str,
    group: &str,
    resource: &str,
) -> anyhow::Result<bool> {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review: SubjectAccessReview = serde_json::from_value(json!({
        "metadata": {},
        "spec": {
            "user": format!("system:serviceaccount:{SYSTEM}:userengine"),
            "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{SYSTEM}"), "system:authenticated"],
            "resourceAttributes": {
                "namespace": "default", "verb": verb, "group": group, "resource": resource, "subresource": subresource,
            },
        },
    }))?;
    let answer = Api::<SubjectAccessReview>::all(client.clone())
        .create(&PostParams::default(), &review)
        .await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

#[tokio::test]
async fn the_operator_may_do_what_it_does_and_little_else() -> anyhow::Result<()> {
    let client = userengine_e2e::client().await?;
    for (verb, group, resource) in [
        ("get", "", "secrets"),
        ("create", "", "persistentvolumeclaims"),
        ("create", "batch", "jobs"),
        ("patch", "userengine.dev", "userengines/status"),
    ] {
        assert!(
            may(&client, verb, group, resource).await?,
            "may not {verb} {resource}: the question is wrong"
        );
    }
    for (verb, group, resource) in [
        ("list", "", "secrets"),
        ("watch", "", "secrets"),
        ("deletecollection", "", "secrets"),
        ("get", "", "pods/log"),
        ("create", "", "pods/exec"),
        ("create", "", "pods"),
        ("delete", "", "pods"),
        ("get", "", "nodes"),
        ("patch", "batch", "jobs"),
        ("update", "batch", "jobs"),
        ("delete", "", "namespaces"),
        ("create", "rbac.authorization.k8s.io", "rolebindings"),
        ("create", "", "serviceaccounts/token"),
        ("update", "userengine.dev", "userengines"),
        ("delete", "userengine.dev", "userengines"),
        ("patch", "userengine.dev", "engineclasses"),
        ("impersonate", "", "users"),
    ] {
        assert!(
            !may(&client, verb, group, resource).await?,
            "may {verb} {resource}"
        );
    }
    Ok(())
}

/// A client with the operator's rights and no others.
async fn operator() -> anyhow::Result<Client> {
    let mut config = Config::infer().await?;
    config.auth_info.impersonate = Some(format!("system:serviceaccount:{SYSTEM}:userengine"));
    Ok(Client::try_from(config)?)
}

#[tokio::test]
async fn the_operator_may_annotate_the_pods_of_engines_and_change_nothing_else_of_any_pod()
-> anyhow::Result<()> {
    in_namespace("pods", |namespace| async move {
        Engine::ready(&namespace, "alice", "alice").await?;
        Probe::start(&namespace, "stranger").await?;
        let pods: Api<Pod> = Api::namespaced(operator().await?, &namespace.name);
        let patch = |name: &'static str, change: Value| {
            let pods = pods.clone();
            async move {
                pods.patch(name, &PatchParams::default(), &Patch::Merge(change))
                    .await
            }
        };
        let note = json!({ "metadata": { "annotations": { "userengine.dev/catalog": "x" } } });
        patch("alice-0", note.clone()).await?;

        let image = json!([{ "name": "engine", "image": "localhost/another:1" }]);
        let moved = json!({ "metadata": { "labels": { "userengine.dev/engine": "bob" } } });
        for (name, change, words) in [
            ("stranger", note, "pods of engines only"),
            ("alice-0", moved, "annotations of pods only"),
        ] {
            let refused = patch(name, change).await.map_err(|error| error.to_string());
            assert!(
                refused.as_ref().is_err_and(|text| text.contains(words)),
                "{name}: {refused:?}"
            );
        }
        let change = Patch::Strategic(json!({ "spec": { "containers": image } }));
        let refused = pods
            .patch("alice-0", &PatchParams::default(), &change)
            .await;
        let refused = refused.map(drop).map_err(|error| error.to_string());
        assert!(
            refused
                .as_ref()
                .is_err_and(|text| text.contains("annotations of pods only")),
            "{refused:?}"
        );
        Ok(())
    })
    .await
}
