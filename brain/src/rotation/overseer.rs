//! Who looks on: learns the progress, and may ask for an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use userengine_rotation::request::RotationId;
use userengine_rotation::verdict::{Progress, Step};

use super::RotationError;

/// Handed into the work, and kept outside to look at. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Overseer {
    rotation: Option<RotationId>,
    progress: Arc<watch::Sender<Option<Progress>>>,
    end: Arc<AtomicBool>,
}

impl Overseer {
    /// For this rotation; work without one has no progress to tell.
    pub fn new(rotation: Option<RotationId>) -> Self {
        Self {
            rotation,
            progress: Arc::new(watch::Sender::new(None)),
            end: Arc::new(AtomicBool::new(false)),
        }
    }

    /// How far the work is, now and at every change.
    pub fn progress(&self) -> watch::Receiver<Option<Progress>> {
        self.progress.subscribe()
    }

    /// Asks for an end between two transactions.
    pub fn ask_to_end(&self) {
        self.end.store(true, Ordering::Relaxed);
    }

    /// A step has come so far.
    pub(super) fn at(&self, step: Step, done: u64, total: u64) {
        if let Some(rotation) = &self.rotation {
            self.progress.send_replace(Some(Progress {
                rotation: rotation.clone(),
                step,
                done,
                total,
            }));
        }
    }

    /// Fails if somebody asked for an end.
    pub(super) fn may_go_on(&self) -> Result<(), RotationError> {
        if self.end.load(Ordering::Relaxed) {
            Err(RotationError::Interrupted)
        } else {
            Ok(())
        }
    }
}
