//! Secrets that an entry names by their files.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use userengine_api::layout::env;
use zeroize::Zeroizing;

use super::surroundings::Surroundings;

/// What a `client_secret_file` is.
pub(super) const EXPECTED: &str = "expected <secret>/<key>: the name of a Secret and one of its keys, such as \"slack-oauth/client-secret\"";

/// Largest secret, in bytes.
const MOST_BYTES: u64 = 8 * 1024;

/// Where a secret is, as an entry says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SecretFile {
    /// A key of a Secret, below `SECRETS_DIR`.
    InSecret { secret: String, key: String },
    /// A file of its own, outside Kubernetes.
    Own(PathBuf),
}

impl SecretFile {
    /// Parses what an entry says. Gives what was expected if it does not fit.
    pub fn parse(text: &str, on_kubernetes: bool) -> Result<Self, &'static str> {
        if text.starts_with('/') {
            return match on_kubernetes {
                true => {
                    Err("expected <secret>/<key>: an absolute path works outside Kubernetes only")
                }
                false if text.contains('\0') => Err(EXPECTED),
                false => Ok(Self::Own(PathBuf::from(text))),
            };
        }
        match text.split_once('/') {
            Some((secret, key)) if is_name(secret) && is_key(key) => Ok(Self::InSecret {
                secret: secret.to_owned(),
                key: key.to_owned(),
            }),
            _ => Err(EXPECTED),
        }
    }

    /// The file; `None` where there is no folder of Secrets.
    pub fn path(&self, surroundings: &Surroundings) -> Option<PathBuf> {
        match self {
            Self::InSecret { secret, key } => surroundings
                .secrets
                .as_ref()
                .map(|folder| folder.join(secret).join(key)),
            Self::Own(path) => Some(path.clone()),
        }
    }

    /// Reads the secret. Gives the reason if there is none to use.
    pub fn read(&self, surroundings: &Surroundings) -> Result<SecretString, String> {
        let Some(path) = self.path(surroundings) else {
            return Err(format!(
                "{} is not set, so there is nowhere to read {self} from",
                env::SECRETS_DIR
            ));
        };
        let text = read(&path).map_err(|why| format!("{self} {why}"))?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(format!("{self} is empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(format!(
                "{self} has more than one line or holds control characters"
            ));
        }
        Ok(SecretString::from(text))
    }
}

impl std::fmt::Display for SecretFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InSecret { secret, key } => write!(f, "the key {key} of the Secret {secret}"),
            Self::Own(_) => f.write_str("the file of oauth.client_secret_file"),
        }
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let failed = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "is not there".to_owned(),
        kind => format!("cannot be read: {kind}"),
    };
    let file = open(path).map_err(|error| failed(&error))?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(&error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("is larger than {MOST_BYTES} bytes"));
    }
    match str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err("is not UTF-8 text".to_owned()),
    }
}

/// Opens a regular file. Opening a pipe would wait for its writer.
pub(super) fn open(path: &Path) -> io::Result<std::fs::File> {
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::ErrorKind::IsADirectory.into())
    }
}

/// The name of a Secret: a DNS subdomain (RFC 1123).
fn is_name(text: &str) -> bool {
    let of_label = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(of_label)
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// A key of a Secret. One that begins with two dots is the kubelet's own.
fn is_key(text: &str) -> bool {
    let of_key = |c: u8| c.is_ascii_alphanumeric() || b"-._".contains(&c);
    (1..=253).contains(&text.len())
        && text != "."
        && !text.starts_with("..")
        && text.bytes().all(of_key)
}
