//! `POST /tools/call`: calls a tool and gives the server's result as it came.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Extension, http::HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::assets::ToolCall;
use crate::http::body::JsonBody;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::request_id::RequestId;
use crate::state::App;

/// A call.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct CallBody {
    /// `<alias>.<action>`, as `GET /tools` names it.
    #[schema(max_length = 256)]
    name: String,
    /// What the tool's `input_schema` asks for.
    #[serde(default)]
    #[schema(value_type = Object)]
    arguments: Map<String, Value>,
}

/// The result of a call: the server's `CallToolResult`, whole.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what passes through unread")]
pub struct CallResult {
    /// Text, images, audio, resources and links to them.
    #[schema(value_type = Vec<Object>)]
    content: Vec<Value>,
    /// The result as data, where the tool has an `output_schema`.
    #[serde(rename = "structuredContent")]
    #[schema(rename = "structuredContent", value_type = Option<Object>)]
    structured_content: Option<Value>,
    /// The tool ran and failed; `content` says why.
    #[schema(rename = "isError")]
    is_error: Option<bool>,
}

/// Calls a tool, once. A call that may have run is never sent again.
#[utoipa::path(
    post,
    path = "/tools/call",
    operation_id = "call_tool",
    tag = "tools",
    request_body = CallBody,
    responses(
        (status = 200, description = "The server's result. `isError` tells whether the tool itself failed.", body = CallResult),
        (status = 400, description = "`MALFORMED_REQUEST`", body = ErrorBody),
        (status = 401, description = "`INVALID_KEY`, or `MCP_TOKEN_EXPIRED`: connect again.", body = ErrorBody),
        (status = 403, description = "`MCP_SCOPE_MISSING`, with the missing scopes and where a person grants them.", body = ErrorBody),
        (status = 404, description = "`TOOL_NOT_FOUND`", body = ErrorBody),
        (status = 413, description = "`REQUEST_TOO_LARGE`", body = ErrorBody),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`", body = ErrorBody),
        (status = 422, description = "`INVALID_ARGUMENTS`, with the path in `details.path`, or `INVALID_REQUEST`.", body = ErrorBody),
        (status = 429, description = "`RATE_LIMITED`: the engine's own limit of calls at once.", body = ErrorBody),
        (status = 502, description = "`MCP_CONNECTION_FAILED`, with `details.reason` and `details.retry_after`.", body = ErrorBody),
        (status = 503, description = "`SERVER_UNAVAILABLE`, `AUDIT_UNAVAILABLE`, `STORAGE_FAILED` or `NOT_READY`.", body = ErrorBody),
    ),
)]
pub(in crate::http) async fn post(
    State(app): State<App>,
    Extension(request): Extension<RequestId>,
    JsonBody(body): JsonBody<CallBody>,
) -> Result<Response, ApiError> {
    let call = ToolCall {
        name: body.name,
        arguments: Value::Object(body.arguments),
        request: Some(request.as_str().to_owned()),
    };
    let result = app.assets.call(&call).await?;
    let json = HeaderValue::from_static("application/json");
    // A string becomes the body without a copy.
    let text = String::from(Box::<str>::from(result.json));
    Ok(([(CONTENT_TYPE, json)], text).into_response())
}
