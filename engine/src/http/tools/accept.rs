//! `GET /tools/changed` and `POST /tools/accept`: tools whose server changed their definition.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::assets::ChangedTool;
use crate::http::body::JsonBody;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::request_id::RequestId;
use crate::state::App;

/// Which definition is accepted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct AcceptBody {
    /// `<alias>.<action>`.
    #[schema(max_length = 256)]
    name: String,
    /// The digest of the definition that the person looked at, from `GET /tools/changed`.
    #[schema(min_length = 64, max_length = 64)]
    digest: String,
}

/// Lists the tools whose definition changed, with the one in force and the one that the server has now.
///
/// For a person's eyes: a changed description is a way to give a model orders.
#[utoipa::path(
    get,
    path = "/tools/changed",
    operation_id = "list_changed_tools",
    tag = "tools",
    responses(
        (status = 200, description = "The changed tools.", body = [ChangedTool]),
        (status = 401, description = "`INVALID_KEY`", body = ErrorBody),
    ),
)]
pub(in crate::http) async fn list(State(app): State<App>) -> Json<Vec<ChangedTool>> {
    Json(app.assets.changed_tools())
}

/// Puts the new definition of a tool in force.
#[utoipa::path(
    post,
    path = "/tools/accept",
    operation_id = "accept_tool",
    tag = "tools",
    request_body = AcceptBody,
    responses(
        (status = 204, description = "In force."),
        (status = 400, description = "`MALFORMED_REQUEST`", body = ErrorBody),
        (status = 401, description = "`INVALID_KEY`", body = ErrorBody),
        (status = 404, description = "`TOOL_NOT_FOUND`", body = ErrorBody),
        (status = 413, description = "`REQUEST_TOO_LARGE`", body = ErrorBody),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`", body = ErrorBody),
        (status = 422, description = "`INVALID_REQUEST`: the server offers another definition by now, or none.", body = ErrorBody),
        (status = 503, description = "`STORAGE_FAILED`", body = ErrorBody),
    ),
)]
pub(in crate::http) async fn post(
    State(app): State<App>,
    Extension(request): Extension<RequestId>,
    JsonBody(body): JsonBody<AcceptBody>,
) -> Result<StatusCode, ApiError> {
    let request = Some(request.as_str());
    app.assets
        .accept_tool(&body.name, &body.digest, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
