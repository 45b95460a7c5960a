//! A look at everything, for people: which values open, which do not, and what a rotation would not reach.

use std::sync::Arc;

use userengine_rotation::verdict::Step;

use super::check::{Stock, Stocktaking, take_stock};
use super::{Overseer, RotationError};
use crate::store::rotation::{Reading, State, Stray};
use crate::store::{BrainConfig, KeyCounts, OpenError};
use crate::vault::{Purpose, Vault};

/// What was found.
#[derive(Debug)]
pub struct Findings {
    /// Keys, log and whatever is open.
    pub state: State,
    /// What opens and what does not.
    pub stock: Stock,
    /// A sealed value that no rotation would reach.
    pub stray: Option<Stray>,
    /// What is in quarantine, by the key that is said to have sealed it.
    pub quarantined: KeyCounts,
}

impl Findings {
    /// Would a rotation go through?
    pub fn all_is_well(&self) -> bool {
        self.stock.unreadable.is_empty() && self.stray.is_none()
    }
}

/// Opens every value with the ring. Nothing is changed, and an engine may be running.
pub async fn inspect(config: &BrainConfig, vault: &Arc<Vault>) -> Result<Findings, RotationError> {
    let mut reading = Reading::beside(config).await?;
    let state = reading.state().await?;
    let any = vault.held().into_iter().next();
    let authenticator = any
        .and_then(|kid| vault.authenticator(&kid, Purpose::Inventory))
        .ok_or_else(|| OpenError::KeyNotHeld(state.keys.write_kid.clone()))?;
    let nobody = Overseer::new(None);
    let taking = Stocktaking {
        vault,
        authenticator: &authenticator,
        overseer: &nobody,
        step: Step::Checking,
        every_key_held: false,
    };
    let stock = take_stock(&mut reading, taking).await?;
    Ok(Findings {
        stray: reading.stray(vault).await?,
        quarantined: reading.quarantined().await?,
        state,
        stock,
    })
}
