//! Behaviour of the engine: the real router on a real brain, and the real binary as a process.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the verdict; clippy's own exemption stops at functions without #[test]"
)]

mod access;
mod calls;
mod catalog;
mod connections;
mod faults;
mod faulty;
mod http;
mod keys;
mod life;
mod lifecycle;
mod malformed;
mod mcp;
mod mended;
mod oauth;
mod openapi;
mod peers;
mod refused_brain;
mod refused_config;
mod refused_ring;
mod relay;
mod rotation;
mod rotation_faults;
mod secrets;
mod support;
