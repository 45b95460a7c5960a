//! Talking to the API server, about no kind in particular.

pub mod drift;
pub mod ownership;
mod writer;

pub use writer::{WriteError, Writer};
