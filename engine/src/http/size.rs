//! Refuses a body that announces more than the limit before a byte of it is read. One that does not
//! announce its size meets the same limit while it is read.

use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;

use super::BODY_LIMIT;
use super::error::ApiError;

pub(super) fn check(request: &Request) -> Result<(), ApiError> {
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > BODY_LIMIT as u64) {
        return Err(ApiError::TooLarge);
    }
    Ok(())
}
