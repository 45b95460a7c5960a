//! What the tests share.

pub mod in_process;
pub mod process;
pub mod request;
pub mod sql;
pub mod volume;

use userengine_api::key::{EncryptionKey, KEY_BYTES};

/// A key of equal bytes, different for each number.
pub fn key(number: u8) -> EncryptionKey {
    EncryptionKey::from_bytes([number; KEY_BYTES])
}

/// The canonical text of the key with this number.
pub fn key_text(number: u8) -> String {
    key(number).text().to_string()
}

/// SHA-256 in hex.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(bytes.as_ref());
    let half = |bytes: &[u8]| u128::from_be_bytes(bytes.try_into().unwrap());
    format!("{:032x}{:032x}", half(&digest[..16]), half(&digest[16..]))
}
