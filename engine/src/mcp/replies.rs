//! Who waits for which answer, where one may come on a stream that many share.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::mcp::rpc::Answer;

type Waiting = HashMap<u64, oneshot::Sender<Answer>>;

/// The requests that are not answered yet.
#[derive(Debug, Default)]
pub struct Replies(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: Waiting,
    over: bool,
}

impl Replies {
    /// Expects an answer. When nothing will come any more the sender is dropped at once.
    pub fn expect(&self, id: u64, reply: oneshot::Sender<Answer>) {
        let mut state = self.lock();
        if !state.over {
            state.waiting.insert(id, reply);
        }
    }

    /// Takes whoever waits for this answer. A second answer finds nobody.
    pub fn take(&self, id: u64) -> Option<oneshot::Sender<Answer>> {
        self.lock().waiting.remove(&id)
    }

    /// Nobody waits for this answer any more.
    pub fn forget(&self, id: u64) {
        self.lock().waiting.remove(&id);
    }

    /// No answer will come any more.
    pub fn give_up(&self) {
        let mut state = self.lock();
        state.over = true;
        state.waiting.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
