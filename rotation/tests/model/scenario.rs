//! One bounded story: what is asked for, how many faults and refreshes there may be, and which guard is missing.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use userengine_api::key::Kid;
use userengine_api::names::{INITIAL, key_suffix};
use userengine_rotation::ledger::{KeyState, Ledger};
use userengine_rotation::request::{Mode, Request, RotationId};
use userengine_rotation::verdict::Certificate;

use crate::guards::Guard;
use crate::world::*;

pub const DB: &str = "db-1";

pub struct Model {
    pub requests: Vec<Request>,
    pub suspended: bool,
    pub without: Option<Guard>,
    pub faults: u8,
    pub refreshes: u8,
    /// Suffix and kid of each key.
    keys: Vec<(String, Kid)>,
    /// Worlds that are known to end well when nothing more goes wrong.
    pub healing: Arc<Mutex<HashSet<u64>>>,
}

pub fn kid(key: KeyNo) -> Kid {
    format!("{key:016x}").parse().unwrap()
}

pub fn id(request: usize) -> RotationId {
    format!("r-{}", request + 1).try_into().unwrap()
}

impl Model {
    /// What is asked for, one after the other: `None` is a new key, a number is a key to go back to.
    pub fn asking(targets: &[Option<KeyNo>]) -> Self {
        let request = |(n, target): (usize, &Option<KeyNo>)| Request {
            id: id(n),
            mode: Mode::Normal,
            rollback_to: target.map(kid),
            set_aside: Vec::new(),
        };
        let names = std::iter::once(INITIAL.to_owned()).chain((0..IDS).map(|n| id(n).to_string()));
        Self {
            requests: targets.iter().enumerate().map(request).collect(),
            suspended: false,
            without: None,
            faults: 1,
            refreshes: 1,
            keys: names
                .zip(0..)
                .map(|(name, n)| (key_suffix(DB, &name), kid(n)))
                .collect(),
            healing: Arc::default(),
        }
    }

    pub fn suspended(self) -> Self {
        Self {
            suspended: true,
            ..self
        }
    }

    /// The first request sets the first row aside.
    pub fn setting_aside(mut self) -> Self {
        let row = "connections/conn-1".to_owned().try_into().unwrap();
        self.requests[0].set_aside = vec![row];
        self
    }

    pub fn faults(self, faults: u8) -> Self {
        Self { faults, ..self }
    }

    pub fn refreshes(self, refreshes: u8) -> Self {
        Self { refreshes, ..self }
    }

    pub fn without(self, guard: Guard) -> Self {
        Self {
            without: Some(guard),
            ..self
        }
    }

    pub fn has(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    pub fn key_of(&self, suffix: &str) -> KeyNo {
        self.keys
            .iter()
            .position(|(known, _)| known == suffix)
            .unwrap() as u8
    }

    pub fn key_no(&self, kid: &Kid) -> KeyNo {
        self.keys
            .iter()
            .position(|(_, known)| known == kid)
            .unwrap() as u8
    }

    pub fn kid(&self, key: KeyNo) -> Kid {
        self.keys[usize::from(key)].1.clone()
    }

    pub fn ring(&self, ledger: &Ledger) -> KeySet {
        ledger
            .ring()
            .fold(0, |set, key| set | set_of(self.key_of(&key.suffix)))
    }

    /// Keys whose Secrets somebody answers for.
    pub fn known(&self, ledger: &Ledger) -> KeySet {
        let minted = ledger.open.iter().map(|open| &open.suffix);
        let keys = ledger.keys.iter().map(|key| &key.suffix);
        keys.chain(minted)
            .fold(0, |set, suffix| set | set_of(self.key_of(suffix)))
    }

    pub fn has_retired(ledger: &Ledger) -> bool {
        ledger
            .keys
            .iter()
            .any(|key| KeyState::is_retired(key.state))
    }

    pub fn certificate(&self, id: &RotationId, to: Kid) -> Certificate {
        Certificate {
            version: 1,
            database_id: DB.to_owned(),
            rotation: id.clone(),
            mode: Mode::Normal,
            from: self.kid(0),
            to,
            epoch: 0,
            rows: BTreeMap::new(),
            quarantined: 0,
            inventory_before: String::new(),
            inventory_after: String::new(),
            image: String::new(),
            binary: String::new(),
            started_at: String::new(),
            verified_at: String::new(),
            previous: String::new(),
            mac: String::new(),
        }
    }

    pub fn first(&self) -> World {
        let (suffix, kid) = self.keys[0].clone();
        let replica = Replica {
            stopped: self.suspended,
            ring: set_of(0),
        };
        let row = Row {
            key: 0,
            version: 0,
            aside: false,
        };
        World {
            ledger: Arc::new(Ledger::born(kid, suffix)),
            look: None,
            spec: 0,
            secrets: set_of(0),
            written: replica,
            observed: replica,
            engine: None,
            ghost_engine: None,
            job: None,
            ghost_job: None,
            brain: Brain {
                write: 0,
                epoch: 0,
                open: None,
                log: [None; IDS],
                latest: None,
                rows: [row; ROWS],
            },
            provider: [0; ROWS],
            opened: [0; IDS],
            faults: self.faults,
            refreshes: self.refreshes,
        }
    }
}
