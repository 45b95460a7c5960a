//! The life of a connection: from connect to disconnect, and everything that goes wrong between.

mod asking_for_more;
mod authorizing;
mod calling;
mod coming_back;
mod connecting;
mod disconnecting;
mod drained;
mod failing_disk;
mod killed;
mod real_engine;
mod refreshing;
mod refused;
mod sealing;
mod secrets;
mod steps;
mod world;
