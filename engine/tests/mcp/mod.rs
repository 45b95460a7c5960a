//! Sessions with MCP servers: real ones of others, and wrong ones of our own.

mod agreement;
mod child;
mod hostile;
mod lists;
mod refusals;
mod streams;
mod trace;
mod transports;

use serde_json::{Map, Value};

/// Arguments of a call.
fn arguments(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}
