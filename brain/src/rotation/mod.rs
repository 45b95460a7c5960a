//! The change of a brain's key, from the inside: what runs while the engine is stopped.
//!
//! [`migrate`] checks everything, takes the epoch, and seals every value anew; [`verify`] opens everything with the new key
//! alone and writes the certificate. Both may be killed at any instruction and run again.

mod certificate;
mod check;
mod error;
mod inspect;
mod inventory;
mod migrate;
mod overseer;
mod room;
mod standing;
mod sweep;
mod task;
mod verify;

pub use certificate::{CertificateError, seal_certificate, verify_certificate};
pub use check::{Stock, Stocktaking, Unreadable, take_stock};
pub use error::RotationError;
pub use inspect::{Findings, inspect};
pub use migrate::migrate;
pub use overseer::Overseer;
pub use standing::{Standing, standing};
pub use task::Task;
pub use verify::verify;
