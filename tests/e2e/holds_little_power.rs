use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use userengine_e2e::SYSTEM;

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
