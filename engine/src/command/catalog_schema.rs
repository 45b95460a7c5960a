//! `engine catalog-schema`.

use std::process::ExitCode;

use crate::catalog;

/// Prints the JSON Schema of the catalog's files.
pub(super) fn catalog_schema() -> ExitCode {
    println!("{:#}", catalog::document());
    ExitCode::SUCCESS
}
