//! What a child says on its standard error: some of it, without the credential, into the log.

use secrecy::{ExposeSecret, SecretString};
use tokio::io::BufReader;
use tokio::process::ChildStderr;
use tokio::time::{Duration, Instant};

use super::lines::Lines;

/// Longest line that is read, and how much of it is logged, in bytes.
const LINE_MAX: usize = 8 * 1024;
const SHOWN_MAX: usize = 1024;
/// How many lines of a window are logged.
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(1);

/// Logs lines until the pipe closes. What is not logged is still read: a full pipe would block the child.
pub async fn log(stderr: ChildStderr, label: String, secret: Option<SecretString>) {
    let mut lines = Lines::new(BufReader::new(stderr), LINE_MAX);
    let (mut window, mut count) = (Instant::now(), 0_u32);
    while let Some(line) = lines.next().await {
        if window.elapsed() >= WINDOW {
            if let left_out @ 1.. = count.saturating_sub(LINES) {
                tracing::debug!(server = label, left_out, "lines of the child were left out");
            }
            (window, count) = (Instant::now(), 0);
        }
        count = count.saturating_add(1);
        if count <= LINES {
            let secret = secret.as_ref().map(ExposeSecret::expose_secret);
            let line = shown(&line.bytes, line.cut, secret);
            tracing::debug!(server = label, line, "the child says");
        }
    }
}

/// A line that may be logged. Where a line was cut the beginning of a secret may be left over, so that much goes.
fn shown(line: &[u8], cut: bool, secret: Option<&str>) -> String {
    let text = String::from_utf8_lossy(line);
    let mut text = match secret.filter(|secret| !secret.is_empty()) {
        Some(secret) => {
            let mut text = text.replace(secret, "[redacted]");
            if cut {
                text.truncate(text.floor_char_boundary(text.len().saturating_sub(secret.len())));
            }
            text
        }
        None => text.into_owned(),
    };
    text.truncate(text.floor_char_boundary(SHOWN_MAX));
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_a_line_without_the_credential_and_without_what_a_terminal_obeys() {
        assert_eq!(
            shown(b"key=telltale \x1b[31m telltale!", false, Some("telltale")),
            "key=[redacted]  [31m [redacted]!"
        );
        assert_eq!(shown(b"ends with tellt", true, Some("telltale")), "ends wi");
        assert_eq!(shown(&[b'x'; 5000], false, None).len(), SHOWN_MAX);
        assert_eq!(shown(b"plain", false, Some("")), "plain");
    }
}
