//! Taking stock: every sealed value is opened, and nothing is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::spawn_blocking;
use userengine_rotation::request::RowName;
use userengine_rotation::verdict::Step;

use super::inventory::Inventory;
use super::{Overseer, RotationError};
use crate::store::StoreError;
use crate::store::rotation::{RawRow, Reading, Which};
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

/// Opens every value of the columns with the key that its kid names, in one snapshot.
pub async fn take_stock(
    reading: &mut Reading,
    vault: &Arc<Vault>,
    authenticator: &Authenticator,
    overseer: &Overseer,
    step: Step,
) -> Result<Stock, RotationError> {
    let mut expected = BTreeMap::new();
    for column in SealedColumn::ALL {
        expected.insert(column, reading.count(column).await?);
    }
    let total = expected.values().sum();
    let mut taker = Taker {
        vault: vault.clone(),
        authenticator: authenticator.clone(),
        inventory: Inventory::default(),
        stock: Stock::default(),
        seen: 0,
    };
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
    while let Some(last) = page.last() {
        at(taker.seen)?;
        let (last, full) = (last.cursor.clone(), page.len() == Reading::page_size());
        let opening = spawn_blocking(move || {
            taker.take(column, page);
            taker
        });
        let next = async {
            if full {
                reading.page(column, Some(&last), Which::All).await
            } else {
                Ok(Vec::new())
            }
        };
        let (opened, next) = tokio::join!(opening, next);
        taker = opened.map_err(|_| RotationError::Lost)?;
        page = next?;
    }
    at(taker.seen)?;
    Ok(taker)
}

struct Taker {
    vault: Arc<Vault>,
    authenticator: Authenticator,
    inventory: Inventory,
    stock: Stock,
    seen: u64,
}

impl Taker {
    fn take(&mut self, column: SealedColumn, page: Vec<RawRow>) {
        for raw in page {
            self.seen += 1;
            let place = Place::new(column, raw.row);
            let tag = sealed(&raw.kid, raw.token)
                .and_then(|sealed| self.vault.tag(&sealed, &place, &self.authenticator));
            match tag {
                Ok(tag) => {
                    *self.stock.rows.entry(column).or_default() += 1;
                    if column != SealedColumn::KeyCanary {
                        self.inventory.add(&tag);
                    }
                }
                Err(why) => self.stock.unreadable.push(Unreadable {
                    name: RowName::new(column.table(), place.into_row()),
                    column,
                    why,
                }),
            }
        }
    }
}

/// Token and kid, if they are what they should be.
pub(super) fn sealed(kid: &str, token: Vec<u8>) -> Result<Sealed, UnsealError> {
    let token = String::from_utf8(token).map_err(|_| UnsealError::NotAToken)?;
    Ok(Sealed {
        kid: kid.parse().map_err(|_| UnsealError::NotAToken)?,
        token: Token::try_from(token)?,
    })
}
