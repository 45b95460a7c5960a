//! What no schema and no person thought of is refused at the door, or the operator says what it makes of it. Nothing of it
//! gets stuck, and an engine that runs beside it does not notice.
//!
//! The objects are made from the definitions: every place of the largest valid objects, every change of `userengine_e2e::wrong`,
//! and pairs of them. `INVALID_SPECS=all` tries all; without it every seventh.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, PostParams};
use serde_json::{Value, json};
use userengine_api::status::Phase;
use userengine_api::{EngineClass, UserEngine, crd};
use userengine_e2e::wrong::{Change, changes, pairs};
use userengine_e2e::{Engine, Namespace, condition, eventually, in_namespace};

use crate::refuses_invalid_objects::{largest_class, largest_engine};

/// Pairs of changes of each kind.
const PAIRS: usize = 400;
const SEED: u64 = 1;
/// Requests at once.
const WIDTH: usize = 8;
/// Most of the accepted ones that are really made in one run.
const MADE: usize = 40;

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
        let accepted = verdict.accepted.len();
        let made = reasons(&namespace, &door, verdict.accepted).await?;
        println!(
            "{} objects, {} engines and {} classes accepted; reasons of those that were made: {made:?}",
            verdict.tried,
            accepted,
            of_classes.accepted.len(),
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

/// An object with something wrong with it.
struct Wrong {
    what: String,
    object: Value,
    is_forbidden: bool,
}

impl Wrong {
    fn of(right: &Value, changes: &[Change]) -> Self {
        let mut object = right.clone();
        for change in changes {
            change.apply(&mut object);
        }
        let what = changes.iter().map(|it| format!("{} {}", it.place, it.what));
        Self {
            what: what.collect::<Vec<_>>().join(" and "),
            object,
            is_forbidden: changes.iter().any(|change| change.is_forbidden),
        }
    }
}

/// All wrong objects of one kind.
fn objects(kind: usize, right: &Value) -> anyhow::Result<Vec<Wrong>> {
    let definitions = crd::definitions();
    let (_, definition) = definitions.get(kind).context("no such kind")?;
    let definition = serde_json::to_value(definition)?;
    let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec");
    let singles = changes(schema.context("no schema")?, &right["spec"], "/spec");
    let alone = singles
        .iter()
        .map(|it| Wrong::of(right, std::slice::from_ref(it)));
    let pairs = pairs(&singles, SEED, PAIRS);
    Ok(alone
        .chain(pairs.iter().map(|pair| Wrong::of(right, pair)))
        .collect())
}

/// What came of knocking.
#[derive(Default)]
struct Verdict {
    tried: usize,
    accepted: Vec<Value>,
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
            Ok(_) if wrong.is_forbidden => verdict.wrong.push(format!("accepted: {}", wrong.what)),
            Ok(_) => verdict.accepted.push(wrong.object),
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => {}
            Err(error) => verdict.wrong.push(format!("{}: {error}", wrong.what)),
        }
    }
    verdict
}

/// Makes engines of these and gives how many got which reason; all of them are gone in the end.
async fn reasons(
    namespace: &Namespace,
    door: &Api<DynamicObject>,
    accepted: Vec<Value>,
) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut made = Vec::new();
    for (number, mut object) in accepted.into_iter().take(MADE).enumerate() {
        if let Some(metadata) = object.get_mut("metadata") {
            *metadata = json!({ "name": format!("wrong-{number}") });
        }
        let name = object.pointer("/metadata/name").and_then(Value::as_str);
        let name = name.unwrap_or_default().to_owned();
        // As it is: what stands for a value that is not there is left to the API server.
        let object: DynamicObject = serde_json::from_value(object)?;
        door.create(&PostParams::default(), &object).await?;
        made.push(Engine {
            name,
            namespace: namespace.clone(),
        });
    }
    let mut reasons = BTreeMap::new();
    for engine in &made {
        let reason = eventually(&format!("a reason for {}", engine.name), 60, || async {
            let ready = condition(&engine.get().await?, "Ready");
            Ok(ready.map(|ready| ready.reason))
        })
        .await?;
        *reasons.entry(reason).or_default() += 1;
    }
    let all: Api<UserEngine> = namespace.api();
    for engine in &made {
        all.delete(&engine.name, &DeleteParams::default()).await?;
    }
    eventually("all of them to be gone", 60, || async {
        let left = all.list(&kube::api::ListParams::default()).await?;
        Ok((left.items.len() == 1).then_some(()))
    })
    .await?;
    Ok(reasons)
}

/// What changes when anybody touches an engine: its object, or its pod.
async fn trace(engine: &Engine) -> anyhow::Result<(Option<String>, Option<String>)> {
    engine.wait_phase(Phase::Ready).await?;
    let object = engine.wait_rest().await?;
    let pod: Option<Pod> = engine.pod().await?;
    Ok((object.resource_version(), pod.and_then(|pod| pod.uid())))
}
