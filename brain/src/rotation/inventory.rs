//! The inventory: one digest over every place and value, which tells whether all values are still what they were without
//! keeping any of them.

use sha2::{Digest, Sha256};
use userengine_api::hex::hex;

use crate::vault::{Place, Tag};

/// A digest that grows row by row, in the order of the registry and of the keys, so that memory stays flat.
#[derive(Debug, Clone, Default)]
pub(super) struct Inventory(Sha256);

impl Inventory {
    /// Adds one value. The tag tells it apart from every other value to whoever has the key, and nothing to anybody else.
    pub(super) fn add(&mut self, place: &Place, tag: &Tag) {
        let place = place.to_string();
        let length = u64::try_from(place.len()).unwrap_or(u64::MAX);
        self.0.update(length.to_be_bytes());
        self.0.update(place.as_bytes());
        self.0.update(tag);
    }

    /// The digest in hex.
    pub(super) fn root(self) -> String {
        hex(self.0.finalize().iter())
    }
}
