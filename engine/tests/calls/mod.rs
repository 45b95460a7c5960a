//! Tools and calls, through the real routers, with MCP servers in this process.

mod answers;
mod audit;
mod breaking;
mod crowds;
mod events;
mod floods;
mod hostile;
mod process;
mod tools;
mod upstream;
mod world;
