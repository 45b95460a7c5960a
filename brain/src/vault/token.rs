//! A Fernet token, parsed strictly.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use super::UnsealError;

/// Version, time, initial vector and signature.
const FRAME_BYTES: usize = 1 + 8 + 16 + 32;
const BLOCK_BYTES: usize = 16;
const VERSION: u8 = 0x80;

/// The text of a token in its one canonical form. That it is a token says nothing of its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// What a cipher just made.
    pub(super) fn made(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Token {
    type Error = UnsealError;

    /// The crate's own decoder also takes unpadded and otherwise sloppy text, which Python then does not read.
    fn try_from(text: String) -> Result<Self, UnsealError> {
        let bytes = URL_SAFE.decode(&text).map_err(|_| UnsealError::NotAToken)?;
        let cipher_bytes = bytes
            .len()
            .checked_sub(FRAME_BYTES)
            .ok_or(UnsealError::NotAToken)?;
        let whole_blocks = cipher_bytes >= BLOCK_BYTES && cipher_bytes.is_multiple_of(BLOCK_BYTES);
        if bytes.first() == Some(&VERSION) && whole_blocks {
            Ok(Self(text))
        } else {
            Err(UnsealError::NotAToken)
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} characters)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_the_specification_calls_invalid_or_we_call_sloppy() {
        let good = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
        assert!(Token::try_from(good.to_owned()).is_ok());
        let cases = [
            String::new(),
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==".replace('g', "h"),
            good.trim_end_matches('=').to_owned(),
            format!("{good}\n"),
            good.replace("DA==", "DB=="),
            good.replace('_', "/"),
            good[..96].to_owned(),
            good[..72].to_owned(),
        ];
        for text in cases {
            assert_eq!(
                Token::try_from(text.clone()),
                Err(UnsealError::NotAToken),
                "{text:?}"
            );
        }
    }
}
