//! What the parts that need a cluster have in common: a namespace and a class of their own, gone when they end.

use std::time::Duration;

use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;
use userengine_api::EngineClass;
use userengine_e2e::{Namespace, class};

use crate::report::Measured;

/// Name of the class.
pub const CLASS: &str = "bench";
/// How long a round waits for a quiet machine.
pub const QUIET: Duration = Duration::from_secs(5);

/// Measures in a namespace of its own. Namespace and class go whatever comes of it.
pub fn in_namespace(
    measure: impl AsyncFnOnce(&Namespace) -> anyhow::Result<Measured>,
) -> anyhow::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let namespace = Namespace::create("bench", &[]).await?;
        let classes = Api::<EngineClass>::all(namespace.client.clone());
        let measured = async {
            class(&namespace.client, CLASS, json!({})).await?;
            measure(&namespace).await
        };
        let measured = measured.await;
        let left = namespace.delete().await;
        let class_left = classes.delete(CLASS, &DeleteParams::default()).await;
        let measured = measured?;
        left?;
        class_left?;
        Ok(measured)
    })
}
