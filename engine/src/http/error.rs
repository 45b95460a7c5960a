//! The one error of the HTTP border, and its one form: `{"error": CODE, "message": …, "details": {…}}`.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::assets::AssetError;
use crate::catalog::ReloadError;

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No API key, or none that is accepted.
    #[error("the header X-Engine-Key is missing or holds no accepted key")]
    InvalidKey,
    /// No such path.
    #[error("there is nothing at this path")]
    NotFound,
    /// The path exists, the method does not.
    #[error("this path does not answer this method")]
    MethodNotAllowed,
    /// The body is larger than the limit.
    #[error("the body is larger than {} bytes", super::BODY_LIMIT)]
    TooLarge,
    /// The body is not what its type says.
    #[error("{0}")]
    Malformed(String),
    /// The body is of another type.
    #[error("the body is not JSON: send it with content-type: application/json")]
    NotJson,
    /// The engine is starting or stopping, or a part of it does not work.
    #[error("{0}")]
    NotReady(&'static str),
    /// A request about connections or tools. Boxed: it is by far the largest.
    #[error(transparent)]
    Asset(Box<AssetError>),
    /// The files of the catalog have mistakes.
    #[error("the catalog has mistakes and was not taken; the one before stays in force")]
    CatalogInvalid(#[from] ReloadError),
    /// Our own fault. The source goes to the log and never into the answer.
    #[error("the engine failed to answer; its log has the details under this request's id")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// Stable code to act on.
    pub error: String,
    /// For people; may change.
    pub message: String,
    /// More about it, by code.
    #[schema(value_type = Object)]
    pub details: Map<String, Value>,
}

impl ApiError {
    /// An error of ours.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    /// A code has one status.
    fn code(&self) -> (&'static str, StatusCode) {
        match self {
            Self::InvalidKey => ("INVALID_KEY", StatusCode::UNAUTHORIZED),
            Self::NotFound => ("NOT_FOUND", StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", StatusCode::METHOD_NOT_ALLOWED),
            Self::TooLarge => ("REQUEST_TOO_LARGE", StatusCode::PAYLOAD_TOO_LARGE),
            Self::Malformed(_) => ("MALFORMED_REQUEST", StatusCode::BAD_REQUEST),
            Self::NotJson => ("UNSUPPORTED_MEDIA_TYPE", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::NotReady(_) => ("NOT_READY", StatusCode::SERVICE_UNAVAILABLE),
            Self::Internal(_) => ("INTERNAL", StatusCode::INTERNAL_SERVER_ERROR),
            Self::CatalogInvalid(_) => ("CATALOG_INVALID", StatusCode::UNPROCESSABLE_ENTITY),
            Self::Asset(error) => (error.code(), asset_status(error)),
        }
    }
}

impl From<AssetError> for ApiError {
    fn from(error: AssetError) -> Self {
        match error {
            AssetError::Store(error) => Self::internal(error),
            AssetError::NoRandomness => Self::internal(error),
            error => Self::Asset(Box::new(error)),
        }
    }
}

fn asset_status(error: &AssetError) -> StatusCode {
    match error {
        AssetError::ServerNotFound(_)
        | AssetError::ConnectionNotFound(_)
        | AssetError::ToolNotFound(_) => StatusCode::NOT_FOUND,
        AssetError::ServerUnavailable { .. }
        | AssetError::AuditUnavailable
        | AssetError::StorageFailed(_)
        | AssetError::Interrupted => StatusCode::SERVICE_UNAVAILABLE,
        AssetError::AlreadyConnected { .. } => StatusCode::CONFLICT,
        AssetError::Invalid { .. }
        | AssetError::CredentialRejected(_)
        | AssetError::InvalidArguments { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        AssetError::OauthFailed { .. } | AssetError::ConnectionFailed { .. } => {
            StatusCode::BAD_GATEWAY
        }
        AssetError::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        AssetError::TokenExpired { .. } => StatusCode::UNAUTHORIZED,
        AssetError::ScopeMissing { .. } => StatusCode::FORBIDDEN,
        AssetError::NoRandomness | AssetError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What a caller acts on, beyond the code.
fn details(error: &AssetError) -> Value {
    let seconds = |after: &Duration| after.as_secs() + u64::from(after.subsec_nanos() > 0);
    match error {
        AssetError::AlreadyConnected { alias, ref_id }
        | AssetError::TokenExpired { alias, ref_id } => {
            json!({ "alias": alias, "ref_id": ref_id })
        }
        AssetError::Invalid { field, .. } => json!({ "field": field }),
        AssetError::InvalidArguments { path, .. } => json!({ "path": path }),
        AssetError::RateLimited { retry_after, .. } => {
            json!({ "retry_after": seconds(retry_after) })
        }
        AssetError::ScopeMissing {
            alias,
            missing,
            auth_url,
        } => {
            json!({ "alias": alias, "missing_scopes": missing, "auth_url": auth_url })
        }
        AssetError::ConnectionFailed {
            alias,
            reason,
            retry_after,
            ..
        } => {
            json!({ "alias": alias, "reason": reason.as_str(), "retry_after": retry_after.as_ref().map(seconds) })
        }
        AssetError::OauthFailed {
            server,
            reason,
            retry_after,
            ..
        } => {
            json!({ "server_name": server, "reason": reason.as_str(), "retry_after": retry_after.as_ref().map(seconds) })
        }
        _ => json!({}),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (code, status) = self.code();
        if let Self::Internal(source) = &self {
            tracing::error!(error = %source, "failed to answer");
        }
        let body = ErrorBody {
            error: code.to_owned(),
            message: self.to_string(),
            details: match &self {
                Self::Asset(error) => match details(error) {
                    Value::Object(details) => details,
                    _ => Map::new(),
                },
                Self::CatalogInvalid(ReloadError(problems)) => {
                    Map::from_iter([("problems".to_owned(), problems.clone().into())])
                }
                _ => Map::new(),
            },
        };
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §11.6.1 asks for a challenge in every 401.
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("X-Engine-Key"));
        }
        response
    }
}
