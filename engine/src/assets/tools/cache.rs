//! The list of one connection, kept, and the one request for a new one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use super::list::ToolList;
use crate::assets::AssetError;

type Outcome = Result<Arc<ToolList>, AssetError>;
pub(super) type Asking = Shared<BoxFuture<'static, Outcome>>;

/// A list, if there is one, and how old it may be.
#[derive(Debug, Default)]
pub(in crate::assets) struct ToolCache(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    list: Option<Arc<ToolList>>,
    asking: Option<Asking>,
    /// Counts how often everything was forgotten.
    life: u64,
    failed_at: Option<Duration>,
}

/// The list that was there before a new one took its place, if any was.
pub(super) struct Replaced(pub(super) Option<Arc<ToolList>>);

impl ToolCache {
    /// The list that is there.
    pub(in crate::assets) fn known(&self) -> Option<Arc<ToolList>> {
        self.lock().list.clone()
    }

    /// When asking for a list last failed.
    pub(super) fn failed_at(&self) -> Option<Duration> {
        self.lock().failed_at
    }

    /// Forgets everything: another person may be behind the connection now.
    pub(in crate::assets) fn clear(&self) {
        let mut inner = self.lock();
        *inner = Inner {
            life: inner.life + 1,
            ..Inner::default()
        };
    }

    /// Puts another view of the same list in its place.
    pub(super) fn replace(&self, old: &Arc<ToolList>, new: Arc<ToolList>) {
        let mut inner = self.lock();
        if inner
            .list
            .as_ref()
            .is_some_and(|list| Arc::ptr_eq(list, old))
        {
            inner.list = Some(new);
        }
    }

    /// The request that is under way, or a new one. `ask` gets the life for [`ToolCache::done`].
    pub(super) fn asking<F>(&self, ask: impl FnOnce(u64) -> F) -> Asking
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut inner = self.lock();
        if let Some(asking) = inner
            .asking
            .as_ref()
            .filter(|asking| asking.peek().is_none())
        {
            return asking.clone();
        }
        // A task of its own: it goes on when whoever asked gives up, and others are waiting.
        let task = tokio::spawn(ask(inner.life));
        let asking = async move {
            match task.await {
                Ok(outcome) => outcome,
                Err(_) => Err(AssetError::Interrupted),
            }
        };
        let asking = asking.boxed().shared();
        inner.asking = Some(asking.clone());
        asking
    }

    /// Takes the outcome of a request, unless everything was forgotten since. Gives the list that was there before.
    pub(super) fn done(&self, life: u64, now: Duration, outcome: &Outcome) -> Option<Replaced> {
        let mut inner = self.lock();
        if inner.life != life {
            return None;
        }
        inner.asking = None;
        let Ok(list) = outcome else {
            inner.failed_at = Some(now);
            return None;
        };
        inner.failed_at = None;
        Some(Replaced(inner.list.replace(Arc::clone(list))))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
