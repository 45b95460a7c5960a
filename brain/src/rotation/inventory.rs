//! The inventory: one digest over every place and value, which tells whether all values are still what they were without
//! keeping any of them.

use sha2::{Digest, Sha256};
use userengine_api::hex::hex;

use crate::vault::Tag;

/// The sum of all tags: the same in whichever order the rows were met, and memory stays flat. Whoever lacks the key cannot
/// tell a tag from noise, so nobody finds other values with the same sum.
#[derive(Debug, Clone, Default)]
pub(super) struct Inventory {
    sum: [u64; 4],
    values: u64,
}

impl Inventory {
    /// Adds one value by the tag of its plaintext, which names its place. The tag tells it apart from every other value to
    /// whoever has the key, and nothing to anybody else.
    pub(super) fn add(&mut self, tag: &Tag) {
        let (parts, _) = tag.as_chunks();
        for (sum, part) in self.sum.iter_mut().zip(parts) {
            *sum = sum.wrapping_add(u64::from_be_bytes(*part));
        }
        self.values += 1;
    }

    /// The digest in hex.
    pub(super) fn root(self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.values.to_be_bytes());
        for part in self.sum {
            digest.update(part.to_be_bytes());
        }
        hex(digest.finalize().iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(tags: &[u8]) -> String {
        let mut inventory = Inventory::default();
        for tag in tags {
            inventory.add(&[*tag; 32]);
        }
        inventory.root()
    }

    #[test]
    fn knows_values_in_any_order_and_misses_each_that_changed_came_or_went() {
        let before = root(&[1, 2, 255]);
        assert_eq!(root(&[255, 1, 2]), before);
        let none: &[u8] = &[];
        let zero: &[u8] = &[0];
        for other in [
            &[1, 2][..],
            &[1, 2, 254],
            &[1, 2, 255, 0],
            &[2, 2, 255],
            zero,
            none,
        ] {
            assert_ne!(root(other), before, "{other:?}");
        }
        // The last two differ by a tag that adds nothing.
        assert_ne!(root(zero), root(none));
    }
}
