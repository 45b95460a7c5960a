//! The per-user engine: one brain, one ring of keys, one HTTP API.
//!
//! Start reading at [`run`], which is the life of a process from its first check to its hand-over.

pub mod access;
pub mod clock;
pub mod command;
pub mod config;
pub mod domain;
pub mod http;
pub mod internal;
pub mod metrics;
pub mod process;
pub mod ring;
pub mod run;
pub mod serve;
pub mod state;
pub mod stop;
pub mod store;
pub mod telemetry;
pub mod vault;
