//! Sealing anew: pages of values, each opened, sealed, opened again, and then replaced in one transaction.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use userengine_api::key::Kid;
use userengine_rotation::verdict::Step;

use super::{Overseer, RotationError, check};
use crate::failpoint;
use crate::store::rotation::{Changing, Halted, Page, RawRow, Swap, Which};
use crate::vault::{Place, ResealError, SealedColumn, Vault};

/// Seals every value that is not under the key yet, again and again until none is left.
pub(super) struct Sweep<'a> {
    pub(super) halted: &'a Halted,
    pub(super) vault: &'a Arc<Vault>,
    pub(super) to: &'a Kid,
    pub(super) epoch: u64,
    pub(super) overseer: &'a Overseer,
    /// Values that were under another key at the beginning.
    pub(super) total: u64,
}

impl Sweep<'_> {
    /// Gives how many were replaced.
    pub(super) async fn run(&self, changing: &mut Changing) -> Result<u64, RotationError> {
        let mut done = 0;
        loop {
            let before = done;
            for column in SealedColumn::ALL {
                done = self.column(changing, column, done).await?;
            }
            let left = self.left(changing).await?;
            if left == 0 {
                return Ok(done);
            }
            // A value that changed under our hands is found by the next round. One that never changes would be for ever.
            if done == before {
                return Err(RotationError::Stuck(left));
            }
        }
    }

    /// Values under another key.
    pub(super) async fn left(&self, changing: &mut Changing) -> Result<u64, RotationError> {
        let mut left = 0;
        for column in SealedColumn::ALL {
            left += changing.left(column, self.to).await?;
        }
        Ok(left)
    }

    /// Three things at once: a page is written, the one behind it is sealed, and the one behind that is read.
    async fn column(
        &self,
        changing: &mut Changing,
        column: SealedColumn,
        mut done: u64,
    ) -> Result<u64, RotationError> {
        let mut reading = self.halted.follow().await?;
        let which = Which::NotUnder(self.to);
        let mut page = reading.page(column, None, which).await?;
        let mut swaps = Vec::new();
        while page.is_some() || !swaps.is_empty() {
            self.overseer.may_go_on()?;
            let last = page.as_ref().and_then(Page::next).map(str::to_owned);
            let next = async {
                match &last {
                    Some(last) => reading.page(column, Some(last), which).await,
                    None => Ok(None),
                }
            };
            let (sealed, written, next) = tokio::join!(
                self.seal(column, page),
                self.write(changing, column, &swaps),
                next
            );
            done += written?;
            self.overseer.at(Step::Migrating, done, self.total);
            (swaps, page) = (sealed?, next?);
            failpoint::hit("rotation.sealed");
        }
        reading.close().await?;
        Ok(done)
    }

    async fn seal(
        &self,
        column: SealedColumn,
        page: Option<Page>,
    ) -> Result<Vec<Swap>, RotationError> {
        let Some(page) = page else {
            return Ok(Vec::new());
        };
        let (vault, to) = (self.vault.clone(), self.to.clone());
        let sealed = spawn_blocking(move || {
            page.rows()
                .map(|raw| reseal(&vault, column, raw, &to))
                .collect::<Result<_, _>>()
        });
        Ok(sealed.await.map_err(|_| RotationError::Lost)??)
    }

    async fn write(
        &self,
        changing: &mut Changing,
        column: SealedColumn,
        swaps: &[Swap],
    ) -> Result<u64, RotationError> {
        if swaps.is_empty() {
            return Ok(0);
        }
        let replaced = changing.swap(column, self.to, self.epoch, swaps).await?;
        failpoint::hit("rotation.written");
        // Fewer is normal where somebody else writes; but not under an epoch that is not ours any more.
        let all = u64::try_from(swaps.len()).is_ok_and(|all| all == replaced);
        if !all && changing.epoch().await? != self.epoch {
            return Err(RotationError::Fenced);
        }
        Ok(replaced)
    }
}

fn reseal(
    vault: &Vault,
    column: SealedColumn,
    raw: RawRow<'_>,
    to: &Kid,
) -> Result<Swap, ResealError> {
    let old = check::sealed(raw)?;
    let place = Place::new(column, raw.row);
    let new = vault.reseal(&old, &place, to)?.token;
    failpoint::hit("rotation.resealed");
    Ok(Swap {
        cursor: raw.cursor.to_owned(),
        old,
        new,
    })
}
