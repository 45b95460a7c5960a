//! A Fernet token, parsed strictly.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use super::UnsealError;

pub(super) const VERSION: u8 = 0x80;
/// Version and time.
pub(super) const HEAD_BYTES: usize = 1 + 8;
/// The initial vector.
pub(super) const IV_BYTES: usize = 16;
pub(super) const BLOCK_BYTES: usize = 16;
pub(super) const SIGNATURE_BYTES: usize = 32;
/// All but the cipher text.
const FRAME_BYTES: usize = HEAD_BYTES + IV_BYTES + SIGNATURE_BYTES;
/// Base64 writes so many bytes as so many characters.
const QUANTUM_BYTES: usize = 3;
const QUANTUM_CHARS: usize = 4;

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

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl TryFrom<String> for Token {
    type Error = UnsealError;

    /// What is unpadded or otherwise sloppy Python would not read.
    fn try_from(text: String) -> Result<Self, UnsealError> {
        match decoded_bytes(text.as_bytes()) {
            Some(bytes) if is_whole(bytes) => Ok(Self(text)),
            _ => Err(UnsealError::NotAToken),
        }
    }
}

/// How many bytes a strict decoder would give, if they begin with the version. Only both ends are decoded: padding and
/// idle bits are at the last, and whoever opens the token decodes it anyway.
fn decoded_bytes(text: &[u8]) -> Option<usize> {
    let (inner, last) = text.split_last_chunk::<QUANTUM_CHARS>()?;
    let (first, _) = inner.split_first_chunk::<QUANTUM_CHARS>()?;
    let tail = URL_SAFE.decode(last).ok()?;
    let head = URL_SAFE.decode(first).ok()?;
    let whole = inner.len().is_multiple_of(QUANTUM_CHARS);
    let fits = whole && in_alphabet(inner) && head.first() == Some(&VERSION);
    fits.then(|| inner.len() / QUANTUM_CHARS * QUANTUM_BYTES + tail.len())
}

/// Without a way out at the first other character, the compiler looks at many at once.
fn in_alphabet(text: &[u8]) -> bool {
    let ours = |c: &&u8| c.is_ascii_alphanumeric() || matches!(**c, b'-' | b'_');
    text.iter().filter(ours).count() == text.len()
}

/// Has everything in it, and a cipher text of whole blocks.
pub(super) fn is_whole(bytes: usize) -> bool {
    bytes
        .checked_sub(FRAME_BYTES)
        .is_some_and(|cipher| cipher >= BLOCK_BYTES && cipher.is_multiple_of(BLOCK_BYTES))
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

    /// Version, time, vector and signature take 57 bytes, and each block of the cipher 16.
    #[test]
    fn a_token_is_whole_with_a_block_or_more() {
        let whole: Vec<usize> = (0..110).filter(|bytes| is_whole(*bytes)).collect();
        assert_eq!(whole, [73, 89, 105]);
    }

    #[test]
    fn takes_exactly_what_a_strict_decoder_takes() {
        let strict = |text: &str| {
            let bytes = URL_SAFE.decode(text).unwrap_or_default();
            bytes.first() == Some(&VERSION) && is_whole(bytes.len())
        };
        let mut taken = 0;
        for blocks in 0..4 {
            for rest in 0..3 {
                let mut bytes = vec![0xfb; FRAME_BYTES + BLOCK_BYTES * blocks + rest];
                bytes[0] = VERSION;
                let good = URL_SAFE.encode(bytes);
                for (at, _) in good.char_indices() {
                    for other in [
                        "", "A", "B", "g", "-", "_", "+", "/", "=", "==", "\n", "\0", "é", "AAAA",
                    ] {
                        let text = format!("{}{other}{}", &good[..at], &good[at + 1..]);
                        let is_token = Token::try_from(text.clone()).is_ok();
                        assert_eq!(is_token, strict(&text), "{text:?}");
                        taken += u32::from(is_token);
                    }
                }
            }
        }
        assert!(taken > 1000, "{taken}");
    }
}
