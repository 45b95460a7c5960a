//! Time that is moved on where only time is waited for.

use std::cell::Cell;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::asking::thread_time;
use super::world::World;

/// How long the machine is given before time is moved on.
pub const A_MOMENT: Duration = Duration::from_millis(20);
/// What happens without waiting for a timer happens within this.
pub const SOON: Duration = Duration::from_secs(20);
/// Time is moved by this much before somebody looks again.
const A_LEAP: Duration = Duration::from_secs(1);
/// Longer than any limit: whoever still waits then waits for ever.
const FOR_EVER: Duration = Duration::from_mins(5);
/// An engine answers that it is alive within this, whatever its servers do. It has one thread here, and shares it with them.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);

/// Tokio's clock stands still, until this is dropped.
struct Frozen;

impl Frozen {
    fn now() -> Self {
        tokio::time::pause();
        Self
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        tokio::time::resume();
    }
}

impl World {
    /// Moves all clocks on.
    pub async fn leap(&self, by: Duration) {
        self.leap_while(by, &Cell::default(), || true).await;
    }

    /// In steps, so that what is due first happens first.
    async fn leap_while(&self, by: Duration, moved: &Cell<Duration>, go_on: impl Fn() -> bool) {
        let frozen = Frozen::now();
        let until = moved.get() + by;
        let step = (by / 1000).max(Duration::from_millis(1));
        while moved.get() < until && go_on() {
            self.engine.clock.advance(step);
            tokio::time::advance(step).await;
            moved.set(moved.get() + step);
        }
        drop(frozen);
        sleep(A_MOMENT).await;
    }

    /// Does something, moves time on whenever only time is waited for, and watches that the engine is alive. Gives the time
    /// that was moved so.
    pub async fn patiently<T>(&self, work: impl Future<Output = T>) -> (T, Duration) {
        let (moved, heard) = (Cell::default(), Cell::new(thread_time()));
        let mut work = pin!(work);
        let moving = async {
            loop {
                self.until_dawdling().await;
                let dawdles = || self.server.dawdles();
                self.leap_while(A_LEAP, &moved, dawdles).await;
                assert!(moved.get() < FOR_EVER, "it takes for ever");
            }
        };
        let done = tokio::select! {
            biased;
            done = &mut work => done,
            () = self.watch_liveness(&heard) => unreachable!("it ends by a panic only"),
            () = moving => unreachable!("it ends by a panic only"),
        };
        // The work may have ended before anybody could look.
        self.is_heard(&heard).await;
        (done, moved.get())
    }

    async fn until_dawdling(&self) {
        sleep(A_MOMENT).await;
        while !self.server.dawdles() {
            sleep(A_MOMENT).await;
        }
    }

    /// Counted is what this thread computed, so that a busy machine does not look like an engine that hangs.
    async fn watch_liveness(&self, heard: &Cell<Duration>) {
        loop {
            sleep(A_MOMENT).await;
            self.is_heard(heard).await;
        }
    }

    async fn is_heard(&self, heard: &Cell<Duration>) {
        assert_eq!(self.livez().await, 200);
        let now = thread_time();
        let took = now.saturating_sub(heard.replace(now));
        assert!(took < ALIVE_WITHIN, "nobody was heard for {took:?}");
    }

    /// Waits for something that happens without a timer.
    pub async fn soon(&self, what: &str, is_so: impl AsyncFn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self).await {
            assert!(began.elapsed() < SOON, "never: {what}");
            sleep(A_MOMENT).await;
        }
    }
}
