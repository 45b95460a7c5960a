//! An admission webhook that does not answer keeps the API server from writing anything: that is said, with its words.

use anyhow::ensure;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Service};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use userengine_api::status::Phase;
use userengine_e2e::trouble::{refuses, says};
use userengine_e2e::{Engine, Namespace, in_namespace};

/// Nobody serves it. Only Services of this namespace ask for it.
fn broken(namespace: &Namespace) -> serde_json::Value {
    json!({
        "metadata": { "name": namespace.name },
        "webhooks": [{
            "name": "broken.example.com",
            "clientConfig": { "service": { "namespace": namespace.name, "name": "nobody", "path": "/" } },
            "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["services"] }],
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace.name } },
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 2,
        }],
    })
}

#[tokio::test]
async fn an_engine_whose_objects_a_broken_webhook_stops_says_so_and_comes_up_without_it()
-> anyhow::Result<()> {
    in_namespace("webhook", |namespace| async move {
        let webhooks: Api<ValidatingWebhookConfiguration> = Api::all(namespace.client.clone());
        let webhook = serde_json::from_value(broken(&namespace))?;
        webhooks.create(&PostParams::default(), &webhook).await?;
        let told = say(&namespace).await;
        webhooks
            .delete(&namespace.name, &DeleteParams::default())
            .await?;
        told?.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}

async fn say(namespace: &Namespace) -> anyhow::Result<Engine> {
    let any =
        json!({ "metadata": { "generateName": "any-" }, "spec": { "ports": [{ "port": 1 }] } });
    refuses::<Service>(namespace, &any, "broken.example.com").await?;
    let object = userengine_e2e::engine("alice", "alice");
    let engine = Engine::create(namespace, object).await?;
    // Nothing but the API server's answers shows it, and these not before there is a claim.
    let claims = namespace.api::<PersistentVolumeClaim>();
    let condition = says(&engine, ("Ready", "ChildRefused"), || async {
        Ok(claims.get_opt("alice-brain").await?.is_some())
    })
    .await?;
    let message = condition.message;
    ensure!(
        message.contains("Service 'alice") && message.contains("broken.example.com"),
        "{message}"
    );
    engine.wait_phase(Phase::Blocked).await?;
    Ok(engine)
}
