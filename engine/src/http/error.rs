//! The one error of the HTTP border, and its one form: `{"error": CODE, "message": …, "details": {…}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

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
    /// The engine is starting or stopping, or a part of it does not work.
    #[error("{0}")]
    NotReady(&'static str),
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
            Self::NotReady(_) => ("NOT_READY", StatusCode::SERVICE_UNAVAILABLE),
            Self::Internal(_) => ("INTERNAL", StatusCode::INTERNAL_SERVER_ERROR),
        }
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
            details: Map::new(),
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
