//! The pod's identity.

use serde_json::json;

use super::Blueprint;
use crate::user_engine::child::{Child, ChildKind};

/// An identity of its own, without a token: an engine has no business with the API server.
pub fn build(blueprint: &Blueprint<'_>) -> Child {
    let body = json!({ "automountServiceAccountToken": false });
    blueprint.child(
        ChildKind::ServiceAccount,
        blueprint.names().main(),
        "v1",
        body,
    )
}
