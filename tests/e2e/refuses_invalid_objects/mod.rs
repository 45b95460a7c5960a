//! What cannot work is refused at the door, in words that name the field and the cure.

mod addresses;
mod classes;
mod engines;
mod largest;
mod row;

use anyhow::{Context as _, ensure};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use userengine_api::{EngineClass, UserEngine};
use userengine_e2e::{Namespace, in_namespace};

pub use self::largest::{largest_class, largest_engine};
use self::row::{Row, set};

#[tokio::test]
async fn refuses_invalid_objects() -> anyhow::Result<()> {
    in_namespace("refuses", |namespace| async move {
        let classes = Door::new(Api::all_with(
            namespace.client.clone(),
            &ApiResource::erase::<EngineClass>(&()),
        ));
        // The class lives outside the namespace, so its name is the namespace's.
        let result = check(&namespace, &classes).await;
        let _ = classes
            .api
            .delete(&namespace.name, &DeleteParams::default())
            .await;
        result
    })
    .await
}

async fn check(namespace: &Namespace, class_door: &Door) -> anyhow::Result<()> {
    let resource = ApiResource::erase::<UserEngine>(&());
    let engine_door = Door::new(Api::namespaced_with(
        namespace.client.clone(),
        &namespace.name,
        &resource,
    ));
    let mut class = largest_class();
    set(&mut class, "/metadata/name", json!(namespace.name));
    engine_door
        .accept(largest_engine())
        .await
        .context("the largest valid UserEngine")?;
    class_door
        .accept(class)
        .await
        .context("the largest valid EngineClass")?;

    let mut wrong = Vec::new();
    let mut rows = 0;
    for row in engines::rows() {
        rows += 1;
        wrong.extend(engine_door.create(row).await);
    }
    for row in classes::rows().into_iter().chain(addresses::rows()) {
        rows += 1;
        wrong.extend(class_door.create(row).await);
    }
    for row in engines::changes() {
        rows += 1;
        wrong.extend(engine_door.change("largest", row).await);
    }
    for row in classes::changes() {
        rows += 1;
        wrong.extend(class_door.change(&namespace.name, row).await);
    }
    ensure!(
        wrong.is_empty(),
        "{} of {rows} rows:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    Ok(())
}

/// Where objects of one kind come in.
struct Door {
    api: Api<DynamicObject>,
}

impl Door {
    fn new(api: Api<DynamicObject>) -> Self {
        Self { api }
    }

    async fn accept(&self, object: Value) -> anyhow::Result<()> {
        self.api
            .create(&PostParams::default(), &serde_json::from_value(object)?)
            .await?;
        Ok(())
    }

    /// What is wrong with the answer to a create, if anything.
    async fn create(&self, row: Row) -> Option<String> {
        let object = match serde_json::from_value(row.json.clone()) {
            Ok(object) => object,
            Err(error) => return Some(format!("{}: the row itself is wrong: {error}", row.wrong)),
        };
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        judge(&row, self.api.create(&dry, &object).await)
    }

    /// What is wrong with the answer to a change, if anything.
    async fn change(&self, name: &str, row: Row) -> Option<String> {
        let dry = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        judge(
            &row,
            self.api.patch(name, &dry, &Patch::Merge(&row.json)).await,
        )
    }
}

fn judge(row: &Row, answer: kube::Result<DynamicObject>) -> Option<String> {
    let message = match answer {
        Ok(_) => return Some(format!("- {}: it was accepted", row.wrong)),
        Err(kube::Error::Api(status)) if status.code == 422 => status.message,
        Err(error) => return Some(format!("- {}: {error}", row.wrong)),
    };
    let missing: Vec<_> = row
        .words
        .iter()
        .filter(|word| !message.contains(**word))
        .collect();
    (!missing.is_empty()).then(|| format!("- {}: expected {missing:?} in: {message}", row.wrong))
}
