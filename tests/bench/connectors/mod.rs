//! Tool calls through the engine, compared with calls without it and through other proxies. No cluster is needed.

mod caller;
mod calls;
mod connected;
mod growth;
mod hangs;
mod http;
mod load;
mod outages;
mod programs;
pub mod text;

pub use calls::measure as calls;
pub use connected::measure as connected;
pub use growth::measure as growth;
pub use hangs::measure as hangs;
pub use outages::measure as outages;
pub use programs::Programs;
