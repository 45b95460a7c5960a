//! Signals, and how they end a process.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The same signal within this time is the same wish, told twice: `timeout`, for one, signals its child and then the group
/// that the child is in.
const ECHO: Duration = Duration::from_millis(500);

/// SIGTERM and SIGINT. The first asks for a clean stop, the second for an end at once.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    came: bool,
}

impl StopSignals {
    /// Takes the signals over. From here on none of them kills the process by itself.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            came: false,
        })
    }

    /// Waits for the next one and names it.
    pub async fn next(&mut self) -> &'static str {
        let signal = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        };
        self.came = true;
        signal
    }

    /// One has come, and was taken.
    pub fn came(&self) -> bool {
        self.came
    }

    /// Runs a life, which the first signal asks to end. `None` if a second signal cut it short.
    pub async fn end<T, F>(&mut self, life: impl FnOnce(Stopped) -> F) -> Option<T>
    where
        F: Future<Output = T>,
    {
        let (stop, stopped) = oneshot::channel();
        let life = life(Stopped(stopped));
        tokio::pin!(life);
        let signal = tokio::select! {
            ended = &mut life => return Some(ended),
            signal = self.next() => signal,
        };
        tracing::info!(signal, "stopping");
        let echoes = Instant::now() + ECHO;
        drop(stop);
        loop {
            let again = tokio::select! {
                ended = &mut life => return Some(ended),
                again = self.next() => again,
            };
            if again != signal || Instant::now() > echoes {
                tracing::warn!(signal = again, "stopped at once");
                return None;
            }
        }
    }
}

/// Comes true when the process is asked to end.
#[derive(Debug)]
pub struct Stopped(oneshot::Receiver<()>);

impl Stopped {
    /// Waits for it.
    pub async fn wait(self) {
        // An error means that the sender is gone, which is the stop.
        let _ = self.0.await;
    }
}
