//! The ring: the keys that this engine may open with.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use userengine_api::key::{EncryptionKey, KeyError, Kid};
use userengine_api::refusal::{Refusal, RefusalReason};
use zeroize::Zeroizing;

/// The source of the ring.
#[derive(Debug)]
pub enum RingConfig {
    /// One key, given as a variable.
    Single(EncryptionKey),
    /// A folder with one file a key, named by its kid.
    Folder(PathBuf),
}

/// One key or more. Which one seals is the brain's to say, never the ring's.
#[derive(Debug, Clone)]
pub struct Ring(BTreeMap<Kid, EncryptionKey>);

/// Why there is no ring. Names files, never what is in them.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The folder is absent or holds no key.
    #[error("KEYRING_DIR {0} holds no key: expected one file a key, named by its id")]
    Empty(PathBuf),
    /// The folder or a file cannot be read.
    #[error("failed to read {path}: {source}")]
    Read {
        /// What could not be read.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file whose name is no kid.
    #[error("KEYRING_DIR has a file {0:?}: expected a key id (16 lowercase hex digits) for a name")]
    NotAKid(String),
    /// A file that holds no key.
    #[error("the file {kid} in KEYRING_DIR: {source}")]
    Malformed {
        /// The file's name.
        kid: Kid,
        /// What is wrong with its content.
        source: KeyError,
    },
    /// A file that holds another key than its name says.
    #[error(
        "the file {name} in KEYRING_DIR holds the key {found}: expected the key that the name says"
    )]
    Mislabelled {
        /// The file's name.
        name: Kid,
        /// The id of the key in it.
        found: Kid,
    },
}

impl Ring {
    /// Loads the ring.
    pub fn load(config: RingConfig) -> Result<Self, RingError> {
        match config {
            RingConfig::Single(key) => Ok(Self(BTreeMap::from([(key.kid(), key)]))),
            RingConfig::Folder(folder) => load_folder(&folder).map(Self),
        }
    }

    /// The keys by their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&Kid, &EncryptionKey)> {
        self.0.iter()
    }
}

fn load_folder(folder: &Path) -> Result<BTreeMap<Kid, EncryptionKey>, RingError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(RingError::Empty(folder.to_owned()));
        }
        entries => entries.map_err(|source| unreadable(folder, source))?,
    };
    let mut keys = BTreeMap::new();
    for entry in entries {
        let name = entry
            .map_err(|source| unreadable(folder, source))?
            .file_name();
        // The kubelet keeps the real files in `..<time>` behind the link `..data`.
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let name = name.to_string_lossy().into_owned();
        let kid: Kid = name.parse().map_err(|_| RingError::NotAKid(name))?;
        let key = load_key(&folder.join(kid.as_str()), &kid)?;
        keys.insert(kid, key);
    }
    if keys.is_empty() {
        Err(RingError::Empty(folder.to_owned()))
    } else {
        Ok(keys)
    }
}

/// A file that is larger than any key is read only so far that the parser can say so.
const MOST_BYTES: u64 = 4096;

fn load_key(path: &Path, name: &Kid) -> Result<EncryptionKey, RingError> {
    let mut text = Zeroizing::new(Vec::with_capacity(
        usize::try_from(MOST_BYTES).unwrap_or_default(),
    ));
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text))
        .map_err(|source| unreadable(path, source))?;
    let key = EncryptionKey::parse(&text).map_err(|source| RingError::Malformed {
        kid: name.clone(),
        source,
    })?;
    let found = key.kid();
    if found == *name {
        Ok(key)
    } else {
        Err(RingError::Mislabelled {
            name: name.clone(),
            found,
        })
    }
}

fn unreadable(path: &Path, source: io::Error) -> RingError {
    RingError::Read {
        path: path.to_owned(),
        source,
    }
}

impl From<RingError> for Refusal {
    fn from(error: RingError) -> Self {
        let reason = match error {
            RingError::Empty(_) => RefusalReason::KeyMissing,
            RingError::Read { .. } => RefusalReason::StorageFailed,
            RingError::Malformed { .. } => RefusalReason::KeyMalformed,
            RingError::NotAKid(_) | RingError::Mislabelled { .. } => RefusalReason::KeyMislabelled,
        };
        Self::new(reason, error.to_string())
    }
}
