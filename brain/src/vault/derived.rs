//! Keys that are derived from a key of the ring, and what they vouch for.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use userengine_api::key::{KEY_BYTES, Kid};
use zeroize::Zeroizing;

use super::Vault;

/// 32 bytes that only the holder of the key could have made.
pub type Tag = [u8; 32];

/// What a derived key is for. Each has its own, so that a tag made for one says nothing elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Telling that a value is still the same, without keeping the value.
    Inventory,
    /// Vouching for a certificate.
    Certificate,
}

impl Purpose {
    /// Changing a label makes every certificate in the world invalid.
    fn label(self) -> &'static [u8] {
        match self {
            Self::Inventory => b"userengine.dev/inventory/v1",
            Self::Certificate => b"userengine.dev/certificate/v1",
        }
    }
}

/// Makes tags: HMAC-SHA256 under a key that HKDF-SHA256 derived (RFC 5869).
#[derive(Clone)]
pub struct Authenticator(Hmac<Sha256>);

impl Authenticator {
    /// The tag of these bytes.
    pub fn tag(&self, bytes: &[u8]) -> Tag {
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// Is it the tag of these bytes? Compared in constant time.
    pub fn fits(&self, bytes: &[u8], tag: &Tag) -> bool {
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac.verify_slice(tag).is_ok()
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator")
    }
}

impl Vault {
    /// The authenticator of one key of the ring; `None` if the ring lacks it.
    pub fn authenticator(&self, kid: &Kid, purpose: Purpose) -> Option<Authenticator> {
        let held = self.keys.get(kid)?;
        let mut derived = Zeroizing::new([0; KEY_BYTES]);
        let expanded = Hkdf::<Sha256>::new(None, held.key.bytes())
            .expand(purpose.label(), derived.as_mut_slice());
        let mac = Hmac::<Sha256>::new_from_slice(derived.as_slice());
        let (Ok(()), Ok(mac)) = (expanded, mac) else {
            unreachable!("32 bytes are no more than HKDF gives and no fewer than HMAC takes")
        };
        Some(Authenticator(mac))
    }
}

#[cfg(test)]
mod tests {
    use userengine_api::hex::hex;
    use userengine_api::key::EncryptionKey;

    use super::*;
    use crate::clock::Clock;
    use crate::ring::{Ring, RingConfig};

    /// Computed with HMAC-SHA256 of Python's standard library, as RFC 5869 and RFC 2104 have it.
    #[test]
    fn tags_are_what_they_were_in_every_version() {
        let key = EncryptionKey::from_bytes([1; KEY_BYTES]);
        let kid = key.kid();
        let ring = Ring::load(RingConfig::Single(key)).unwrap();
        let vault = Vault::new(&ring, Clock::manual(jiff::Timestamp::UNIX_EPOCH));
        for (purpose, expected) in [
            (
                Purpose::Inventory,
                "7d9bad9bcef72eade75147ccdbfcfc46a944692146010ca655ceb89de7123eed",
            ),
            (
                Purpose::Certificate,
                "e756881d5b7da7879d29f70c0d1250a99f8192dcd4bfd2e4ef805af97a258a3d",
            ),
        ] {
            let authenticator = vault.authenticator(&kid, purpose).unwrap();
            let tag = authenticator.tag(b"abc");
            assert_eq!(hex(&tag), expected, "{purpose:?}");
            assert!(authenticator.fits(b"abc", &tag) && !authenticator.fits(b"abd", &tag));
            assert_eq!(format!("{authenticator:?}"), "Authenticator");
        }
    }
}
