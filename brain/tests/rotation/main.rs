//! The change of a brain's key, on real files.

mod support;
mod whole_path;
