//! A brain on a volume of its own, with values in every sealed column.

mod child;
mod sql;
mod strace;

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
use userengine_brain::rotation::{
    CertificateError, Overseer, RotationError, Task, migrate, verify, verify_certificate,
};
use userengine_brain::store::rotation::{Entry, Reading, Swap};
use userengine_brain::store::{self, BrainConfig, BrainMode, Store};
use userengine_brain::vault::{Place, Sealed, SealedColumn, Token, Vault};
use userengine_rotation::gate::Order;
use userengine_rotation::request::Mode;
use userengine_rotation::verdict::{Certificate, Migrated, Progress, Step, Verdict};

use child::wait_for_forks;
pub use child::{End, Fault, Job, Run, Work, run_as_child};
pub use sql::Hand;
pub use strace::{CALLS, Harm, Strace, has_strace, most_by_one_thread};

/// The key of this number.
pub fn key(number: u8) -> EncryptionKey {
    EncryptionKey::from_bytes([number; KEY_BYTES])
}

/// Its id.
pub fn kid(number: u8) -> Kid {
    key(number).kid()
}

/// A folder with a brain, and folders with rings.
#[derive(Debug)]
pub struct Volume {
    folder: PathBuf,
    clock: Clock,
    _kept: Option<TempDir>,
}

/// Every value by its place.
pub type Values = BTreeMap<String, String>;

impl Volume {
    /// A brain sealed with key 1, with so many connections and one value or more in every other column, handed over.
    pub fn with_rows(rows: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let volume = Self::at(folder.path()).kept(folder);
        volume.engine_runs(&[1]);
        let vault = volume.vault(&[1]);
        volume.hand().fill(&vault, &kid(1), rows);
        volume
    }

    /// One that another process made.
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            clock: Clock::system(),
            _kept: None,
        }
    }

    /// The same brain on another volume.
    pub fn copy(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for suffix in ["", "-wal"] {
            let name = format!("brain.sqlite{suffix}");
            if self.folder.join(&name).exists() {
                fs::copy(self.folder.join(&name), folder.path().join(&name)).unwrap();
            }
        }
        Self {
            clock: self.clock.clone(),
            ..Self::at(folder.path())
        }
        .kept(folder)
    }

    fn kept(self, folder: TempDir) -> Self {
        Self {
            _kept: Some(folder),
            ..self
        }
    }

    /// Whoever works on the volume has this time.
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    pub fn brain(&self) -> PathBuf {
        self.folder.join("brain.sqlite")
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// For whoever opens the brain now: another test may be starting a process.
    pub fn config(&self) -> BrainConfig {
        wait_for_forks();
        BrainConfig {
            path: self.brain(),
            mode: BrainMode::Create,
            database_id: Some("mine".to_owned().try_into().unwrap()),
        }
    }

    /// A folder with these keys, as the kubelet mounts it.
    pub fn keyring(&self, keys: &[u8]) -> PathBuf {
        let name: Vec<String> = keys.iter().map(u8::to_string).collect();
        let folder = self.folder.join(format!("keys-{}", name.join("-")));
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

    /// Bytes of a file beside the brain; `None` if there is none.
    pub fn side(&self, suffix: &str) -> Option<u64> {
        let path = self.folder.join(format!("brain.sqlite{suffix}"));
        path.metadata().ok().map(|found| found.len())
    }

    /// Overwrites the middle of the file.
    pub fn damage(&self) {
        let mut bytes = fs::read(self.brain()).unwrap();
        let page = bytes.len() / 2 / 4096 * 4096;
        bytes[page..page + 4096].fill(0xa5);
        fs::write(self.brain(), bytes).unwrap();
    }

    /// An engine runs, and renews the credential of this connection.
    pub fn engine_renews(&self, keys: &[u8], connection: usize, value: &SecretString) {
        self.engine_runs(keys);
        let write_kid = self.hand().text("SELECT write_kid FROM key_state");
        let kid = write_kid.parse().unwrap();
        let sealed = self.vault(keys).seal(&kid, &place(connection), value);
        self.hand().run(&format!(
            "UPDATE connections SET credentials = '{}', kid = '{kid}', generation = generation + 1 WHERE ref_id = '{}'",
            sealed.unwrap().token.as_str(),
            place(connection).into_row()
        ));
    }

    /// A token under a key that is not in the ring.
    pub fn sealed_with(&self, number: u8) -> String {
        let vault = self.vault(&[number]);
        let place = Place::new(SealedColumn::ConnectionCredentials, "x");
        let sealed = vault.seal(&kid(number), &place, &secret(1)).unwrap();
        sealed.token.as_str().to_owned()
    }

    /// A clock that was manual goes on.
    pub fn engine_clock_ahead(&self, by: std::time::Duration) {
        self.clock.advance(by);
    }

    /// Some values lie under the key before again, as after a run that was killed half-way.
    pub fn unseal_some(&self, keys: &[u8]) {
        let vault = self.vault(keys);
        let mut statements = vec!["BEGIN".to_owned()];
        for (column, row, kid_now, token) in self.hand().sealed().into_iter().skip(3).step_by(2) {
            if column == SealedColumn::KeyCanary {
                continue;
            }
            let sealed = Sealed {
                kid: kid_now.parse().unwrap(),
                token: Token::try_from(token).unwrap(),
            };
            let back = vault.reseal(&sealed, &Place::new(column, row.as_str()), &kid(keys[0]));
            let (table, key, token) = (column.table(), column.key(), column.column());
            statements.push(format!(
                "UPDATE {table} SET {token} = '{}', kid = '{}' WHERE {key} = '{row}'",
                back.unwrap().token.as_str(),
                kid(keys[0])
            ));
        }
        statements.push("COMMIT".to_owned());
        self.hand().run(&statements.join(";"));
    }

    /// One value of this connection, sealed anew with key 2.
    pub fn swap(&self, vault: &Vault, connection: usize) -> Swap {
        let row = format!("conn-{connection:020}");
        let place = place(connection);
        let stored = self.hand().text(&format!(
            "SELECT credentials FROM connections WHERE ref_id = '{row}'"
        ));
        let old = Sealed {
            kid: kid(1),
            token: Token::try_from(stored).unwrap(),
        };
        let new = vault.reseal(&old, &place, &kid(2)).unwrap().token;
        let cursor = self.hand().text(&format!(
            "SELECT rowid FROM connections WHERE ref_id = '{row}'"
        ));
        Swap { cursor, old, new }
    }

    /// The certificate against the brain's own log.
    pub fn checked_against_its_log(&self, text: &str) -> Result<Certificate, CertificateError> {
        verify_certificate(text, &self.vault(&[2]), Some(("mine", &self.log())))
    }

    /// The brain's own log.
    pub fn log(&self) -> Vec<Entry> {
        runtime().block_on(async {
            let mut reading = Reading::of_quiet(&self.brain()).await.unwrap().unwrap();
            reading.log().await.unwrap()
        })
    }

    /// What an engine checks at its start, without counting as a start: the values stay those of the rotation.
    pub fn engine_checks_without_serving(&self, keys: &[u8]) {
        self.copy().engine_runs(keys);
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

    /// The same, told to stop as soon as this step has done something.
    pub fn migrate_until(
        &self,
        keys: &[u8],
        task: &Task,
        step: Step,
    ) -> Result<Migrated, RotationError> {
        let (config, vault) = (self.config(), self.vault(keys));
        let overseer = Overseer::new(Some(task.order.id.clone()));
        let mut progress = overseer.progress();
        // One thread: whoever looks on comes to its turn between two pages.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let there = |seen: &Option<Progress>| {
                seen.as_ref().is_some_and(|seen| {
                    seen.step == step && (seen.done > 0 || step == Step::Opening)
                })
            };
            let watching = async {
                progress.wait_for(there).await.unwrap();
                overseer.ask_to_end();
                std::future::pending().await
            };
            // Work that ends without that step is not waited for.
            tokio::select! {
                done = migrate(&config, &vault, &self.clock, task, &overseer) => done,
                never = watching => never,
            }
        })
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

/// Where the credential of this connection lies.
pub fn place(connection: usize) -> Place {
    let row = format!("conn-{connection:020}");
    Place::new(SealedColumn::ConnectionCredentials, row)
}

/// A rotation of this name from the first of these keys to the last.
pub fn task(id: &str, keys: &[u8]) -> Task {
    let (to, from) = keys.split_last().unwrap();
    Task {
        order: Order {
            id: id.to_owned().try_into().unwrap(),
            from: from.iter().map(|number| kid(*number)).collect(),
            to: kid(*to),
            opened: None,
        },
        mode: Mode::Normal,
        set_aside: std::collections::BTreeSet::new(),
        image: "engine:test".to_owned(),
        binary: "sha256:00".to_owned(),
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
