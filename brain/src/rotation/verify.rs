//! `verify`: open everything with one key alone, and say so in the brain.

use std::sync::Arc;

use userengine_api::key::Kid;
use userengine_rotation::gate::{Admission, Objection, admit};
use userengine_rotation::verdict::{Certificate, Step, Verdict, Verified};

use super::certificate::{VERSION, seal_certificate};
use super::check::{Stock, Stocktaking, take_stock};
use super::{Overseer, RotationError, Task};
use crate::clock::Clock;
use crate::failpoint;
use crate::store::rotation::{Baseline, Event, Halted, Reading, State};
use crate::store::{BrainConfig, OpenError, StoreError};
use crate::vault::{Purpose, Vault};

/// Closes the rotation with its certificate; without one, writes down that everything opened. Nothing but the key that is
/// vouched for may be in the ring: a process that never had another key cannot be wrong about which one opened a value.
pub async fn verify(
    config: &BrainConfig,
    vault: &Arc<Vault>,
    clock: &Clock,
    task: Option<&Task>,
    overseer: &Overseer,
) -> Result<Verdict, RotationError> {
    overseer.at(Step::Opening, 0, 0);
    if let Some(task) = task {
        check_only_key(vault, &task.order.to)?;
    }
    let halted = Halted::enter(config, vault).await?;
    let verdict = async {
        let mut reading = halted.look().await?;
        let state = reading.state().await?;
        check_only_key(vault, &state.keys.write_kid)?;
        let work = Work {
            halted: &halted,
            vault,
            clock,
            overseer,
            state: &state,
        };
        match task {
            Some(task) => work.of_rotation(reading, task).await,
            None => work.by_itself(reading).await,
        }
    };
    halted.while_checked(verdict).await
}

fn check_only_key(vault: &Vault, expected: &Kid) -> Result<(), RotationError> {
    if vault.only() == Some(expected) {
        return Ok(());
    }
    if !vault.holds(expected) {
        return Err(OpenError::KeyNotHeld(expected.clone()).into());
    }
    Err(RotationError::NotTheOnlyKey {
        held: vault.held().len(),
        expected: expected.clone(),
    })
}

struct Work<'a> {
    halted: &'a Halted,
    vault: &'a Arc<Vault>,
    clock: &'a Clock,
    overseer: &'a Overseer,
    state: &'a State,
}

impl Work<'_> {
    async fn of_rotation(
        &self,
        mut reading: Reading,
        task: &Task,
    ) -> Result<Verdict, RotationError> {
        let admitted = admit(&self.state.keys, &self.state.log, &task.order);
        match (admitted, &self.state.baseline) {
            (Admission::Done, _) => {
                self.open_everything(&mut reading).await?;
                let certificate = certificate_of(&mut reading, task).await?;
                Ok(Verdict::Certified(Box::new(certificate)))
            }
            (Admission::Resume, Some(baseline)) => {
                let stock = self.open_everything(&mut reading).await?;
                let quarantined = reading.quarantined().await?.values().sum();
                reading.close().await?;
                self.compare(baseline, &stock, task).await?;
                self.certify(task, baseline, &stock, quarantined).await
            }
            (Admission::Refuse(objection), _) => Err(RotationError::Refused(objection)),
            // `migrate` has not begun.
            (Admission::Begin | Admission::Resume, _) => {
                Err(RotationError::Refused(Objection::Over))
            }
        }
    }

    async fn by_itself(&self, mut reading: Reading) -> Result<Verdict, RotationError> {
        if self.state.keys.open.is_some() {
            return Err(RotationError::StillOpen);
        }
        let rows = self.open_everything(&mut reading).await?.total();
        let quarantined = reading.quarantined().await?;
        reading.close().await?;
        let (kid, at) = (&self.state.keys.write_kid, self.clock.now());
        let mut changing = self.halted.change().await?;
        let recorded = changing.record_verified(kid, rows, at).await;
        changing.finish_after(recorded).await?;
        Ok(Verdict::Verified(Verified {
            database_id: self.state.database_id.to_string(),
            kid: kid.clone(),
            rows,
            quarantined,
            at: at.to_string(),
        }))
    }

    async fn open_everything(&self, reading: &mut Reading) -> Result<Stock, RotationError> {
        let kid = &self.state.keys.write_kid;
        let authenticator = self
            .vault
            .authenticator(kid, Purpose::Inventory)
            .ok_or_else(|| OpenError::KeyNotHeld(kid.clone()))?;
        let taking = Stocktaking {
            vault: self.vault,
            authenticator: &authenticator,
            overseer: self.overseer,
            step: Step::Verifying,
            every_key_held: true,
        };
        let stock = take_stock(reading, taking).await?;
        if stock.unreadable.is_empty() {
            Ok(stock)
        } else {
            Err(RotationError::Unreadable(stock.unreadable))
        }
    }

    /// What is there must be what was there before the first write. A difference is written down: it is evidence.
    async fn compare(
        &self,
        baseline: &Baseline,
        stock: &Stock,
        task: &Task,
    ) -> Result<(), RotationError> {
        let problem = if self.state.opens != baseline.opens {
            "an engine ran since: migrate has to take stock anew"
        } else if stock.root != baseline.root {
            "they differ, though no engine ran since"
        } else {
            return Ok(());
        };
        let mut changing = self.halted.change().await?;
        let (id, kid, at) = (&task.order.id, &task.order.to, self.clock.now());
        let recorded = changing.record_refused(id, kid, problem, at).await;
        changing.finish_after(recorded).await?;
        Err(RotationError::InventoryChanged(problem))
    }

    async fn certify(
        &self,
        task: &Task,
        baseline: &Baseline,
        stock: &Stock,
        quarantined: u64,
    ) -> Result<Verdict, RotationError> {
        failpoint::hit("rotation.verified");
        let at = self.clock.now();
        let from = self.state.keys.open.as_ref().map(|open| open.from.clone());
        let unsigned = Certificate {
            version: VERSION,
            database_id: self.state.database_id.to_string(),
            rotation: task.order.id.clone(),
            mode: baseline.mode,
            from: from.ok_or(RotationError::Refused(Objection::Over))?,
            to: task.order.to.clone(),
            epoch: self.state.keys.epoch,
            rows: stock
                .rows
                .iter()
                .map(|(column, rows)| (column.name(), *rows))
                .collect(),
            quarantined,
            inventory_before: baseline.root.clone(),
            inventory_after: stock.root.clone(),
            image: task.image.clone(),
            binary: task.binary.clone(),
            started_at: baseline.started_at.clone(),
            verified_at: at.to_string(),
            previous: String::new(),
            mac: String::new(),
        };
        let mut made = None;
        let certificate = |previous| {
            made = seal_certificate(
                self.vault,
                Certificate {
                    previous,
                    ..unsigned
                },
            );
            serde_json::to_string(&made).unwrap_or_default()
        };
        let mut changing = self.halted.change().await?;
        let (id, to) = (&task.order.id, &task.order.to);
        let epoch = self.state.keys.epoch;
        let entry = changing.certify(id, epoch, to, at, certificate).await;
        let certified = match entry {
            Ok(entry) => entry.ok_or(RotationError::Fenced),
            Err(error) => Err(error.into()),
        };
        failpoint::hit("rotation.certified");
        changing.finish_after(certified).await?;
        failpoint::hit("rotation.closed");
        let made = made.ok_or_else(|| OpenError::KeyNotHeld(to.clone()))?;
        Ok(Verdict::Certified(Box::new(made)))
    }
}

/// The certificate that was given before.
async fn certificate_of(reading: &mut Reading, task: &Task) -> Result<Certificate, RotationError> {
    let entries = reading.log().await?;
    let entry = entries.iter().rev().find(|entry| {
        entry.event == Event::Certified && entry.rotation.as_deref() == Some(task.order.id.as_str())
    });
    let certificate = entry.and_then(|entry| serde_json::from_str(&entry.details).ok());
    let missing = StoreError::Inconsistent("a certificate is malformed");
    certificate.ok_or_else(|| missing.into())
}
