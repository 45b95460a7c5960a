//! What a start does that is refused for what the one before it was refused for: it has been told, so the process waits until that
//! is mended.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use userengine_api::refusal::{Refusal, RefusalReason};

use crate::stamps::{Look, Stamps};
use crate::stop::StopSignals;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long nothing must have changed before they are read: somebody may be putting them back one by one.
const QUIET: Duration = Duration::from_secs(5);
/// How soon it is tried again though no file has changed.
const ANYWAY: Duration = Duration::from_mins(5);
/// How long a process waits. A kubelet forgets that a container ended once it has run for ten minutes, and then restarts it at once
/// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>).
const MOST: Duration = Duration::from_mins(11);

/// The file in which a refused start leaves why, so that the next one knows that it has been told.
#[derive(Debug)]
pub(super) struct Memory(Option<PathBuf>);

impl Memory {
    /// In this file, or nowhere.
    pub(super) fn at(file: Option<PathBuf>) -> Self {
        Self(file)
    }

    /// What the last start was refused for. It is forgotten with this: if this process is killed, the next one tells again.
    pub(super) fn take(&self) -> Option<Refusal> {
        let file = self.0.as_deref()?;
        let told = fs::read_to_string(file).ok()?;
        // One that stays would keep the next refusal from being told.
        fs::remove_file(file).ok()?;
        Refusal::from_json(&told)
    }

    /// Leaves it. Where that fails, the next start ends as this one does.
    pub(super) fn leave(&self, refusal: &Refusal) {
        let Some(file) = &self.0 else { return };
        if let Err(error) = write_anew(file, &refusal.to_json()) {
            tracing::warn!(%error, "failed to leave the refusal for the next start");
        }
    }
}

/// The folder may be everybody's: nothing that is there already is written to.
fn write_anew(file: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(file)?;
    file.write_all(text.as_bytes())
}

/// What a wait came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// It may be mended: try.
    Over,
    /// The process was told to stop.
    Stopped,
    /// It was not mended: end, as a start does that is refused.
    InVain(Refusal),
}

/// The waits of one process.
#[derive(Debug)]
pub(super) struct Mending {
    told: Refusal,
    until: Instant,
    /// It has been tried since the process began, and was refused again.
    tried: bool,
    /// What the files were like when it was tried last.
    seen: Option<Vec<Stamps>>,
}

impl Mending {
    /// After this refusal.
    pub(super) fn new(told: Refusal) -> Self {
        Self {
            told,
            until: Instant::now() + MOST,
            tried: false,
            seen: None,
        }
    }

    /// The refusal is the one that was told. Once that is so it is waited for.
    pub(super) fn is_for(&mut self, refused: &Refusal) -> bool {
        // That a setting is invalid says little: the message says which.
        let is_another =
            refused.reason == RefusalReason::ConfigInvalid && refused.message != self.told.message;
        if refused.reason != self.told.reason || is_another {
            return false;
        }
        if !self.tried {
            tracing::warn!(
                reason = refused.reason.as_str(),
                why = refused.message,
                "refused as before: waiting until it is mended"
            );
        }
        self.told = refused.clone();
        self.tried = true;
        true
    }

    /// Waits until it is worth a try: something has changed in these folders, and they are left alone since.
    pub(super) async fn wait(&mut self, folders: &[PathBuf], signals: &mut StopSignals) -> Wait {
        tokio::select! {
            wait = self.is_worth_a_try(folders) => wait,
            signal = signals.next() => {
                tracing::info!(signal, "stopped before it was mended");
                Wait::Stopped
            }
        }
    }

    async fn is_worth_a_try(&mut self, folders: &[PathBuf]) -> Wait {
        // At first nobody knows since when all is quiet.
        let soon = !self.tried || self.told.reason.may_pass();
        let anyway = if soon { QUIET } else { ANYWAY };
        let begun = Instant::now();
        let mut seen = self.seen.take().unwrap_or_else(|| look(folders));
        let (mut since, mut has_changed) = (begun, false);
        loop {
            sleep(LOOK).await;
            let now = look(folders);
            if now != seen {
                (seen, since, has_changed) = (now, Instant::now(), true);
            }
            let is_due = has_changed || begun.elapsed() >= anyway;
            if is_due && since.elapsed() >= QUIET {
                self.seen = Some(seen);
                return Wait::Over;
            }
            if Instant::now() >= self.until {
                return Wait::InVain(self.told.clone());
            }
        }
    }
}

/// The files in each folder. A try may leave its mark on the folder itself.
fn look(folders: &[PathBuf]) -> Vec<Stamps> {
    let files = |folder: &PathBuf| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        files.sort();
        Stamps::default().and(files.into_iter().map(Look::at).collect())
    };
    folders.iter().map(files).collect()
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};
    use tempfile::TempDir;

    use super::*;

    fn refusal(reason: RefusalReason) -> Refusal {
        Refusal::new(reason, "there is none")
    }

    /// One that was refused for the same before and in this process.
    fn waiting(reason: RefusalReason) -> Mending {
        let mut mending = Mending::new(refusal(reason));
        assert!(mending.is_for(&refusal(reason)));
        mending
    }

    fn volume() -> (TempDir, Vec<PathBuf>) {
        let volume = tempfile::tempdir().unwrap();
        let folders = vec![volume.path().to_owned()];
        (volume, folders)
    }

    #[test]
    fn what_is_taken_is_forgotten_and_what_is_there_is_never_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("refusal"), folder.path().join("brain"));
        let memory = Memory::at(Some(file.clone()));
        assert_eq!(memory.take(), None);
        let told = refusal(RefusalReason::BrainMissing);
        memory.leave(&told);
        assert_eq!((memory.take(), memory.take()), (Some(told.clone()), None));
        fs::write(&other, "a brain").unwrap();
        std::os::unix::fs::symlink(&other, &file).unwrap();
        memory.leave(&told);
        assert_eq!(fs::read_to_string(&other).unwrap(), "a brain");
        assert_eq!(memory.take(), Some(told));
        fs::write(&file, "half a refu").unwrap();
        assert_eq!(memory.take(), None);
        Memory::at(None).leave(&refusal(RefusalReason::BrainMissing));
    }

    #[test]
    fn only_what_was_told_is_waited_for() {
        let mut mending = Mending::new(refusal(RefusalReason::BrainMissing));
        assert!(!mending.is_for(&refusal(RefusalReason::BrainForeign)));
        assert!(mending.is_for(&refusal(RefusalReason::BrainMissing)));
        let setting = |which: &str| Refusal::new(RefusalReason::ConfigInvalid, which);
        let mut mending = Mending::new(setting("the one"));
        assert!(!mending.is_for(&setting("the other")));
        assert!(mending.is_for(&setting("the one")));
    }

    #[tokio::test]
    async fn a_signal_that_comes_during_a_try_or_after_it_is_not_missed() {
        let mut signals = StopSignals::install().unwrap();
        let raise = || kill_process(getpid(), Signal::TERM).unwrap();
        let refused = signals.end(|_| async { Err::<(), _>("refused") }).await;
        assert_eq!(refused, Some(Err("refused")));
        assert!(!signals.came());
        raise();
        let (_volume, folders) = volume();
        let mut mending = waiting(RefusalReason::BrainMissing);
        assert_eq!(mending.wait(&folders, &mut signals).await, Wait::Stopped);
        let mut signals = StopSignals::install().unwrap();
        raise();
        let life = async |stopped: crate::stop::Stopped| {
            stopped.wait().await;
            Err::<(), _>("refused")
        };
        assert_eq!(signals.end(life).await, Some(Err("refused")));
        assert!(signals.came(), "it is not to be waited on");
    }

    #[tokio::test(start_paused = true)]
    async fn files_that_are_being_put_back_are_left_alone_until_all_are_there() {
        let (volume, folders) = volume();
        let mut mending = waiting(RefusalReason::BrainMissing);
        let begun = Instant::now();
        let copying = async {
            for part in 1..=20 {
                sleep(Duration::from_secs(2)).await;
                fs::write(volume.path().join("brain.sqlite"), "x".repeat(part)).unwrap();
            }
            begun.elapsed()
        };
        let (wait, copied) = tokio::join!(mending.is_worth_a_try(&folders), copying);
        assert_eq!(wait, Wait::Over);
        let left_alone = begun.elapsed().saturating_sub(copied);
        assert!(
            left_alone >= QUIET && left_alone <= QUIET + 2 * LOOK,
            "{left_alone:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_tried_now_and_then_though_nothing_changes_and_soon_what_may_pass() {
        let (_volume, folders) = volume();
        for (reason, within) in [
            (RefusalReason::BrainCorrupt, ANYWAY),
            (RefusalReason::StorageFailed, QUIET),
        ] {
            let begun = Instant::now();
            assert_eq!(waiting(reason).is_worth_a_try(&folders).await, Wait::Over);
            assert!(begun.elapsed() >= within && begun.elapsed() <= within + LOOK);
        }
        let mut first = Mending::new(refusal(RefusalReason::BrainCorrupt));
        let begun = Instant::now();
        assert_eq!(first.is_worth_a_try(&folders).await, Wait::Over);
        assert!(begun.elapsed() <= QUIET + LOOK, "it is not known yet");
    }

    #[tokio::test(start_paused = true)]
    async fn what_changes_during_a_try_is_seen_after_it() {
        let (volume, folders) = volume();
        let mut mending = waiting(RefusalReason::BrainMissing);
        assert_eq!(mending.is_worth_a_try(&folders).await, Wait::Over);
        fs::write(volume.path().join("brain.sqlite"), "").unwrap();
        let begun = Instant::now();
        assert_eq!(mending.is_worth_a_try(&folders).await, Wait::Over);
        assert!(begun.elapsed() <= QUIET + 2 * LOOK);
        let begun = Instant::now();
        assert_eq!(mending.is_worth_a_try(&folders).await, Wait::Over);
        assert!(begun.elapsed() >= ANYWAY, "nothing has changed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_once_the_kubelet_would_restart_it_at_once() {
        let (volume, folders) = volume();
        let mut mending = waiting(RefusalReason::BrainMissing);
        let begun = Instant::now();
        let file = volume.path().join("brain.sqlite");
        let never_quiet = async {
            for part in 0.. {
                sleep(LOOK).await;
                fs::write(&file, "x".repeat(part)).unwrap();
            }
        };
        let wait = tokio::select! {
            wait = mending.is_worth_a_try(&folders) => wait,
            () = never_quiet => unreachable!(),
        };
        assert_eq!(wait, Wait::InVain(refusal(RefusalReason::BrainMissing)));
        assert!(begun.elapsed() > Duration::from_mins(10) && begun.elapsed() <= MOST + LOOK);
    }
}
