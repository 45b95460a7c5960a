//! The one session of a connection: opened when it is first needed, shared by all calls, replaced when it has ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use crate::catalog::Endpoint;
use crate::mcp::{McpError, Session};

type Opening = Shared<BoxFuture<'static, Result<Arc<Session>, McpError>>>;

/// Holds a session, or the one attempt to open it.
#[derive(Debug, Default)]
pub(in crate::assets) struct Slot(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    current: Option<Current>,
    count: u64,
}

#[derive(Debug)]
struct Current {
    number: u64,
    /// Where the session leads. A catalog that names another place has another session.
    endpoint: Endpoint,
    opening: Opening,
}

impl Current {
    /// Is it open, or may it become so?
    fn is_usable(&self, endpoint: &Endpoint) -> bool {
        let alive = match self.opening.peek() {
            None => true,
            Some(Ok(session)) => !session.is_closed(),
            Some(Err(_)) => false,
        };
        alive && self.endpoint == *endpoint
    }
}

/// A session in use, and its number for [`Slot::forget`].
#[derive(Debug, Clone)]
pub(in crate::assets) struct InUse {
    pub(in crate::assets) session: Arc<Session>,
    pub(in crate::assets) number: u64,
}

impl Slot {
    /// The session, opened by `open` if there is none. Everybody who asks meanwhile waits for the same attempt, which
    /// goes on when they give up.
    pub(in crate::assets) async fn session<F>(
        &self,
        endpoint: &Endpoint,
        open: impl FnOnce() -> F,
    ) -> Result<InUse, McpError>
    where
        F: Future<Output = Result<Session, McpError>> + Send + 'static,
    {
        let (number, opening) = self.opening(endpoint, open);
        let session = opening.await?;
        Ok(InUse { session, number })
    }

    fn opening<F>(&self, endpoint: &Endpoint, open: impl FnOnce() -> F) -> (u64, Opening)
    where
        F: Future<Output = Result<Session, McpError>> + Send + 'static,
    {
        let mut inner = self.lock();
        if let Some(current) = &inner.current
            && current.is_usable(endpoint)
        {
            return (current.number, current.opening.clone());
        }
        inner.count += 1;
        let number = inner.count;
        let task = tokio::spawn(open());
        let opening = async move {
            match task.await {
                Ok(outcome) => outcome.map(Arc::new),
                Err(_) => Err(McpError::Closed("opening it was given up".to_owned())),
            }
        };
        let opening = opening.boxed().shared();
        inner.current = Some(Current {
            number,
            endpoint: endpoint.clone(),
            opening: opening.clone(),
        });
        (number, opening)
    }

    /// The session with this number is of no use: the next call opens another.
    pub(in crate::assets) fn forget(&self, number: u64) {
        let mut inner = self.lock();
        if inner
            .current
            .as_ref()
            .is_some_and(|current| current.number == number)
        {
            inner.current = None;
        }
    }

    pub(in crate::assets) fn clear(&self) {
        self.lock().current = None;
    }

    /// Takes the session out if nobody uses it, for a polite end.
    pub(in crate::assets) fn take(&self) -> Option<Session> {
        let current = self.lock().current.take()?;
        let session = current.opening.peek()?.as_ref().ok()?.clone();
        drop(current);
        Arc::into_inner(session)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
