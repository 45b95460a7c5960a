//! An image that was not to be had and is there by now: the kubelet may not look for it for five minutes, and nobody waits so long.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use kube::ResourceExt;
use serde_json::json;
use userengine_e2e::machine::load_engine_image_as;
use userengine_e2e::trouble::{container, counts, lacks_its_image, says};
use userengine_e2e::{ENGINE_IMAGE, Engine, eventually, in_namespace};

/// Seconds after which a pod is made anew that waits for its image, and the operator's next look.
const TRY: u64 = 75;
/// Seconds between the tries of a kubelet at a new pod's image, and a start on a loaded machine.
const BACK: u64 = 60;

/// As long as the name of the engine's image, and different each time: what a node has, it keeps.
fn late_image() -> anyhow::Result<String> {
    #[expect(clippy::disallowed_methods, reason = "a name that no run before had")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let stem = format!("localhost/late-{}", now.as_millis());
    let rest = ENGINE_IMAGE.len().checked_sub(stem.len() + 1);
    Ok(format!("{stem}:{}", "1".repeat(rest.context("too long")?)))
}

#[tokio::test]
async fn an_image_is_asked_for_each_minute_without_a_word_until_it_is_there() -> anyhow::Result<()>
{
    in_namespace("lateimage", |namespace| async move {
        let image = late_image()?;
        let engine = Engine::of_class(&namespace, json!({ "image": image })).await?;
        says(&engine, ("EngineAvailable", "ImagePullFailed"), || {
            container(&engine, lacks_its_image)
        })
        .await?;
        let (first, told) = (engine.pod_uid().await?, engine.get().await?);
        eventually("another pod", TRY, || async {
            let now = engine.pod_uid().await?;
            Ok((now.is_some() && now != first).then_some(()))
        })
        .await?;
        eventually("the image to be asked for", BACK, || async {
            Ok(container(&engine, lacks_its_image).await?.then_some(()))
        })
        .await?;
        let now = engine.get().await?;
        ensure!(
            now.resource_version() == told.resource_version(),
            "a try is no news: {:?} became {:?}",
            told.status,
            now.status
        );
        ensure!(counts(&engine, "ImagePullFailed").await? == [1], "nor told");
        load_engine_image_as(&image).await?;
        tokio::time::timeout(
            Duration::from_secs(BACK),
            engine.wait_phase(userengine_api::status::Phase::Ready),
        )
        .await
        .context("the image is there, and the engine is not")??;
        Ok(())
    })
    .await
}
