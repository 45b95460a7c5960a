//! How a command that refuses to start says so.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use userengine_api::refusal::Refusal;

/// Tells the log and the termination message, and gives the exit code.
pub(super) fn report(refusal: &Refusal, termination_log: &Path) -> ExitCode {
    tracing::error!(reason = refusal.reason.as_str(), "{}", refusal.message);
    leave_termination_message(termination_log, &refusal.to_json());
    ExitCode::from(refusal.reason.exit_code())
}

/// The kubelet provides the file. Outside a pod there is none, and none is made.
pub(super) fn leave_termination_message(path: &Path, message: &str) {
    let Ok(mut file) = OpenOptions::new().write(true).truncate(true).open(path) else {
        return;
    };
    if let Err(error) = file.write_all(message.as_bytes()) {
        tracing::warn!(%error, "failed to write the termination message");
    }
}
