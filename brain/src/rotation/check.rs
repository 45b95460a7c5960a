//! Taking stock: every sealed value is opened, and nothing is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::spawn_blocking;
use userengine_api::key::Kid;
use userengine_rotation::request::RowName;
use userengine_rotation::verdict::Step;

use super::inventory::Inventory;
use super::{Overseer, RotationError};
use crate::store::rotation::{Page, RawRow, Reading, Which};
use crate::store::{OpenError, StoreError};
use crate::vault::{Authenticator, Place, Sealed, SealedColumn, Token, UnsealError, Vault};

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Stock {
    /// Values by column, those aside that did not open.
    pub rows: BTreeMap<SealedColumn, u64>,
    /// Values that did not open.
    pub unreadable: Vec<Unreadable>,
    /// Digest over every credential that opened, in hex. The canary is no credential: it goes with its key.
    pub root: String,
}

/// A value that did not open.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// Which.
    pub name: RowName,
    /// Its column.
    pub column: SealedColumn,
    /// Why.
    pub why: UnsealError,
}

impl Stock {
    /// Values that opened.
    pub fn total(&self) -> u64 {
        self.rows.values().sum()
    }
}

/// How stock is taken.
#[derive(Debug, Clone, Copy)]
pub struct Stocktaking<'a> {
    /// What opens.
    pub vault: &'a Arc<Vault>,
    /// What makes the tags.
    pub authenticator: &'a Authenticator,
    /// Who looks on.
    pub overseer: &'a Overseer,
    /// What it is part of.
    pub step: Step,
    /// A value whose key is not in the ring ends it. Otherwise such a value is one that did not open.
    pub every_key_held: bool,
}

/// Opens every value of the columns with the key that its kid names, in one snapshot.
pub async fn take_stock(
    reading: &mut Reading,
    taking: Stocktaking<'_>,
) -> Result<Stock, RotationError> {
    let mut expected = BTreeMap::new();
    for column in SealedColumn::ALL {
        expected.insert(column, reading.count(column).await?);
    }
    let total = expected.values().sum();
    let mut taker = Taker {
        vault: taking.vault.clone(),
        authenticator: taking.authenticator.clone(),
        every_key_held: taking.every_key_held,
        inventory: Inventory::default(),
        stock: Stock::default(),
        seen: 0,
    };
    let (overseer, step) = (taking.overseer, taking.step);
    overseer.at(step, 0, total);
    for column in SealedColumn::ALL {
        let before = taker.seen;
        taker = walk(reading, taker, column, |seen| {
            overseer.at(step, seen, total);
            overseer.may_go_on()
        })
        .await?;
        // A walk that finds nothing, and a finish that looks like success, must not be possible.
        if expected.get(&column) != Some(&(taker.seen - before)) {
            let error = StoreError::Inconsistent("a walk over the sealed values missed some");
            return Err(error.into());
        }
    }
    taker.stock.root = taker.inventory.root();
    Ok(taker.stock)
}

/// Opens one page while the next is being read.
async fn walk(
    reading: &mut Reading,
    mut taker: Taker,
    column: SealedColumn,
    at: impl Fn(u64) -> Result<(), RotationError>,
) -> Result<Taker, RotationError> {
    let mut page = reading.page(column, None, Which::All).await?;
    while let Some(current) = page {
        at(taker.seen)?;
        let last = current.next().map(str::to_owned);
        let opening = spawn_blocking(move || taker.take(column, &current).map(|()| taker));
        let next = async {
            match &last {
                Some(last) => reading.page(column, Some(last), Which::All).await,
                None => Ok(None),
            }
        };
        let (opened, next) = tokio::join!(opening, next);
        taker = opened.map_err(|_| RotationError::Lost)??;
        page = next?;
    }
    at(taker.seen)?;
    Ok(taker)
}

struct Taker {
    vault: Arc<Vault>,
    authenticator: Authenticator,
    every_key_held: bool,
    inventory: Inventory,
    stock: Stock,
    /// Rows, with a value or without.
    seen: u64,
}

impl Taker {
    fn take(&mut self, column: SealedColumn, page: &Page) -> Result<(), OpenError> {
        let mut tagger = self.vault.tagger(&self.authenticator);
        for raw in page.rows() {
            self.seen += 1;
            let Some(token) = raw.token else {
                continue;
            };
            let place = Place::new(column, raw.row);
            let kid = match kid(raw) {
                // No engine starts on it, and setting the row aside would move the damage to where `verify` meets it.
                Err(_) if self.every_key_held => {
                    let why = "a key id is not 16 hex digits".to_owned();
                    return Err(OpenError::Corrupt(why));
                }
                kid => kid,
            };
            match kid.and_then(|kid| tagger.tag(&kid, token, &place)) {
                Ok(tag) => {
                    *self.stock.rows.entry(column).or_default() += 1;
                    if column != SealedColumn::KeyCanary {
                        self.inventory.add(&tag);
                    }
                }
                Err(UnsealError::KeyNotHeld(kid)) if self.every_key_held => {
                    return Err(OpenError::KeyNotHeld(kid));
                }
                Err(why) => self.stock.unreadable.push(Unreadable {
                    name: RowName::new(column.table(), place.into_row()),
                    column,
                    why,
                }),
            }
        }
        Ok(())
    }
}

fn kid(raw: RawRow<'_>) -> Result<Kid, UnsealError> {
    let text = std::str::from_utf8(raw.kid).map_err(|_| UnsealError::NotAToken)?;
    text.parse().map_err(|_| UnsealError::NotAToken)
}

/// Token and kid, if they are what they should be.
pub(super) fn sealed(raw: RawRow<'_>) -> Result<Sealed, UnsealError> {
    let token = raw.token.and_then(|token| std::str::from_utf8(token).ok());
    let token = token.ok_or(UnsealError::NotAToken)?;
    Ok(Sealed {
        kid: kid(raw)?,
        token: Token::try_from(token.to_owned())?,
    })
}
