//! Talking to the API server, about no kind in particular.

mod busy;
mod clients;
pub mod drift;
pub mod ownership;
mod recorder;
mod writer;

pub use busy::Busy;
pub use clients::{Clients, watching};
pub use recorder::Recorder;
pub use writer::{WriteError, Writer, ours};
