//! `GET /openapi.json`: the description of this API, generated from the handlers.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::error::{ApiError, ErrorBody};

#[derive(OpenApi)]
#[openapi(
    info(title = "UserEngine", description = "The HTTP API of one engine."),
    paths(
        super::health::get,
        get,
        super::tools::list::get,
        super::tools::call::post,
        super::tools::accept::list,
        super::tools::accept::post,
        super::events::get,
        super::audit::get,
        super::assets::client_metadata::get,
        super::assets::connect::post,
        super::assets::connections::list,
        super::assets::connections::get,
        super::assets::connections::delete,
        super::assets::callback::get,
        super::assets::servers::list,
        super::admin::reload_catalog::post,
    ),
    components(schemas(ErrorBody)),
    security(("engine_key" = [])),
    modifiers(&KeyScheme),
)]
struct Description;

struct KeyScheme;

impl Modify for KeyScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let key = ApiKeyValue::with_description("X-Engine-Key", "The engine's API key.");
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("engine_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
    }
}

/// The description as JSON.
pub fn document() -> Result<String, serde_json::Error> {
    Description::openapi().to_pretty_json()
}

/// Describes this API.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "engine",
    responses(
        (status = 200, description = "This description."),
        (status = 401, description = "`INVALID_KEY`", body = ErrorBody),
    ),
)]
pub(super) async fn get() -> Result<Response, ApiError> {
    let document = document().map_err(ApiError::internal)?;
    Ok(([(CONTENT_TYPE, "application/json")], document).into_response())
}
