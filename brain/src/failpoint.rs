//! Named steps at which a test can end the process, as a crash or `kill -9` would. In a build for users there is nothing
//! here: neither the steps nor the variable.

/// A step was reached.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn hit(_step: &'static str) {}

/// A step was reached. The process ends here if `FAILPOINT` names the step.
#[cfg(feature = "failpoints")]
pub fn hit(step: &'static str) {
    if CHOSEN.as_deref() == Some(step) {
        tracing::error!(step, "ended at a failpoint");
        // Not `abort`: SIGKILL is what the kernel and the kubelet send, and it runs no handler.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

#[cfg(feature = "failpoints")]
static CHOSEN: std::sync::LazyLock<Option<String>> = std::sync::LazyLock::new(|| {
    #[expect(
        clippy::disallowed_methods,
        reason = "no setting of the product: it exists in test builds only"
    )]
    std::env::var("FAILPOINT").ok()
});
