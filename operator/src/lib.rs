//! The operator: turns `UserEngine` objects into running, isolated engines.
//!
//! Start reading at [`user_engine::reconcile`]; it is the table of contents.

pub mod clock;
pub mod cluster;
pub mod config;
mod engines;
pub mod farewell;
pub mod http;
pub mod leader;
pub mod metrics;
pub mod namespaces;
pub mod platform;
pub mod record;
pub mod retained;
pub mod run;
pub mod seen;
#[cfg(test)]
mod simulated;
mod stop;
pub mod telemetry;
pub mod user_engine;
mod watches;
mod work;
