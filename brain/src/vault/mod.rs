//! The vault: the only place that seals and opens.
//!
//! A sealed value is a [Fernet token](https://github.com/fernet/spec/blob/master/Spec.md) with the id of its key
//! beside it. Fernet binds nothing but the bytes, so the plaintext inside names its own place,
//! `{"for": "<table>.<column>/<row id>", "v": …}`: a token copied to another row does not open there.

mod derived;
mod envelope;
mod error;
mod place;
mod reseal;
mod token;

use std::collections::BTreeMap;
use std::fmt;

use fernet::Fernet;
use secrecy::SecretString;
use userengine_api::key::{EncryptionKey, Kid};
use zeroize::Zeroizing;

pub use derived::{Authenticator, Purpose, Tag};
pub use error::{ResealError, SealError, UnsealError};
pub use place::{Place, SealedColumn};
pub use token::Token;

use crate::clock::Clock;
use crate::ring::Ring;

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
    cipher: Fernet,
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
        let cipher = self.sealing(kid)?;
        let plaintext = envelope::write(place, value)?;
        let token = Token::try_from(cipher.encrypt_at_time(&plaintext, self.now()))
            .map_err(|_| SealError::Cipher)?;
        Ok(Sealed {
            kid: kid.clone(),
            token,
        })
    }

    /// Opens a value, with the key that its kid names and no other, at the place where it lies.
    pub fn open(&self, sealed: &Sealed, place: &Place) -> Result<SecretString, UnsealError> {
        envelope::read(&self.decrypt(sealed)?, place)
    }

    fn decrypt(&self, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        let held = self
            .keys
            .get(&sealed.kid)
            .ok_or_else(|| UnsealError::KeyNotHeld(sealed.kid.clone()))?;
        held.decrypt(sealed.token.as_str())
            .ok_or_else(|| UnsealError::WrongKey(sealed.kid.clone()))
    }

    fn sealing(&self, kid: &Kid) -> Result<&Fernet, SealError> {
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
        let Some(cipher) = Fernet::new(&key.text()) else {
            unreachable!("the canonical text of a key is a Fernet key")
        };
        Self {
            cipher,
            key: key.clone(),
        }
    }

    fn decrypt(&self, token: &str) -> Option<Zeroizing<Vec<u8>>> {
        // The crate calls a token from the future and a token of another key by the same name. We have no use for
        // ages, so the clock is put out of the way: the largest time that it can add its 60 s of skew to.
        let plaintext = self.cipher.decrypt_at_time(token, None, u64::MAX - 60);
        plaintext.ok().map(Zeroizing::new)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.held()).finish()
    }
}

#[cfg(test)]
mod tests;
