//! The change of a brain's key, on real files.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the verdict; clippy's own exemption stops at functions without #[test]"
)]

#[cfg(feature = "failpoints")]
mod campaign;
mod certificates;
mod inspecting;
#[cfg(feature = "failpoints")]
mod kills;
mod refusals;
mod set_aside;
mod support;
mod sweeping;
mod takeover;
mod whole_path;
