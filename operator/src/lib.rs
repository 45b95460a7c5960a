//! The operator: turns `UserEngine` objects into running, isolated engines.
//!
//! Start reading at [`user_engine::reconcile`]; it is the table of contents.

pub mod clock;
pub mod cluster;
pub mod config;
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
pub mod telemetry;
pub mod user_engine;
mod watches;
