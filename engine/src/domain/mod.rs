//! Types of the engine's own words. Names no framework.

mod database_id;
mod key_hash;

pub use database_id::{DatabaseId, DatabaseIdError};
pub use key_hash::{KeyHash, KeyHashes, KeyHashesError, KeyMatch};
