//! `migrate`: check everything, take the epoch, seal every value anew.

use std::sync::Arc;

use userengine_rotation::gate::{Admission, admit};
use userengine_rotation::verdict::{Migrated, Step};

use super::check::{Stock, Stocktaking, Unreadable, take_stock};
use super::room::check_room;
use super::sweep::Sweep;
use super::{Overseer, RotationError, Task};
use crate::clock::Clock;
use crate::failpoint;
use crate::store::rotation::{Baseline, Beginning, Changing, Halted, State, Stray};
use crate::store::{BrainConfig, OpenError};
use crate::vault::{Purpose, SealedColumn, Vault};

/// Brings a brain to another key. Refused, it leaves the brain as it was; ended at any other moment, every value opens with
/// the ring, and a rerun goes on.
pub async fn migrate(
    config: &BrainConfig,
    vault: &Arc<Vault>,
    clock: &Clock,
    task: &Task,
    overseer: &Overseer,
) -> Result<Migrated, RotationError> {
    overseer.at(Step::Opening, 0, 0);
    let halted = Halted::enter(config, vault).await?;
    let work = Work {
        halted: &halted,
        vault,
        clock,
        task,
        overseer,
    };
    halted.while_checked(work.run()).await
}

struct Work<'a> {
    halted: &'a Halted,
    vault: &'a Arc<Vault>,
    clock: &'a Clock,
    task: &'a Task,
    overseer: &'a Overseer,
}

impl Work<'_> {
    async fn run(&self) -> Result<Migrated, RotationError> {
        let Some((admission, state, stock)) = self.check().await? else {
            return self.nothing_to_do().await;
        };
        failpoint::hit("rotation.checked");
        self.overseer.may_go_on()?;
        let mut changing = self.halted.change().await?;
        failpoint::hit("rotation.opened");
        let written = self.write(&mut changing, admission, &state, &stock).await;
        // Stopped in the middle, too.
        let (epoch, rows) = changing.finish_after(written).await?;
        failpoint::hit("rotation.migrated");
        Ok(Migrated {
            rotation: self.task.order.id.clone(),
            write_kid: self.task.order.to.clone(),
            epoch,
            rows,
            recovered: self.halted.recovered(),
        })
    }

    /// Everything that may refuse. `None` if the rotation has its certificate already.
    async fn check(&self) -> Result<Option<(Admission, State, Stock)>, RotationError> {
        let mut reading = self.halted.look().await?;
        let state = reading.state().await?;
        let admission = admit(&state.keys, &state.log, &self.task.order);
        match admission {
            Admission::Refuse(objection) => return Err(RotationError::Refused(objection)),
            Admission::Done => return Ok(None),
            Admission::Begin | Admission::Resume => {}
        }
        check_room(self.task.mode, self.halted.bytes(), self.halted.room()?)?;
        let to = &self.task.order.to;
        let authenticator = self
            .vault
            .authenticator(to, Purpose::Inventory)
            .ok_or_else(|| OpenError::KeyNotHeld(to.clone()))?;
        let taking = Stocktaking {
            vault: self.vault,
            authenticator: &authenticator,
            overseer: self.overseer,
            step: Step::Checking,
            every_key_held: true,
        };
        let (mut stock, stray) = tokio::try_join!(take_stock(&mut reading, taking), self.stray())?;
        self.check_unreadable(&mut stock)?;
        if let Some(stray) = stray {
            return Err(RotationError::Unregistered(stray));
        }
        check_unchanged(admission, &state, &stock)?;
        reading.close().await?;
        Ok(Some((admission, state, stock)))
    }

    async fn stray(&self) -> Result<Option<Stray>, RotationError> {
        let mut reading = self.halted.look().await?;
        let stray = reading.stray(self.vault).await?;
        reading.close().await?;
        Ok(stray)
    }

    /// Rows that nobody can open stop it, unless somebody named each of them. A row that opens is never set aside.
    fn check_unreadable(&self, stock: &mut Stock) -> Result<(), RotationError> {
        // A canary is replaced, whatever it is: that the write key's opens was seen at the door.
        let is_canary = |row: &Unreadable| row.column == SealedColumn::KeyCanary;
        stock.unreadable.retain(|row| !is_canary(row));
        let (named, unnamed): (Vec<_>, Vec<_>) = std::mem::take(&mut stock.unreadable)
            .into_iter()
            .partition(|row| self.task.set_aside.contains(&row.name));
        stock.unreadable = named;
        if unnamed.is_empty() {
            Ok(())
        } else {
            Err(RotationError::Unreadable(unnamed))
        }
    }

    /// Gives the epoch, and how many values were sealed anew.
    async fn write(
        &self,
        changing: &mut Changing,
        admission: Admission,
        state: &State,
        stock: &Stock,
    ) -> Result<(u64, u64), RotationError> {
        let epoch = self.begin(changing, admission, state, stock).await?;
        failpoint::hit("rotation.begun");
        let rows = self.sweep(changing, epoch).await?;
        failpoint::hit("rotation.swept");
        Ok((epoch, rows))
    }

    async fn begin(
        &self,
        changing: &mut Changing,
        admission: Admission,
        state: &State,
        stock: &Stock,
    ) -> Result<u64, RotationError> {
        let at = self.clock.now();
        let (resumed, fresh) = match (&state.baseline, admission) {
            (Some(baseline), Admission::Resume) => (true, baseline.clone()),
            _ => (
                false,
                Baseline {
                    mode: self.task.mode,
                    started_at: at.to_string(),
                    root: String::new(),
                    opens: 0,
                },
            ),
        };
        // Unchanged values have the root that they had; an engine in between may have changed them.
        let baseline = Baseline {
            root: stock.root.clone(),
            opens: state.opens,
            ..fresh
        };
        let set_aside: Vec<_> = stock
            .unreadable
            .iter()
            .map(|row| (row.column, row.name.row().to_owned()))
            .collect();
        let beginning = Beginning {
            order: &self.task.order,
            keys: &state.keys,
            baseline: &baseline,
            resumed,
            set_aside: &set_aside,
            at,
        };
        let epoch = changing.begin(self.vault, &beginning).await?;
        epoch.ok_or(RotationError::Fenced)
    }

    async fn sweep(&self, changing: &mut Changing, epoch: u64) -> Result<u64, RotationError> {
        let mut sweep = Sweep {
            halted: self.halted,
            vault: self.vault,
            to: &self.task.order.to,
            epoch,
            overseer: self.overseer,
            total: 0,
        };
        sweep.total = sweep.left(changing).await?;
        self.overseer.at(Step::Migrating, 0, sweep.total);
        sweep.run(changing).await
    }

    async fn nothing_to_do(&self) -> Result<Migrated, RotationError> {
        let mut reading = self.halted.look().await?;
        let state = reading.state().await?;
        Ok(Migrated {
            rotation: self.task.order.id.clone(),
            write_kid: state.keys.write_kid,
            epoch: state.keys.epoch,
            rows: 0,
            recovered: self.halted.recovered(),
        })
    }
}

/// Between two runs of a rotation only an engine may have changed a value, and it counts its openings.
fn check_unchanged(
    admission: Admission,
    state: &State,
    stock: &Stock,
) -> Result<(), RotationError> {
    match (&state.baseline, admission) {
        (Some(baseline), Admission::Resume)
            if baseline.opens == state.opens && baseline.root != stock.root =>
        {
            Err(RotationError::InventoryChanged(
                "they differ, though no engine ran since",
            ))
        }
        _ => Ok(()),
    }
}
