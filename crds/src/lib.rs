//! What the operator and the engine must agree on: the kinds, the names and labels of an engine's
//! children, the layout of its key Secrets, and the words in which an engine refuses to start.
//!
//! The kinds need a Kubernetes client and stand behind the feature `kinds`; the engine builds without it.

pub mod address;
pub mod duration;
pub mod hex;
pub mod key;
pub mod layout;
pub mod names;
pub mod quantity;
pub mod refusal;

#[cfg(feature = "kinds")]
pub mod api_key;
#[cfg(feature = "kinds")]
pub mod condition;
#[cfg(feature = "kinds")]
pub mod crd;
#[cfg(feature = "kinds")]
pub mod encryption;
#[cfg(feature = "kinds")]
pub mod engine_class;
#[cfg(feature = "kinds")]
pub mod labels;
#[cfg(feature = "kinds")]
mod overrides;
#[cfg(feature = "kinds")]
mod rules;
#[cfg(feature = "kinds")]
pub mod status;
#[cfg(feature = "kinds")]
pub mod user_engine;

#[cfg(feature = "kinds")]
pub use engine_class::{EngineClass, EngineClassSpec};
#[cfg(feature = "kinds")]
pub use user_engine::{UserEngine, UserEngineSpec};
