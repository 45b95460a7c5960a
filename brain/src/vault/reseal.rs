//! What a change of the key does to a value, and how values are looked at without being read.

use userengine_api::key::Kid;

use super::{Authenticator, Place, ResealError, Sealed, Tag, Token, UnsealError, Vault, envelope};

impl Vault {
    /// Seals a value anew, and opens what it sealed before it gives it out: bytes that replace a credential have been
    /// seen to open to that credential.
    pub fn reseal(&self, sealed: &Sealed, place: &Place, to: &Kid) -> Result<Sealed, ResealError> {
        let plaintext = self.decrypt(sealed)?;
        envelope::check(&plaintext, place)?;
        let cipher = self.sealing(to)?;
        let anew = Sealed {
            kid: to.clone(),
            token: Token::made(cipher.encrypt_at_time(&plaintext, self.now())),
        };
        let reopened = self.decrypt(&anew)?;
        // How long this takes tells nobody anything: both sides were sealed here, and they are equal.
        if *reopened == *plaintext {
            Ok(anew)
        } else {
            Err(ResealError::Differs(to.clone()))
        }
    }

    /// Opens a value at its place, as [`Vault::open`] does, and tells what is in it only as a tag.
    pub fn tag(
        &self,
        sealed: &Sealed,
        place: &Place,
        authenticator: &Authenticator,
    ) -> Result<Tag, UnsealError> {
        let plaintext = self.decrypt(sealed)?;
        envelope::check(&plaintext, place)?;
        Ok(authenticator.tag(&plaintext))
    }

    /// The key of the ring that sealed this text, if one did.
    pub fn sealed_by(&self, text: &str) -> Option<&Kid> {
        let token = Token::try_from(text.to_owned()).ok()?;
        let opens = |held: &super::Held| held.decrypt(token.as_str()).is_some();
        let found = self.keys.iter().find(|(_, held)| opens(held));
        found.map(|(kid, _)| kid)
    }
}
