//! `GET /tools`: the tools of all connections.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::ToolClass;
use crate::http::error::ErrorBody;
use crate::state::App;

/// Names the connections whose tools nobody knows.
const MISSING: HeaderName = HeaderName::from_static("x-engine-tools-missing");

/// A tool, as a model needs to know it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToolBody {
    /// `<alias>.<action>`.
    pub name: String,
    /// The server's title.
    #[schema(nullable = false)]
    pub title: Option<String>,
    /// The catalog's description, or the server's.
    pub description: String,
    /// JSON Schema of the arguments.
    #[schema(value_type = Object)]
    pub input_schema: Value,
    /// JSON Schema of the result's `structuredContent`.
    #[schema(value_type = Option<Object>, nullable = false)]
    pub output_schema: Option<Value>,
    /// The server's hints. Nothing that the engine relies on, unless the catalog says so.
    #[schema(value_type = Option<Object>, nullable = false)]
    pub annotations: Option<Value>,
    /// `read` or `write`.
    #[schema(value_type = String)]
    pub class: ToolClass,
    /// The server changed the definition. The old one stays in force, as a write, until the new one is accepted.
    #[schema(required = false, default = false)]
    pub changed: bool,
}

/// Lists the tools of all connections that work, by alias and name.
///
/// A list that is known is given at once, however old, and renewed in the background. A connection whose list is not
/// known yet is waited for up to 10 seconds; then its alias is in the header `x-engine-tools-missing` instead.
#[utoipa::path(
    get,
    path = "/tools",
    operation_id = "list_tools",
    tag = "tools",
    responses(
        (status = 200, description = "The tools.", body = [ToolBody],
         headers(("x-engine-tools-missing" = String, description = "Aliases whose tools are not known, separated by commas."))),
        (status = 401, description = "`INVALID_KEY`", body = ErrorBody),
    ),
)]
pub(in crate::http) async fn get(State(app): State<App>) -> Response {
    let listed = app.assets.tools().await;
    let mut body = String::from("[");
    for (index, tool) in listed.tools().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(tool.get());
    }
    body.push(']');
    let json = HeaderValue::from_static("application/json");
    let mut response = ([(CONTENT_TYPE, json)], body).into_response();
    if !listed.missing.is_empty()
        && let Ok(missing) = HeaderValue::from_str(&listed.missing.join(", "))
    {
        response.headers_mut().insert(MISSING, missing);
    }
    response
}
