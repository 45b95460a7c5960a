//! The change of a brain's key, on real files.

#[cfg(feature = "failpoints")]
mod kills;
mod refusals;
mod set_aside;
mod support;
mod takeover;
mod whole_path;
