//! The per-user engine: one brain, one ring of keys, one HTTP API.
//!
//! Start reading at [`run`], which is the life of a process from its first check to its hand-over.

pub mod access;
#[cfg(test)]
#[path = "../tests/support/arbitrary.rs"]
mod arbitrary;
pub mod assets;
pub mod catalog;
pub mod clock;
pub mod command;
pub mod config;
pub mod domain;
pub mod egress;
pub mod failpoint;
pub mod http;
pub mod internal;
pub mod listen;
pub mod mcp;
pub mod metrics;
pub mod oauth;
pub mod process;
pub mod relay;
pub mod ring;
pub mod run;
pub mod serve;
pub mod state;
pub mod stop;
pub mod store;
pub mod telemetry;
pub mod vault;
