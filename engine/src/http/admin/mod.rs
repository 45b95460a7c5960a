//! What a platform tells an engine to do.

pub mod reload_catalog;
