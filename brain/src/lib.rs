//! The brain: what the engine knows for longer than a request, and the vault that seals its secrets.
//!
//! Nothing here speaks to a network. Start reading at [`store::open`].

pub mod clock;
pub mod domain;
pub mod failpoint;
pub mod ring;
pub mod rotation;
pub mod store;
pub mod vault;
