//! `POST /admin/reload-catalog`: reads the catalog again, all or nothing.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::error::{ApiError, ErrorBody};
use crate::state::App;

/// What a reload changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reloaded {
    /// How many servers there are now.
    pub servers: usize,
    /// The names of those that are new, changed or gone.
    pub changed: Vec<String>,
}

/// Reads the files of the catalog again.
///
/// The engine also does so by itself within two seconds of a change; this call tells what came of it. A mistake changes nothing:
/// `details.problems` names each with its file, entry and field.
#[utoipa::path(
    post,
    path = "/admin/reload-catalog",
    operation_id = "reload_catalog",
    tag = "admin",
    responses(
        (status = 200, description = "The catalog is what the files say.", body = Reloaded),
        (status = 401, description = "`INVALID_KEY`", body = ErrorBody),
        (status = 422, description = "`CATALOG_INVALID`: nothing was changed.", body = ErrorBody),
    ),
)]
pub(in crate::http) async fn post(State(app): State<App>) -> Result<Json<Reloaded>, ApiError> {
    let catalog = app.assets.catalog.clone();
    let reloaded = tokio::task::spawn_blocking(move || {
        let changed = catalog.reload()?;
        Ok::<_, crate::catalog::ReloadError>((catalog.current().servers.len(), changed))
    });
    let (servers, changed) = reloaded.await.map_err(ApiError::internal)??;
    Ok(Json(Reloaded {
        servers,
        changed: changed.iter().map(ToString::to_string).collect(),
    }))
}
