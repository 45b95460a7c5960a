//! The per-user engine: one brain, one ring of keys, one HTTP API.
//!
//! Start reading at [`run`], which is the life of a process from its first check to its hand-over.

pub mod access;
#[cfg(test)]
#[path = "../tests/support/arbitrary.rs"]
mod arbitrary;
pub mod assets;
mod brain_lock;
pub mod catalog;
pub mod command;
pub mod config;
mod eager;
pub mod egress;
pub mod http;
pub mod internal;
pub mod job;
pub mod listen;
pub mod mcp;
pub mod metrics;
pub mod oauth;
pub mod process;
pub mod relay;
pub mod run;
pub mod serve;
mod stamps;
pub mod state;
pub mod stop;
pub mod telemetry;

// The rooms below the engine, by the names that its own rooms use.
pub use userengine_brain::{clock, domain, failpoint, ring, store, vault};
