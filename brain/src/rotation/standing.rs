//! How a brain stands to a rotation that did not come to its end.

use std::path::Path;

use userengine_api::key::Kid;
use userengine_rotation::gate::Logged;
use userengine_rotation::request::RotationId;

use crate::store::rotation::Reading;

/// What can be said of a brain after a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The key that seals, if the brain could be read.
    pub write_kid: Option<Kid>,
    /// False: this rotation has changed nothing. True: it has, or nobody can tell.
    pub touched: bool,
}

/// Looks, and leaves no trace. Whatever cannot be read counts as touched.
pub async fn standing(brain: &Path, rotation: Option<&RotationId>) -> Standing {
    let unknown = Standing {
        write_kid: None,
        touched: true,
    };
    let Ok(Some(mut reading)) = Reading::of_quiet(brain).await else {
        return unknown;
    };
    let Ok(state) = reading.state().await else {
        return unknown;
    };
    let touched = matches!(
        rotation.and_then(|rotation| state.log.get(rotation)),
        Some(Logged::Begun | Logged::Superseded | Logged::Certified)
    );
    Standing {
        write_kid: Some(state.keys.write_kid),
        touched,
    }
}
