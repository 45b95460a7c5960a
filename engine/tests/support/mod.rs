//! What the tests share.

pub mod arbitrary;
pub mod direct;
pub mod faulty;
pub mod front;
pub mod in_process;
pub mod mcp;
pub mod peers;
pub mod process;
pub mod provider;
pub mod request;
pub mod room;
pub mod shell;
pub mod sql;
pub mod volume;

use std::time::Instant;

use userengine_api::key::{EncryptionKey, KEY_BYTES};

/// A key of equal bytes, different for each number.
pub fn key(number: u8) -> EncryptionKey {
    EncryptionKey::from_bytes([number; KEY_BYTES])
}

/// The canonical text of the key with this number.
pub fn key_text(number: u8) -> String {
    key(number).text().to_string()
}

/// Looks again and again until `met`.
pub fn eventually(what: &str, mut met: impl FnMut() -> bool) {
    let started = Instant::now();
    while !met() {
        assert!(
            started.elapsed() < process::DEADLINE,
            "waited too long until {what}"
        );
        std::thread::yield_now();
    }
}

/// SHA-256 in hex.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(bytes.as_ref());
    let half = |bytes: &[u8]| u128::from_be_bytes(bytes.try_into().unwrap());
    format!("{:032x}{:032x}", half(&digest[..16]), half(&digest[16..]))
}
