//! The vault: the only place that seals and opens.
//!
//! A sealed value is a [Fernet token](https://github.com/fernet/spec/blob/master/Spec.md) with the id of its key
//! beside it. Fernet binds nothing but the bytes, so the plaintext inside names its own place,
//! `{"for": "<table>.<column>/<row id>", "v": …}`: a token copied to another row does not open there.

mod cipher;
mod derived;
mod envelope;
mod error;
mod place;
mod reseal;
mod token;

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;
use userengine_api::key::{EncryptionKey, Kid};

pub use derived::{Authenticator, Purpose, Tag};
pub use error::{ResealError, SealError, UnsealError};
pub use place::{Place, SealedColumn};
pub use reseal::Tagger;
pub use token::Token;

use crate::clock::Clock;
use crate::ring::Ring;
use cipher::{Cipher, Opened, Shut};

/// A value as the brain keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The key it is sealed with.
    pub kid: Kid,
    /// The Fernet token.
    pub token: Token,
}

/// The ring, ready for use.
pub struct Vault {
    keys: BTreeMap<Kid, Held>,
    clock: Clock,
}

/// One key of the ring.
struct Held {
    cipher: Cipher,
    key: EncryptionKey,
}

impl Vault {
    /// A vault with these keys.
    pub fn new(ring: &Ring, clock: Clock) -> Self {
        Self {
            keys: ring
                .iter()
                .map(|(kid, key)| (kid.clone(), Held::new(key)))
                .collect(),
            clock,
        }
    }

    /// Is this key in the ring?
    pub fn holds(&self, kid: &Kid) -> bool {
        self.keys.contains_key(kid)
    }

    /// The ids of all keys in the ring, in order.
    pub fn held(&self) -> Vec<Kid> {
        self.keys.keys().cloned().collect()
    }

    /// The only key, if the ring has just one.
    pub fn only(&self) -> Option<&Kid> {
        let mut kids = self.keys.keys();
        match (kids.next(), kids.next()) {
            (Some(kid), None) => Some(kid),
            _ => None,
        }
    }

    /// Seals a value for one place. Which key seals is read from the brain, in the transaction that stores the result.
    pub fn seal(
        &self,
        kid: &Kid,
        place: &Place,
        value: &SecretString,
    ) -> Result<Sealed, SealError> {
        let plaintext = envelope::write(place, value)?;
        Ok(Sealed {
            kid: kid.clone(),
            token: self.sealing(kid)?.seal(&plaintext, self.now())?,
        })
    }

    /// Opens a value, with the key that its kid names and no other, at the place where it lies.
    pub fn open(&self, sealed: &Sealed, place: &Place) -> Result<SecretString, UnsealError> {
        let mut opened = Opened::default();
        let plaintext = self.decrypt(&sealed.kid, sealed.token.as_bytes(), &mut opened)?;
        envelope::read(plaintext, place)
    }

    fn decrypt<'a>(
        &self,
        kid: &Kid,
        token: &[u8],
        opened: &'a mut Opened,
    ) -> Result<&'a [u8], UnsealError> {
        let held = self.keys.get(kid);
        let held = held.ok_or_else(|| UnsealError::KeyNotHeld(kid.clone()))?;
        held.cipher.open(token, opened).map_err(|shut| match shut {
            Shut::NotAToken => UnsealError::NotAToken,
            Shut::WrongKey => UnsealError::WrongKey(kid.clone()),
        })
    }

    fn sealing(&self, kid: &Kid) -> Result<&Cipher, SealError> {
        self.keys
            .get(kid)
            .map(|held| &held.cipher)
            .ok_or_else(|| SealError::KeyNotHeld(kid.clone()))
    }

    /// Unix seconds.
    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_second()).unwrap_or_default()
    }
}

impl Held {
    fn new(key: &EncryptionKey) -> Self {
        Self {
            cipher: Cipher::new(key),
            key: key.clone(),
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.held()).finish()
    }
}

#[cfg(test)]
mod tests;
