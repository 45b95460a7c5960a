//! `engine keygen`.

use std::process::ExitCode;

use userengine_api::key::{EncryptionKey, KEY_BYTES};
use zeroize::Zeroizing;

/// Prints a new key. A random source that fails prints nothing: half a key in a Secret is worse than none.
pub(super) fn keygen() -> ExitCode {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    if let Err(error) = getrandom::fill(bytes.as_mut_slice()) {
        eprintln!("engine keygen: failed to get random bytes: {error}");
        return ExitCode::FAILURE;
    }
    println!("{}", *EncryptionKey::from_bytes(*bytes).text());
    ExitCode::SUCCESS
}
