//! What a change of the key reads and writes in the brain of an engine that is stopped.
//!
//! [`Halted`] holds the lock, [`Reading`] looks without leaving a trace, [`Changing`] writes. What is done with them, and
//! in which order, is [`crate::rotation`]'s.

mod begin;
mod beside;
mod certify;
mod changing;
mod coverage;
mod halted;
mod log;
mod reading;
mod set_aside;
mod state;

pub use begin::Beginning;
pub use changing::{Changing, Swap};
pub use coverage::Stray;
pub use halted::Halted;
pub use log::{Entry, Event, GENESIS};
pub use reading::{Page, RawRow, Reading, Which};
pub use state::{Baseline, State};

pub(super) use log::last_verify;
