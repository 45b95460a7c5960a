//! How the future of a connection is polled, so that a request waits for nothing that is not its own.
//!
//! Who wakes itself is polled again at once: hyper wakes a connection's task from within its own poll whenever a handler asks
//! for the request's body. To a runtime of several threads that is a task for whoever is idle: it rouses another thread, for
//! nothing, before the request goes on. And what need not come before the answer, such as its line in the log, is put off.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;

/// Nobody polls: a wake goes to the task.
const WAITING: u8 = 0;
/// A wake is only noted.
const POLLED: u8 = 1;
/// Noted.
const WOKEN: u8 = 2;
/// Polls in a row before the other tasks of the thread get their turn.
const AT_ONCE: u8 = 4;

#[derive(Debug, Default)]
struct Wakes {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let noted = self
            .state
            .compare_exchange(POLLED, WOKEN, Ordering::AcqRel, Ordering::Acquire);
        if noted.is_err_and(|state| state == WAITING) {
            self.task.wake();
        }
    }
}

tokio::task_local! {
    static LATER: RefCell<Vec<Later>>;
}

type Later = Box<dyn FnOnce() + Send>;

/// Runs the future, and after each of its polls what it put off ([`later`]).
pub async fn eager<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let own = Arc::new(Wakes::default());
    let waker = Waker::from(own.clone());
    let polling = poll_fn(|task| {
        let polled = own.poll(future.as_mut(), &waker, task);
        for work in LATER.with(RefCell::take) {
            work();
        }
        polled
    });
    LATER.scope(RefCell::default(), polling).await
}

/// Does this when the future is done with all that it can do now: in a connection's, when the answer was written. At once
/// outside of [`eager`].
pub fn later(work: impl FnOnce() + Send + 'static) {
    if LATER.try_with(|_| ()).is_ok() {
        LATER.with(|later| later.borrow_mut().push(Box::new(work)));
    } else {
        work();
    }
}

impl Wakes {
    fn poll<F: Future>(
        &self,
        mut future: Pin<&mut F>,
        waker: &Waker,
        task: &mut Context<'_>,
    ) -> Poll<F::Output> {
        self.task.register(task.waker());
        for _ in 0..AT_ONCE {
            self.state.store(POLLED, Ordering::Release);
            let polled = future.as_mut().poll(&mut Context::from_waker(waker));
            let woken = self.state.swap(WAITING, Ordering::AcqRel) == WOKEN;
            if polled.is_ready() || !woken {
                return polled;
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use futures::FutureExt;
    use futures::channel::oneshot;
    use futures::task::noop_waker;

    use super::*;

    /// Wakes itself in so many polls, then is done.
    fn restless(times: usize, polls: &AtomicUsize) -> impl Future<Output = ()> {
        poll_fn(move |task| {
            if polls.fetch_add(1, Ordering::Relaxed) == times {
                return Poll::Ready(());
            }
            task.waker().wake_by_ref();
            Poll::Pending
        })
    }

    #[test]
    fn who_wakes_itself_is_polled_again_at_once() {
        let polls = AtomicUsize::new(0);
        assert!(eager(restless(3, &polls)).now_or_never().is_some());
        assert_eq!(polls.into_inner(), 4);
    }

    #[test]
    fn who_never_rests_gives_others_a_turn() {
        let polls = AtomicUsize::new(0);
        let mut endless = pin!(eager(restless(usize::MAX, &polls)));
        let waker = noop_waker();
        assert!(
            endless
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert_eq!(polls.load(Ordering::Relaxed), usize::from(AT_ONCE));
    }

    #[tokio::test]
    async fn no_wake_from_elsewhere_is_lost() {
        for _ in 0..2_000 {
            let (say, said) = oneshot::channel();
            let saying = thread::spawn(move || say.send(()));
            eager(said).await.unwrap();
            saying.join().unwrap().unwrap();
        }
    }

    #[test]
    fn what_is_put_off_is_done_after_the_rest_and_at_once_elsewhere() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = |what: &'static str| {
            let told = told.clone();
            move || told.lock().unwrap().push(what)
        };
        later(tell("at once"));
        let work = async {
            later(tell("later"));
            tell("first")();
        };
        eager(work).now_or_never().unwrap();
        assert_eq!(*told.lock().unwrap(), ["at once", "first", "later"]);
    }
}
