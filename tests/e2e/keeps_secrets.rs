use anyhow::Context as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use userengine_api::UserEngine;
use userengine_api::status::Phase;
use userengine_e2e::{
    Engine, Namespace, SYSTEM, eventually, in_namespace, operator_metrics, operators,
};

#[tokio::test]
async fn no_key_is_seen_outside_its_secret() -> anyhow::Result<()> {
    in_namespace("canary", |namespace| async move {
        userengine_e2e::class(
            &namespace.client,
            "e2e-debug",
            json!({ "logLevel": "debug" }),
        )
        .await?;
        let mut object = userengine_e2e::engine("alice", "alice");
        object["spec"]["className"] = json!("e2e-debug");
        let engine = Engine::create(&namespace, object).await?;
        engine.wait_phase(Phase::Ready).await?;
        engine.replace_pod().await?;
        let mut canaries = canaries(&namespace).await?;
        rotate_api_key(&engine).await?;
        canaries.extend(self::canaries(&namespace).await?);
        assert!(canaries.len() >= 8, "no keys to look for");
        for (place, text) in visible(&namespace).await? {
            assert!(!text.is_empty(), "nothing to look at in {place}");
            for canary in &canaries {
                // Enough of a key to know it, and too much to be chance.
                let part = canary.get(..16).unwrap_or(canary);
                assert!(!text.contains(part), "a secret is seen in {place}");
            }
        }
        Ok(())
    })
    .await
}

/// There is another API key, and the former one is still accepted.
async fn rotate_api_key(engine: &Engine) -> anyhow::Result<()> {
    let before = engine.api_key().await?;
    let asked = json!({ "apiKey": { "rotationId": "r-1", "overlap": "168h" } });
    engine.change(asked).await?;
    eventually("another API key", 60, || async {
        Ok((engine.api_key().await? != before).then_some(()))
    })
    .await?;
    engine.wait_phase(Phase::Ready).await?;
    Ok(())
}

/// Every value of every Secret of the namespace but the hashes, which are no secret.
async fn canaries(namespace: &Namespace) -> anyhow::Result<Vec<String>> {
    use k8s_openapi::ByteString;
    let all = namespace
        .api::<Secret>()
        .list(&ListParams::default())
        .await?;
    let mut canaries = Vec::new();
    for (name, ByteString(bytes)) in all
        .items
        .into_iter()
        .flat_map(|secret| secret.data.unwrap_or_default())
    {
        if name != "hashes" {
            let text = String::from_utf8(bytes.clone()).context("a key is text")?;
            canaries.push(
                serde_json::to_value(ByteString(bytes))?
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            );
            canaries.push(text);
        }
    }
    Ok(canaries)
}

/// Everything that somebody without access to Secrets may read.
async fn visible(namespace: &Namespace) -> anyhow::Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    macro_rules! list {
        ($($kind:ty),*) => {$(
            let objects = namespace.api::<$kind>().list(&ListParams::default()).await?;
            all.push((stringify!($kind).to_owned(), serde_json::to_string(&objects)?));
        )*};
    }
    list!(
        UserEngine,
        StatefulSet,
        ConfigMap,
        PersistentVolumeClaim,
        Pod,
        Event
    );
    all.push((
        "the engine's log".to_owned(),
        namespace
            .api::<Pod>()
            .logs("alice-0", &LogParams::default())
            .await?,
    ));
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), SYSTEM);
    for operator in operators(&namespace.client).await? {
        let log = pods
            .logs(&operator.name_any(), &LogParams::default())
            .await?;
        all.push(("the operator's log".to_owned(), log));
        let metrics = operator_metrics(&namespace.client, &operator.name_any()).await?;
        assert!(metrics.contains("userengine_operator_engines"), "{metrics}");
        all.push(("the operator's metrics".to_owned(), metrics));
    }
    let path = format!(
        "/api/v1/namespaces/{}/pods/alice-0:9090/proxy/metrics",
        namespace.name
    );
    let metrics = namespace
        .client
        .request_text(http::Request::get(path).body(Vec::new())?)
        .await?;
    all.push(("the engine's metrics".to_owned(), metrics));
    Ok(all)
}
