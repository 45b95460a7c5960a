//! Why a value was not sealed or not opened. Nothing here repeats a value, a token or a key.

use userengine_api::key::Kid;

/// Why a value was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key that should seal is not in the ring.
    #[error("failed to seal: the key {0} is not in the ring")]
    KeyNotHeld(Kid),
    /// The value could not be written as JSON.
    #[error("failed to seal: the value could not be encoded")]
    Encode,
    /// The cipher gave no token.
    #[error("failed to seal: the cipher gave no token")]
    Cipher,
}

/// Why a value was not sealed anew. It stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum ResealError {
    /// It did not open with the key it is sealed with.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
    /// The new key did not seal it.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// What was sealed opened to something else: the machine is not to be trusted.
    #[error("failed to seal anew: what was just sealed with the key {0} opened to something else")]
    Differs(Kid),
}

/// Why a value was not opened. The variants ask for different cures, so nothing may mix them up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// The text is not a Fernet token.
    #[error("failed to open: the text is not a Fernet token")]
    NotAToken,
    /// The key that the kid names is not in the ring.
    #[error("failed to open: the key {0} is not in the ring")]
    KeyNotHeld(Kid),
    /// The signature does not fit: another key sealed it, or it was altered.
    #[error("failed to open: the value was not sealed with the key {0}, or it was altered")]
    WrongKey(Kid),
    /// The key fits, and what is inside was not sealed by an engine.
    #[error("failed to open: the content is not in the engine's form")]
    NotAnEnvelope,
    /// The value was sealed for another place.
    #[error("failed to open: the value belongs to another place than {expected}")]
    WrongPlace {
        /// Where it lay.
        expected: String,
    },
}
