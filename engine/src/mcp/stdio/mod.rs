//! Servers that are children of the engine, standalone only: a child of the same user could read the key and the brain.
//!
//! A child gets no shell, no environment but its own, and a process group of its own. It ends when its standard input
//! closes, at the latest when its group is killed. If the engine itself is killed nobody kills the group; the closed
//! standard input then ends every server that follows the protocol.

mod child;
mod lines;
mod stderr;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;

use bytes::Bytes;
use secrecy::ExposeSecret;
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, Command};
use tokio::sync::mpsc;

pub use child::Child;

use super::stream::{Outbox, QUEUE, Reader, Wire};
use super::{Credential, McpError, Target};
use crate::egress::FetchError;

/// Where programs are looked for, unless the entry sets its own `PATH`.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Starts a child.
pub fn open(
    target: &Target,
    program: &str,
    args: &[String],
    env: &BTreeMap<String, String>,
) -> Result<(Arc<Wire>, Reader<Child>), McpError> {
    let credential = target
        .credentials
        .credential()
        .map_err(McpError::Credential)?;
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .env("PATH", PATH)
        .envs(env)
        .current_dir("/")
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(Credential { name, value, .. }) = &credential {
        command.env(name, value.expose_secret());
    }
    let mut process = command.spawn().map_err(|error| FetchError::Connect {
        host: program.to_owned(),
        why: error.kind().to_string(),
    })?;
    let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
    let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
        return Err(McpError::Closed("the child has no pipes".to_owned()));
    };
    if let Some(stderr) = process.stderr.take() {
        let secrets = credential.map(|credential| credential.value);
        tokio::spawn(stderr::log(stderr, target.label.clone(), secrets));
    }
    let (outbox, messages) = mpsc::channel(QUEUE);
    let writing = tokio::spawn(write(stdin, messages));
    let wire = Wire::new(&target.label, Outbox::Child(outbox));
    let child = Child::new(process, stdout, writing.abort_handle());
    Ok((wire.clone(), Reader::new(wire, child)))
}

/// Owns the child's standard input: a caller that goes away never leaves half a line.
async fn write(mut stdin: ChildStdin, mut messages: mpsc::Receiver<Bytes>) {
    while let Some(message) = messages.recv().await {
        let written = async {
            stdin.write_all(&message).await?;
            stdin.write_all(b"\n").await?;
            stdin.flush().await
        };
        // The reader sees the child go, and says why.
        if written.await.is_err() {
            return;
        }
    }
}
