//! The guarded client against real sockets on loopback.

mod answers;
mod broken;
mod certificates;
mod connecting;
mod limits;
mod names;
mod redirects;
mod support;
mod urls;
