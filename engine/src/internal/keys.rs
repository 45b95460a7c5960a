//! `GET /keys`: which keys this engine holds and uses. Ids and counts, never a key.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use userengine_api::key::Kid;

use super::Internal;
use crate::domain::DatabaseId;
use crate::http::error::ApiError;
use crate::store::LastVerify;

/// The answer of `GET /keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The engine's version.
    pub version: String,
    /// The id that the brain carries.
    pub database_id: DatabaseId,
    /// The keys in the ring, in order.
    pub held_kids: Vec<Kid>,
    /// The key that seals.
    pub write_kid: Kid,
    /// Sealed values by key, over all sealed columns and the quarantine. A key without a value is absent.
    pub rows_by_kid: BTreeMap<Kid, u64>,
    /// When all values last opened with one key alone, and which; `null` if never.
    pub last_verify: Option<LastVerify>,
    /// The first 8 hex digits of the SHA-256 of each accepted API key, the current one first.
    pub api_key_hashes: Vec<String>,
    /// How often the brain was opened, this time included.
    pub open_count: u64,
    /// When this process had the brain open.
    pub started_at: Timestamp,
}

pub(super) async fn get(State(internal): State<Internal>) -> Result<Json<Keys>, ApiError> {
    let app = internal.app()?;
    let report = app.store.key_report().await.map_err(ApiError::internal)?;
    let identity = app.store.identity();
    Ok(Json(Keys {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database_id: identity.database_id.clone(),
        held_kids: app.vault.held(),
        write_kid: report.write_kid,
        rows_by_kid: report.rows_by_kid,
        last_verify: report.last_verify,
        api_key_hashes: app.access.current().short(),
        open_count: identity.open_count,
        started_at: app.started_at,
    }))
}
