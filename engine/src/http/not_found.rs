//! Requests that no route takes.

use super::error::ApiError;

/// No such path.
pub(crate) async fn not_found() -> ApiError {
    ApiError::NotFound
}

/// The path exists, the method does not.
pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::MethodNotAllowed
}
