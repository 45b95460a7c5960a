//! The protocol by which a brain changes its key.
//!
//! Operator, Job and engine agree on it through this crate: what is asked for ([`request`]), what is durable on the
//! claim ([`ledger`]), what the operator does next ([`decide`]), when a key is
//! due for its age ([`age`]), whether the brain lets a Job in ([`gate`]), and what
//! the Job says ([`verdict`]). Everything is pure: no clock, no cluster, no database, so that the whole of it can be
//! explored by a model check.

pub mod age;
pub mod decide;
pub mod gate;
pub mod ledger;
pub mod request;
pub mod verdict;
