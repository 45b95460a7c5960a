//! Talking to the API server, about no kind in particular.

mod clients;
pub mod drift;
pub mod ownership;
mod writer;

pub use clients::{Clients, watching};
pub use writer::{WriteError, Writer, ours};
