//! The operator's own pods.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::{SYSTEM, eventually, is_ready};

/// Finds the pods of the operator.
pub const OPERATORS: &str = "app.kubernetes.io/name=userengine-operator";

/// By which one of them leads.
pub(crate) const LEASE: &str = "userengine-operator";

/// The pods of the operator.
pub async fn operators(client: &kube::Client) -> anyhow::Result<Vec<Pod>> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), SYSTEM);
    let ours = ListParams::default().labels(OPERATORS);
    Ok(pods.list(&ours).await?.items)
}

/// What the operator in this pod measures, through the API server's proxy.
pub async fn operator_metrics(client: &kube::Client, pod: &str) -> anyhow::Result<String> {
    let path = format!("/api/v1/namespaces/{SYSTEM}/pods/{pod}:8080/proxy/metrics");
    let request = http::Request::get(path).body(Vec::new())?;
    Ok(client.request_text(request).await?)
}

/// Who leads them: a pod's name. `None`: nobody holds the Lease.
pub async fn leader(client: &kube::Client) -> anyhow::Result<Option<String>> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), SYSTEM);
    let lease = leases.get_opt(LEASE).await?;
    Ok(lease.and_then(|lease| lease.spec?.holder_identity))
}

/// Waits until an operator leads that has not led before, and gives it.
pub async fn wait_for_next_leader(
    client: &kube::Client,
    last: &str,
    seconds: u64,
) -> anyhow::Result<Pod> {
    eventually(&format!("another leader than {last}"), seconds, || async {
        let leader = leader(client).await?.filter(|leader| leader != last);
        let mut all = operators(client).await?.into_iter();
        Ok(all.find(|pod| Some(pod.name_any()) == leader))
    })
    .await
}

/// Waits for this many operators, all of them ready, and one of them, if there are any, the leader.
pub async fn wait_for_operators(client: &kube::Client, count: usize) -> anyhow::Result<()> {
    eventually(&format!("{count} operators"), 60, || async {
        let all = operators(client).await?;
        let leader = leader(client).await?;
        let leads = |pod: &Pod| Some(pod.name_any()) == leader;
        let is_led = count == 0 || all.iter().any(leads);
        Ok((all.len() == count && all.iter().all(is_ready) && is_led).then_some(()))
    })
    .await
}

/// Asks for this many operators, and waits for none.
pub async fn scale_operators(client: &kube::Client, count: usize) -> anyhow::Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), SYSTEM);
    let patch = Patch::Merge(json!({ "spec": { "replicas": count } }));
    deployments
        .patch("userengine", &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

/// Whether the API server lets this user, or service account, do that in the namespace: a verb, an API group, and a resource,
/// which may have a subresource as in `pods/log`.
pub async fn may(
    client: &kube::Client,
    user: &str,
    namespace: &str,
    (verb, group, resource): (&str, &str, &str),
) -> anyhow::Result<bool> {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let groups = [
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{SYSTEM}"),
    ];
    let groups = groups
        .iter()
        .filter(|_| user.starts_with("system:serviceaccount:"));
    let groups: Vec<_> = groups
        .map(String::as_str)
        .chain(["system:authenticated"])
        .collect();
    let review: SubjectAccessReview = serde_json::from_value(json!({
        "metadata": {},
        "spec": {
            "user": user,
            "groups": groups,
            "resourceAttributes": {
                "namespace": namespace, "verb": verb, "group": group, "resource": resource, "subresource": subresource,
            },
        },
    }))?;
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Does something while the cluster has no operator, and brings it back whatever came of it: the others need one.
pub async fn without_operators<T>(
    client: &kube::Client,
    body: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    scale_operators(client, 0).await?;
    let result = AssertUnwindSafe(async {
        wait_for_operators(client, 0).await?;
        body.await
    });
    let result = result.catch_unwind().await;
    scale_operators(client, 1).await?;
    let value = result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    wait_for_operators(client, 1).await?;
    Ok(value)
}
