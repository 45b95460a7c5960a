//! `engine openapi`.

use std::process::ExitCode;

use crate::http::openapi;

/// Prints the description that `GET /openapi.json` serves.
pub(super) fn openapi() -> ExitCode {
    match openapi::document() {
        Ok(document) => {
            println!("{document}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("engine openapi: failed to write the description: {error}");
            ExitCode::FAILURE
        }
    }
}
