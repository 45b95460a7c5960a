//! Words that come once: that it is to stop, and others.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// True once SIGTERM or SIGINT has come.
pub fn stop_on_signal() -> anyhow::Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: finishing the work in hand");
        sender.send_replace(true);
    });
    Ok(receiver)
}

/// Returns once it is told to stop.
pub async fn stopped(stop: watch::Receiver<bool>) {
    is_true(stop).await;
}

/// Returns once it is so; never if nobody can say so any more.
pub async fn is_true(mut told: watch::Receiver<bool>) {
    if told.wait_for(|told| *told).await.is_err() {
        std::future::pending::<()>().await;
    }
}
