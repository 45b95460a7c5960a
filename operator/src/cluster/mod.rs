//! Talking to the API server, about no kind in particular.

use kube::ResourceExt;

mod busy;
mod clients;
pub mod drift;
pub mod ownership;
mod recorder;
mod writer;

pub use busy::Busy;
pub use clients::{Clients, watching};
pub use recorder::Recorder;
pub use writer::{WriteError, Writer, ours};

/// Whether this finalizer is on an object.
pub fn has_finalizer(object: &impl ResourceExt, finalizer: &str) -> bool {
    object.finalizers().iter().any(|name| name == finalizer)
}
