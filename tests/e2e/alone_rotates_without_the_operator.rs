//! An operator that dies in the middle of a rotation finds it again where it stands.

use serde_json::json;
use userengine_api::status::Phase;
use userengine_e2e::{Engine, eventually, in_namespace, scale_operators, wait_for_operators};

#[tokio::test]
async fn alone_a_rotation_goes_on_when_the_operator_is_back() -> anyhow::Result<()> {
    in_namespace("orphaned", |namespace| async move {
        let client = namespace.client.clone();
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        let stopped = eventually("the engine to be stopped for it", 60, || async {
            let phase = engine.get().await?.status.and_then(|status| status.phase);
            Ok((phase == Some(Phase::Rotating)).then_some(()))
        })
        .await;
        let away = async {
            scale_operators(&client, 0).await?;
            wait_for_operators(&client, 0).await
        }
        .await;
        // Whatever came of it: the others need an operator.
        scale_operators(&client, 1).await?;
        stopped.and(away)?;
        wait_for_operators(&client, 1).await?;
        engine.wait_rotation("r-1", "Certified").await?;
        engine.wait_phase(Phase::Ready).await?;
        assert_eq!(engine.keys().await?.len(), 2, "a third key was made");
        Ok(())
    })
    .await
}
