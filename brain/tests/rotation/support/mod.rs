//! A brain on a volume of its own, with values in every sealed column.

mod sql;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use userengine_api::hex::hex;
use userengine_api::key::{EncryptionKey, KEY_BYTES, Kid};
use userengine_api::refusal::{Refusal, RefusalReason};
use userengine_brain::clock::Clock;
use userengine_brain::ring::{Ring, RingConfig};
use userengine_brain::rotation::{Overseer, RotationError, Task, migrate, verify};
use userengine_brain::store::{self, BrainConfig, BrainMode, Store};
use userengine_brain::vault::{Place, Sealed, SealedColumn, Token, Vault};
use userengine_rotation::gate::Order;
use userengine_rotation::request::Mode;
use userengine_rotation::verdict::{Certificate, Migrated, Verdict};

pub use sql::Hand;

/// The key of this number.
pub fn key(number: u8) -> EncryptionKey {
    EncryptionKey::from_bytes([number; KEY_BYTES])
}

/// Its id.
pub fn kid(number: u8) -> Kid {
    key(number).kid()
}

/// A folder with a brain, and folders with rings.
pub struct Volume {
    folder: TempDir,
    clock: Clock,
}

/// Every value by its place.
pub type Values = BTreeMap<String, String>;

impl Volume {
    /// A brain sealed with key 1, with so many connections and one value or more in every other column, handed over.
    pub fn with_rows(rows: usize) -> Self {
        let volume = Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Clock::system(),
        };
        volume.engine_runs(&[1]);
        let vault = volume.vault(&[1]);
        volume.hand().fill(&vault, &kid(1), rows);
        volume
    }

    pub fn brain(&self) -> PathBuf {
        self.folder.path().join("brain.sqlite")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn config(&self) -> BrainConfig {
        BrainConfig {
            path: self.brain(),
            mode: BrainMode::Create,
            database_id: Some("mine".to_owned().try_into().unwrap()),
        }
    }

    /// A folder with these keys, as the kubelet mounts it.
    pub fn keyring(&self, keys: &[u8]) -> PathBuf {
        let name: Vec<String> = keys.iter().map(u8::to_string).collect();
        let folder = self.folder.path().join(format!("keys-{}", name.join("-")));
        fs::create_dir_all(&folder).unwrap();
        for number in keys {
            fs::write(folder.join(kid(*number).as_str()), &*key(*number).text()).unwrap();
        }
        folder
    }

    pub fn vault(&self, keys: &[u8]) -> Arc<Vault> {
        let ring = Ring::load(RingConfig::Folder(self.keyring(keys))).unwrap();
        Arc::new(Vault::new(&ring, self.clock.clone()))
    }

    pub fn hand(&self) -> Hand {
        Hand::new(self.brain())
    }

    /// SHA-256 of the brain's file.
    pub fn hash(&self) -> String {
        hex(Sha256::digest(fs::read(self.brain()).unwrap()).iter())
    }

    /// An engine opens the brain, and gives it to whoever looks.
    pub fn open(&self, keys: &[u8]) -> (tokio::runtime::Runtime, Store) {
        let runtime = runtime();
        let (config, vault) = (self.config(), self.vault(keys));
        let opened = runtime.block_on(store::open(&config, &vault, &self.clock));
        (runtime, opened.unwrap().store)
    }

    /// An engine opens the brain and hands it over.
    pub fn engine_runs(&self, keys: &[u8]) {
        let (runtime, store) = self.open(keys);
        runtime.block_on(store.hand_over(&self.clock)).unwrap();
    }

    /// Every credential opens with the ring; gives what is in them.
    pub fn values(&self, keys: &[u8]) -> Values {
        let vault = self.vault(keys);
        let open = |column: SealedColumn, row: String, kid: String, token: String| {
            let place = Place::new(column, row);
            let sealed = Sealed {
                kid: kid.parse().unwrap(),
                token: Token::try_from(token).unwrap(),
            };
            let value = vault.open(&sealed, &place).unwrap();
            (place.to_string(), value.expose_secret().to_owned())
        };
        let rows = self.hand().sealed();
        rows.into_iter()
            .filter(|(column, ..)| *column != SealedColumn::KeyCanary)
            .map(|(column, row, kid, token)| open(column, row, kid, token))
            .collect()
    }

    /// What the Job's first container does.
    pub fn migrate(&self, keys: &[u8], task: &Task) -> Result<Migrated, RotationError> {
        let (config, vault) = (self.config(), self.vault(keys));
        let overseer = Overseer::new(Some(task.order.id.clone()));
        runtime().block_on(migrate(&config, &vault, &self.clock, task, &overseer))
    }

    /// What the Job's second container does.
    pub fn verify(&self, keys: &[u8], task: Option<&Task>) -> Result<Verdict, RotationError> {
        let (config, vault) = (self.config(), self.vault(keys));
        let overseer = Overseer::new(task.map(|task| task.order.id.clone()));
        runtime().block_on(verify(&config, &vault, &self.clock, task, &overseer))
    }

    /// Both.
    pub fn rotate(&self, keys: &[u8], task: &Task) -> Certificate {
        self.migrate(keys, task).unwrap();
        certified(self.verify(&keys[keys.len() - 1..], Some(task)))
    }
}

/// A rotation of this name from the first of these keys to the last.
pub fn task(id: &str, keys: &[u8]) -> Task {
    let (to, from) = keys.split_last().unwrap();
    Task {
        order: Order {
            id: id.to_owned().try_into().unwrap(),
            from: from.iter().map(|number| kid(*number)).collect(),
            to: kid(*to),
        },
        mode: Mode::Normal,
        set_aside: std::collections::BTreeSet::new(),
        image: "engine:test".to_owned(),
    }
}

pub fn certified(verdict: Result<Verdict, RotationError>) -> Certificate {
    match verdict {
        Ok(Verdict::Certified(certificate)) => *certificate,
        other => panic!("no certificate: {other:?}"),
    }
}

pub fn reason<T: std::fmt::Debug>(outcome: Result<T, RotationError>) -> RefusalReason {
    Refusal::from(outcome.unwrap_err()).reason
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// About as long as a credential with two tokens is.
pub fn secret(row: usize) -> SecretString {
    SecretString::from(format!(
        r#"{{"access":"a-{row}","refresh":"{}"}}"#,
        "r".repeat(row % 700)
    ))
}
