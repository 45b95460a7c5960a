//! What the engine is told besides its environment.

use serde_json::{Value, json};
use userengine_api::layout::config_map;

use super::Blueprint;
use crate::user_engine::child::{Child, ChildKind};

/// `brain` is `create` until the engine was Ready once: from then on an empty volume is a loss, not a beginning.
pub fn build(blueprint: &Blueprint<'_>) -> Child {
    let mode = if blueprint.record.initialised {
        config_map::EXISTING
    } else {
        config_map::CREATE
    };
    let mut data = json!({ config_map::BRAIN: mode });
    if let (Some(ca), Value::Object(data)) = (blueprint.ca(), &mut data) {
        data.insert(config_map::CA.to_owned(), json!(ca));
    }
    blueprint.child(
        ChildKind::ConfigMap,
        blueprint.names().main(),
        "v1",
        json!({ "data": data }),
    )
}
