//! The epoch transaction: from here on the new key seals, and only this run may re-seal.

use jiff::Timestamp;
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use userengine_rotation::gate::{BrainKeys, Order};
use userengine_rotation::request::Mode;

use super::log::{self, Event, Fact};
use super::set_aside::{self, SetAside};
use super::{Baseline, Changing};
use crate::store::writing::time;
use crate::store::{StoreError, canary};
use crate::vault::{SealedColumn, Vault};

/// What is made true in one transaction.
#[derive(Debug)]
pub struct Beginning<'a> {
    /// What was ordered.
    pub order: &'a Order,
    /// What was read of the keys before the check.
    pub keys: &'a BrainKeys,
    /// What it starts from. On a later run: what it has started from, or what was found anew.
    pub baseline: &'a Baseline,
    /// It had begun before.
    pub resumed: bool,
    /// Rows that somebody decided to set aside, and that open with no key.
    pub set_aside: &'a [(SealedColumn, String)],
    /// Now.
    pub at: Timestamp,
}

impl Changing {
    /// Takes the epoch. `None`: another run took it since the keys were read, and nothing was changed.
    pub async fn begin(
        &mut self,
        vault: &Vault,
        beginning: &Beginning<'_>,
    ) -> Result<Option<u64>, StoreError> {
        let mut transaction = self
            .brain()
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(StoreError::sqlite("begin the rotation"))?;
        let Some(epoch) = take_epoch(&mut transaction, beginning).await? else {
            return Ok(None);
        };
        if !beginning.resumed {
            supersede(&mut transaction, beginning).await?;
            turn_canary(&mut transaction, vault, beginning).await?;
            retarget_intents(&mut transaction, beginning).await?;
        }
        log::append(&mut transaction, began(beginning, epoch)).await?;
        for (column, row) in beginning.set_aside {
            let aside = SetAside {
                column: *column,
                row,
                rotation: beginning.order.id.as_str(),
                write_kid: &beginning.order.to,
                at: beginning.at,
            };
            set_aside::move_to_quarantine(&mut transaction, &aside).await?;
        }
        if beginning.baseline.mode == Mode::Compromised && !beginning.resumed {
            ask_for_consent(&mut transaction, beginning.at).await?;
        }
        crate::failpoint::hit("rotation.beginning");
        transaction
            .commit()
            .await
            .map_err(StoreError::sqlite("begin the rotation"))?;
        Ok(Some(epoch))
    }
}

async fn take_epoch(
    brain: &mut SqliteConnection,
    beginning: &Beginning<'_>,
) -> Result<Option<u64>, StoreError> {
    let (keys, order, baseline) = (beginning.keys, beginning.order, beginning.baseline);
    let from = match &keys.open {
        Some(open) if beginning.resumed => open.from.as_str(),
        _ => keys.write_kid.as_str(),
    };
    let (id, to, mode) = (order.id.as_str(), order.to.as_str(), mode(baseline.mode));
    let seen = i64::try_from(keys.epoch).unwrap_or(i64::MAX);
    let (write_kid, opens) = (
        keys.write_kid.as_str(),
        i64::try_from(baseline.opens).unwrap_or(i64::MAX),
    );
    let taken = sqlx::query!(
        "UPDATE key_state SET epoch = epoch + 1, write_kid = ?, rotation_id = ?, rotation_from = ?, rotation_to = ?,
                rotation_mode = ?, rotation_started_at = ?, inventory_root = ?, inventory_opens = ?
         WHERE id = 1 AND epoch = ? AND write_kid = ?",
        to,
        id,
        from,
        to,
        mode,
        baseline.started_at,
        baseline.root,
        opens,
        seen,
        write_kid
    )
    .execute(brain)
    .await
    .map_err(StoreError::sqlite("take the epoch"))?;
    Ok((taken.rows_affected() == 1).then_some(keys.epoch + 1))
}

/// Whatever was open before is over: its target may still seal values, which this rotation moves on.
async fn supersede(
    brain: &mut SqliteConnection,
    beginning: &Beginning<'_>,
) -> Result<(), StoreError> {
    let Some(open) = &beginning.keys.open else {
        return Ok(());
    };
    let fact = Fact {
        event: Event::Superseded,
        rotation: Some(open.id.as_str()),
        write_kid: &beginning.order.to,
        details: json!({ "by": beginning.order.id.as_str() }).to_string(),
        at: beginning.at,
    };
    log::append(brain, fact).await.map(drop)
}

/// Only the write key has a canary: one under a key that leaves would be a value that nobody can open.
async fn turn_canary(
    brain: &mut SqliteConnection,
    vault: &Vault,
    beginning: &Beginning<'_>,
) -> Result<(), StoreError> {
    let to = beginning.order.to.as_str();
    let sealed = canary::seal(vault, &beginning.order.to)?;
    let token = sealed.token.as_str();
    sqlx::query!("DELETE FROM key_canary")
        .execute(&mut *brain)
        .await
        .map_err(StoreError::sqlite("remove the canary"))?;
    sqlx::query!(
        "INSERT INTO key_canary (kid, sealed) VALUES (?, ?)",
        to,
        token
    )
    .execute(brain)
    .await
    .map_err(StoreError::sqlite("write the canary"))?;
    Ok(())
}

/// A refresh that came to no end names the key that would have sealed its answer. The answer is lost, and the note must not
/// name a key that goes.
async fn retarget_intents(
    brain: &mut SqliteConnection,
    beginning: &Beginning<'_>,
) -> Result<(), StoreError> {
    let to = beginning.order.to.as_str();
    sqlx::query!("UPDATE refresh_intents SET write_kid = ?", to)
        .execute(brain)
        .await
        .map_err(StoreError::sqlite("retarget the refresh intents"))?;
    Ok(())
}

/// Whoever had the old key may have the credentials: each stays until its owner has consented anew, and is not used.
async fn ask_for_consent(brain: &mut SqliteConnection, at: Timestamp) -> Result<(), StoreError> {
    let at = time(at);
    sqlx::query!(
        "UPDATE connections SET status = 'expired', last_error_at = ?,
                last_error = 'the encryption key may have been exposed: connect again, so that the provider gives a new credential'
         WHERE credentials IS NOT NULL AND status <> 'revoked'",
        at
    )
    .execute(brain)
    .await
    .map_err(StoreError::sqlite("mark the credentials for fresh consent"))?;
    Ok(())
}

fn began<'a>(beginning: &Beginning<'a>, epoch: u64) -> Fact<'a> {
    let (order, baseline) = (beginning.order, beginning.baseline);
    let details = json!({
        "from": beginning.keys.write_kid, "to": order.to, "mode": mode(baseline.mode), "epoch": epoch,
        "inventory": baseline.root, "opened": order.opened,
    });
    Fact {
        event: if beginning.resumed {
            Event::Resumed
        } else {
            Event::Begun
        },
        rotation: Some(order.id.as_str()),
        write_kid: &order.to,
        details: details.to_string(),
        at: beginning.at,
    }
}

pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Normal => "Normal",
        Mode::Compromised => "Compromised",
    }
}
