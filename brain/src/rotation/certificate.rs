//! The certificate: made, and checked by whoever has the key.

use userengine_api::hex::hex;
use userengine_api::key::Kid;
use userengine_rotation::verdict::Certificate;

use crate::store::StoreError;
use crate::store::rotation::{Entry, Event};
use crate::vault::{Purpose, Tag, Vault};

/// What is wrong with a certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It is no certificate, or one of a later form.
    #[error("it is not a certificate that this engine knows: {0}")]
    Form(String),
    /// The inventories differ.
    #[error("it says itself that the values changed")]
    Inventories,
    /// The key is missing.
    #[error("the ring lacks the key {0}, under which it was made")]
    KeyNotHeld(Kid),
    /// It was altered.
    #[error("its signature does not fit: it was altered, or made with another key")]
    Signature,
    /// It is of another brain.
    #[error("it is of the brain {found}: expected {expected}")]
    OtherBrain {
        /// In the certificate.
        found: String,
        /// The brain's.
        expected: String,
    },
    /// The brain's log does not have it.
    #[error("the brain's rotation log does not have it")]
    NotInLog,
    /// The brain's log was altered, or cannot be read.
    #[error("the brain's rotation log: {0}")]
    Log(#[from] StoreError),
}

/// Version of the form that is made here.
pub(super) const VERSION: u8 = 1;

/// Signs a certificate. `None` if the ring lacks the key that it vouches for.
pub fn seal_certificate(vault: &Vault, mut certificate: Certificate) -> Option<Certificate> {
    let authenticator = vault.authenticator(&certificate.to, Purpose::Certificate)?;
    certificate.mac = hex(&authenticator.tag(&signed(&certificate)));
    Some(certificate)
}

/// Checks form and signature, and that the brain's log has it if the log is given.
pub fn verify_certificate(
    text: &str,
    vault: &Vault,
    log: Option<(&str, &[Entry])>,
) -> Result<Certificate, CertificateError> {
    let certificate: Certificate =
        serde_json::from_str(text).map_err(|error| CertificateError::Form(error.to_string()))?;
    if certificate.version != VERSION {
        let found = format!("version {}, expected {VERSION}", certificate.version);
        return Err(CertificateError::Form(found));
    }
    if certificate.inventory_before != certificate.inventory_after {
        return Err(CertificateError::Inventories);
    }
    let authenticator = vault
        .authenticator(&certificate.to, Purpose::Certificate)
        .ok_or_else(|| CertificateError::KeyNotHeld(certificate.to.clone()))?;
    let tag = parse(&certificate.mac).ok_or(CertificateError::Signature)?;
    if !authenticator.fits(&signed(&certificate), &tag) {
        return Err(CertificateError::Signature);
    }
    if let Some((brain, entries)) = log {
        find(&certificate, brain, entries)?;
    }
    Ok(certificate)
}

/// The entries are a chain: that was checked when they were read.
fn find(certificate: &Certificate, brain: &str, entries: &[Entry]) -> Result<(), CertificateError> {
    if certificate.database_id != brain {
        return Err(CertificateError::OtherBrain {
            found: certificate.database_id.clone(),
            expected: brain.to_owned(),
        });
    }
    let holds = |entry: &&Entry| {
        entry.event == Event::Certified
            && entry.previous == certificate.previous
            && serde_json::from_str(&entry.details).ok().as_ref() == Some(certificate)
    };
    entries
        .iter()
        .find(holds)
        .map(drop)
        .ok_or(CertificateError::NotInLog)
}

/// Everything but the signature, as JSON with the fields in their order.
fn signed(certificate: &Certificate) -> Vec<u8> {
    let unsigned = Certificate {
        mac: String::new(),
        ..certificate.clone()
    };
    serde_json::to_vec(&unsigned).unwrap_or_default()
}

fn parse(hex: &str) -> Option<Tag> {
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(digits).collect();
    bytes?.try_into().ok()
}
