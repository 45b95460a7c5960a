//! What a change of the key does to a value, and how values are looked at without being read.

use userengine_api::key::Kid;

use super::cipher::Opened;
use super::{Authenticator, Place, ResealError, Sealed, Tag, UnsealError, Vault, envelope};

/// Opens values one after the other, to tell each by a tag. What was in the last is wiped on drop.
pub struct Tagger<'a> {
    vault: &'a Vault,
    authenticator: &'a Authenticator,
    opened: Opened,
}

impl Tagger<'_> {
    /// Opens a value at its place, as [`Vault::open`] does, whatever it looks like, and tells what is in it only as a tag.
    pub fn tag(&mut self, kid: &Kid, token: &[u8], place: &Place) -> Result<Tag, UnsealError> {
        let plaintext = self.vault.decrypt(kid, token, &mut self.opened)?;
        envelope::check(plaintext, place)?;
        Ok(self.authenticator.tag(plaintext))
    }
}

impl Vault {
    /// Makes tags with this authenticator.
    pub fn tagger<'a>(&'a self, authenticator: &'a Authenticator) -> Tagger<'a> {
        Tagger {
            vault: self,
            authenticator,
            opened: Opened::default(),
        }
    }

    /// Seals a value anew, and opens what it sealed before it gives it out: bytes that replace a credential have been
    /// seen to open to that credential.
    pub fn reseal(&self, sealed: &Sealed, place: &Place, to: &Kid) -> Result<Sealed, ResealError> {
        let (mut opened, mut reopened) = (Opened::default(), Opened::default());
        let plaintext = self.decrypt(&sealed.kid, sealed.token.as_bytes(), &mut opened)?;
        envelope::check(plaintext, place)?;
        let token = self.sealing(to)?.seal(plaintext, self.now())?;
        // How long this takes tells nobody anything: both sides were sealed here, and they are equal.
        if self.decrypt(to, token.as_bytes(), &mut reopened)? == plaintext {
            Ok(Sealed {
                kid: to.clone(),
                token,
            })
        } else {
            Err(ResealError::Differs(to.clone()))
        }
    }

    /// The key of the ring that sealed this text, if one did.
    pub fn sealed_by(&self, text: &str) -> Option<&Kid> {
        let mut opened = Opened::default();
        let mut opens = |held: &super::Held| held.cipher.open(text.as_bytes(), &mut opened).is_ok();
        let found = self.keys.iter().find(|(_, held)| opens(held));
        found.map(|(kid, _)| kid)
    }
}
