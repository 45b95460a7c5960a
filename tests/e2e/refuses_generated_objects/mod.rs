//! What no schema and no person thought of is refused at the door, or the operator says what it makes of it. Nothing of it
//! gets stuck, an engine that runs beside it does not notice, and one that runs and is changed so, or whose class is, serves on or
//! says why not.
//!
//! The objects are made from the definitions: every place of the largest valid objects, every change of `userengine_e2e::wrong`,
//! and pairs of them. `INVALID_SPECS=all` tries all; without it every seventh.

mod following;
mod made;
mod objects;
mod running;

use anyhow::ensure;
use futures::{StreamExt as _, stream};
use kube::ResourceExt;
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use userengine_api::status::Phase;
use userengine_api::{EngineClass, UserEngine};
use userengine_e2e::{Engine, in_namespace};

use self::following::changed_while_it_is_followed;
use self::made::{followed, reasons};
use self::objects::{Wrong, objects};
use self::running::changed_while_it_runs;
use crate::refuses_invalid_objects::{largest_class, largest_engine};

/// Requests at once.
const WIDTH: usize = 8;
#[tokio::test]
async fn what_is_not_refused_at_the_door_gets_a_reason_and_nothing_else_notices()
-> anyhow::Result<()> {
    in_namespace("generated", |namespace| async move {
        let bystander = Engine::ready(&namespace, "bystander", "bystander").await?;
        let before = trace(&bystander).await?;
        let step = if is_whole() { 1 } else { 7 };
        let engines = objects(0, &largest_engine())?;
        let of_engines = ApiResource::erase::<UserEngine>(&());
        let door: Api<DynamicObject> =
            Api::namespaced_with(namespace.client.clone(), &namespace.name, &of_engines);
        let mut verdict = knock(&door, engines.into_iter().step_by(step)).await;
        let classes = objects(1, &largest_class())?;
        let of_classes = ApiResource::erase::<EngineClass>(&());
        let classes_door = Api::all_with(namespace.client.clone(), &of_classes);
        let of_classes = knock(&classes_door, classes.into_iter().step_by(step)).await;
        verdict.tried += of_classes.tried;
        verdict.wrong.extend(of_classes.wrong);
        ensure!(verdict.wrong.is_empty(), "{}", verdict.wrong.join("\n"));
        let (engines, classes) = (verdict.accepted.len(), of_classes.accepted.len());
        let made = reasons(&namespace, &door, &verdict.accepted).await?;
        let followed = followed(&namespace, &door, &classes_door, &of_classes.accepted).await?;
        let running = changed_while_it_runs(&namespace, &door, &verdict.accepted).await?;
        let following = changed_while_it_is_followed(&namespace, &classes_door, &of_classes.accepted).await?;
        println!(
            "{} objects, {engines} engines and {classes} classes accepted; reasons of these engines: {made:?}; of engines of these classes: {followed:?}; a running engine that is changed like these engines: {running:?}; one whose class is changed like these classes: {following:?}",
            verdict.tried,
        );
        ensure!(trace(&bystander).await? == before, "the engine beside them was touched");
        Ok(())
    })
    .await
}

#[expect(
    clippy::disallowed_methods,
    reason = "how much of the campaign to run is the script's to say"
)]
fn is_whole() -> bool {
    std::env::var("INVALID_SPECS").is_ok_and(|specs| specs == "all")
}

/// What came of knocking.
#[derive(Default)]
struct Verdict {
    tried: usize,
    accepted: Vec<Wrong>,
    wrong: Vec<String>,
}

/// Shows the objects to the API server, which makes none of them.
async fn knock(door: &Api<DynamicObject>, all: impl Iterator<Item = Wrong>) -> Verdict {
    let answers = stream::iter(all).map(|wrong| async {
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let object = serde_json::from_value(wrong.object.clone());
        let answer = match object {
            Ok(object) => door.create(&dry, &object).await,
            Err(error) => Err(kube::Error::SerdeError(error)),
        };
        (wrong, answer)
    });
    let mut verdict = Verdict::default();
    let mut answers = answers.buffer_unordered(WIDTH);
    while let Some((wrong, answer)) = answers.next().await {
        verdict.tried += 1;
        match answer {
            Ok(_) if wrong.is_forbidden() => {
                verdict.wrong.push(format!("accepted: {}", wrong.what));
            }
            Ok(_) => verdict.accepted.push(wrong),
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => {}
            Err(error) => verdict.wrong.push(format!("{}: {error}", wrong.what)),
        }
    }
    verdict
}

/// What changes when anybody touches an engine: its object, or its pod.
async fn trace(engine: &Engine) -> anyhow::Result<(Option<String>, Option<String>)> {
    engine.wait_phase(Phase::Ready).await?;
    let object = engine.wait_rest().await?;
    Ok((object.resource_version(), engine.pod_uid().await?))
}
