//! `GET /audit`: what was done, newest first.

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, ErrorBody};
use crate::assets::AssetError;
use crate::state::App;
use crate::store::AuditRow;

const MOST: u32 = 500;
const DEFAULT: u32 = 50;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Only rows with a smaller id: `next_before` of the page before.
    #[param(minimum = 1)]
    before: Option<i64>,
    /// Rows on the page, 1 to 500; default 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// A page of the audit.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// The rows, newest first.
    rows: Vec<AuditEntry>,
    /// For the next page; `null` on the last.
    next_before: Option<i64>,
}

/// One row. Arguments, results, tokens and codes are never in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Grows with time.
    id: i64,
    /// When it happened; of a call, when it began.
    #[schema(format = DateTime)]
    at: String,
    /// `tool_call`, `tool_changed`, `tool_accepted`, `connected`, `disconnected`, `expired`, `revoked`, `refresh_failed`,
    /// `revocation`, `scope_missing` or `catalog_reloaded`.
    kind: String,
    /// The connection.
    ref_id: Option<String>,
    /// The server of the connection.
    server_name: Option<String>,
    /// The tool.
    tool: Option<String>,
    /// `ok`; `error` if the tool failed; `cancelled` if the caller went away; a code of this API; `started` while a write
    /// runs, and for ever if the engine ended before it did: then nobody knows whether it ran.
    outcome: String,
    /// How long it took.
    duration_ms: Option<i64>,
    /// `x-request-id` of the request that caused it.
    request_id: Option<String>,
    /// More about it, by kind.
    #[schema(value_type = Object)]
    details: Box<RawValue>,
}

/// Lists what was done. Kept are 90 days and 1,000,000 rows. Reads appear within 50 ms.
#[utoipa::path(
    get,
    path = "/audit",
    operation_id = "audit",
    tag = "audit",
    params(PageQuery),
    responses(
        (status = 200, description = "A page.", body = AuditPage),
        (status = 401, description = "`INVALID_KEY`", body = ErrorBody),
        (status = 422, description = "`INVALID_REQUEST`", body = ErrorBody),
    ),
)]
pub(super) async fn get(
    State(app): State<App>,
    query: Result<Query<PageQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<AuditPage>, ApiError> {
    let invalid = |field: &'static str, problem: &str| AssetError::Invalid {
        field: field.into(),
        problem: problem.to_owned(),
    };
    let Query(query) = query.map_err(|_| {
        invalid(
            "query",
            "expected before=<id> and limit=<number>, and nothing else",
        )
    })?;
    if query.before.is_some_and(|before| before < 1) {
        return Err(invalid("before", "expected 1 or more").into());
    }
    let limit = query.limit.unwrap_or(DEFAULT);
    if !(1..=MOST).contains(&limit) {
        return Err(invalid("limit", "expected 1 to 500").into());
    }
    let rows = app.store.audit_page(query.before, limit).await;
    let rows = rows.map_err(AssetError::from)?;
    let full = rows.len() == usize::try_from(limit).unwrap_or_default();
    let next_before = rows.last().filter(|_| full).map(|row| row.id);
    let rows = rows.into_iter().map(entry).collect::<Result<_, _>>();
    Ok(Json(AuditPage {
        rows: rows.map_err(ApiError::internal)?,
        next_before,
    }))
}

fn entry(row: AuditRow) -> Result<AuditEntry, serde_json::Error> {
    Ok(AuditEntry {
        id: row.id,
        at: row.at,
        kind: row.kind,
        ref_id: row.ref_id,
        server_name: row.server_name,
        tool: row.tool,
        outcome: row.outcome,
        duration_ms: row.duration_ms,
        request_id: row.request_id,
        details: RawValue::from_string(row.details)?,
    })
}
