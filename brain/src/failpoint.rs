//! Named steps at which a test can end the process, as a crash or `kill -9` would. In a build for users there is nothing
//! here: neither the steps nor the variables.

/// A step was reached.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn hit(_step: &'static str) {}

/// Sealed values in one page.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn page_rows(usual: u32) -> u32 {
    usual
}

#[cfg(feature = "failpoints")]
pub use in_tests::{hit, page_rows};

#[cfg(feature = "failpoints")]
mod in_tests {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    /// A step was reached. The process ends here if `FAILPOINT` names the step, or `step:3` and this is the third time.
    pub fn hit(step: &'static str) {
        let Some((chosen, nth)) = &*CHOSEN else {
            return;
        };
        if chosen == step && TIMES.fetch_add(1, Ordering::Relaxed) + 1 == *nth {
            tracing::error!(step, nth, "ended at a failpoint");
            // Not `abort`: SIGKILL is what the kernel and the kubelet send, and it runs no handler.
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }

    /// Sealed values in one page: so many, unless `PAGE_ROWS` says less, which makes many transactions of few rows.
    pub fn page_rows(usual: u32) -> u32 {
        PAGE_ROWS.unwrap_or(usual)
    }

    static TIMES: AtomicU64 = AtomicU64::new(0);

    static CHOSEN: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let text = variable("FAILPOINT")?;
        Some(match text.split_once(':') {
            Some((step, nth)) => (step.to_owned(), nth.parse().ok()?),
            None => (text, 1),
        })
    });

    static PAGE_ROWS: LazyLock<Option<u32>> = LazyLock::new(|| variable("PAGE_ROWS")?.parse().ok());

    #[expect(
        clippy::disallowed_methods,
        reason = "no setting of the product: it exists in test builds only"
    )]
    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
