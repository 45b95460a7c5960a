//! `/tools`: what the engine offers a model, and calls by name.

pub mod accept;
pub mod call;
pub mod list;
