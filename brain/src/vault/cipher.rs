//! One key at work: which bytes of a [Fernet token](https://github.com/fernet/spec/blob/master/Spec.md) are made of which.
//! The primitives are libraries'; both keys are prepared once, and a token is opened where it was decoded to.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use base64::Engine as _;
use base64::engine::{Simd, general_purpose::PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use userengine_api::key::EncryptionKey;
use zeroize::Zeroizing;

use super::token::{BLOCK_BYTES, HEAD_BYTES, IV_BYTES, SIGNATURE_BYTES, VERSION, is_whole};
use super::{SealError, Token};

/// The two halves of a key.
pub(super) struct Cipher {
    signing: Hmac<Sha256>,
    encryption: Aes128,
    base64: Simd,
}

/// Why a token did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shut {
    /// It is none.
    NotAToken,
    /// The signature does not fit, or what is signed is not padded.
    WrongKey,
}

/// Where a token is opened. May be used again for the next; wiped on drop.
pub(super) type Opened = Zeroizing<Vec<u8>>;

impl Cipher {
    pub(super) fn new(key: &EncryptionKey) -> Self {
        let (signing, encryption) = key.bytes().split_at(BLOCK_BYTES);
        let signing = Hmac::new_from_slice(signing);
        let encryption = Aes128::new_from_slice(encryption);
        let (Ok(signing), Ok(encryption)) = (signing, encryption) else {
            unreachable!("HMAC takes a key of any length, and 16 bytes are a key of AES-128")
        };
        Self {
            signing,
            encryption,
            base64: Simd::url_safe(PAD),
        }
    }

    /// Seals at this time, in Unix seconds.
    pub(super) fn seal(&self, plaintext: &[u8], time: u64) -> Result<Token, SealError> {
        let mut iv = [0; IV_BYTES];
        getrandom::fill(&mut iv).map_err(|_| SealError::Cipher)?;
        self.seal_from(plaintext, time, iv)
    }

    fn seal_from(
        &self,
        plaintext: &[u8],
        time: u64,
        iv: [u8; IV_BYTES],
    ) -> Result<Token, SealError> {
        let padded = (plaintext.len() / BLOCK_BYTES + 1) * BLOCK_BYTES;
        let start = HEAD_BYTES + IV_BYTES;
        let mut frame = Vec::with_capacity(start + padded + SIGNATURE_BYTES);
        frame.push(VERSION);
        frame.extend_from_slice(&time.to_be_bytes());
        frame.extend_from_slice(&iv);
        frame.resize(start + padded, 0);
        let room = frame.get_mut(start..).unwrap_or_default();
        cbc::Encryptor::inner_iv_init(&self.encryption, &iv.into())
            .encrypt_padded_b2b::<Pkcs7>(plaintext, room)
            .map_err(|_| SealError::Cipher)?;
        let signature = self.signing.clone().chain_update(&frame).finalize();
        frame.extend_from_slice(&signature.into_bytes());
        Ok(Token::made(self.base64.encode(&frame)))
    }

    /// Opens a token of any age; gives what is in it. The signature is compared in constant time.
    pub(super) fn open<'a>(&self, token: &[u8], opened: &'a mut Opened) -> Result<&'a [u8], Shut> {
        // Growing in place would leave behind what was in it.
        if opened.capacity() < token.len() {
            *opened = Zeroizing::new(Vec::with_capacity(token.len()));
        }
        opened.clear();
        let decoded = self.base64.decode_vec(token, opened);
        decoded.map_err(|_| Shut::NotAToken)?;
        if opened.first() != Some(&VERSION) || !is_whole(opened.len()) {
            return Err(Shut::NotAToken);
        }
        let split = opened.split_last_chunk_mut::<SIGNATURE_BYTES>();
        let (signed, signature) = split.ok_or(Shut::NotAToken)?;
        let mac = self.signing.clone().chain_update(&*signed);
        mac.verify_slice(signature).map_err(|_| Shut::WrongKey)?;
        let (_, rest) = signed
            .split_at_mut_checked(HEAD_BYTES)
            .ok_or(Shut::NotAToken)?;
        let split = rest.split_first_chunk_mut::<IV_BYTES>();
        let (iv, sealed) = split.ok_or(Shut::NotAToken)?;
        cbc::Decryptor::inner_iv_init(&self.encryption, &(*iv).into())
            .decrypt_padded::<Pkcs7>(sealed)
            .map_err(|_| Shut::WrongKey)
    }
}

#[cfg(test)]
mod tests {
    use fernet::Fernet;
    use userengine_api::key::KEY_BYTES;

    use super::*;

    fn key(byte: u8) -> EncryptionKey {
        EncryptionKey::from_bytes([byte; KEY_BYTES])
    }

    fn open(key: &EncryptionKey, token: &str) -> Result<Vec<u8>, Shut> {
        let mut opened = Opened::default();
        let cipher = Cipher::new(key);
        cipher
            .open(token.as_bytes(), &mut opened)
            .map(<[u8]>::to_vec)
    }

    #[test]
    fn makes_the_token_of_the_specification_and_opens_it() {
        // https://github.com/fernet/spec/blob/master/generate.json
        let key = EncryptionKey::parse(b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
        let expected = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
        let iv = std::array::from_fn(|byte| u8::try_from(byte).unwrap());
        let made = Cipher::new(&key).seal_from(b"hello", 499_162_800, iv);
        assert_eq!(made.unwrap().as_str(), expected);
        assert_eq!(open(&key, expected).unwrap(), b"hello");
    }

    #[test]
    fn seals_what_another_library_opens_and_opens_what_it_seals() {
        let other = Fernet::new(&key(1).text()).unwrap();
        let cipher = Cipher::new(&key(1));
        for length in (0..70).chain([1000, 1023, 1024, 100_000]) {
            let plaintext: Vec<u8> = (0..=250).cycle().take(length).collect();
            let token = cipher.seal(&plaintext, 1_000_000_000).unwrap();
            assert_eq!(other.decrypt(token.as_str()).unwrap(), plaintext);
            assert_eq!(
                open(&key(1), &other.encrypt(&plaintext)).unwrap(),
                plaintext
            );
        }
    }

    #[test]
    fn a_buffer_with_room_is_used_again_and_another_never_grows_in_place() {
        let cipher = Cipher::new(&key(1));
        let token = cipher.seal(b"a secret", 0).unwrap();
        let token = token.as_str().as_bytes();
        for room in [token.len(), token.len() + 1] {
            let mut buffer = Zeroizing::new(Vec::with_capacity(room));
            assert_eq!(buffer.capacity(), room);
            let place = buffer.as_ptr();
            cipher.open(token, &mut buffer).unwrap();
            assert_eq!(buffer.as_ptr(), place, "{room}");
        }
    }

    #[test]
    fn a_changed_token_is_shut_and_is_called_none_exactly_where_the_parser_says_so() {
        let token = Cipher::new(&key(1))
            .seal(b"a secret of 20 bytes", 0)
            .unwrap();
        let token = token.as_str();
        assert_eq!(open(&key(2), token), Err(Shut::WrongKey));
        let (mut none, mut wrong) = (0, 0);
        for (at, _) in token.char_indices() {
            for other in [
                "", "A", "B", "g", "-", "_", "+", "=", "\n", "\0", "é", "AAAA", "AAAAA",
            ] {
                let text = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                let is_token = Token::try_from(text.clone()).is_ok();
                let expected = match (is_token, text == token) {
                    (true, true) => Ok(b"a secret of 20 bytes".to_vec()),
                    (true, false) => Err(Shut::WrongKey),
                    (false, _) => Err(Shut::NotAToken),
                };
                assert_eq!(open(&key(1), &text), expected, "{text:?}");
                none += u32::from(!is_token);
                wrong += u32::from(expected == Err(Shut::WrongKey));
            }
        }
        assert!(none > 500 && wrong > 500, "{none} {wrong}");
    }

    #[test]
    fn one_buffer_serves_one_token_after_the_other() {
        let cipher = Cipher::new(&key(1));
        let mut opened = Opened::default();
        for text in ["short", &"long ".repeat(500), "", "short again"] {
            let token = cipher.seal(text.as_bytes(), 0).unwrap();
            let found = cipher.open(token.as_str().as_bytes(), &mut opened);
            assert_eq!(found, Ok(text.as_bytes()));
            assert_eq!(cipher.open(b"gAAAAA==", &mut opened), Err(Shut::NotAToken));
        }
    }
}
