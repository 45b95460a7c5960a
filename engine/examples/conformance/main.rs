//! The engine's own MCP and OAuth client as a command, for the client scenarios of `@modelcontextprotocol/conformance`:
//! `tests/conformance.sh` runs them. Nothing of the protocol is here: `mcp` speaks to the server, `oauth` to the
//! provider, and both go out through `egress`. What is here is what the engine has a person, a brain and a catalog for.
//!
//! Usage: `conformance SERVER-URL`, with the scenario's context in `MCP_CONFORMANCE_CONTEXT`.

#![expect(
    clippy::disallowed_methods,
    reason = "the suite speaks to a client by its environment"
)]

mod user;

use std::error::Error;
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use url::Url;
use userengine_engine::config::{ConnectorsConfig, Environment, HttpConfig, LogConfig, LogFormat};
use userengine_engine::egress::{Allowed, Egress};
use userengine_engine::mcp::ToolDefinition;
use userengine_engine::telemetry;

use self::user::User;

type Failure = Box<dyn Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::install(LogConfig {
        level: tracing::Level::DEBUG,
        format: LogFormat::Pretty,
    });
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let server: Url = std::env::args().next_back().unwrap_or_default().parse()?;
    let context = std::env::var("MCP_CONFORMANCE_CONTEXT").unwrap_or_default();
    let context: Value = serde_json::from_str(&context).unwrap_or_default();
    let mut user = User::new(Egress::new(&this_machine()?)?, server, &context);

    let session = user.open().await?;
    let tools = user.list(&session).await?;
    for (name, arguments) in calls(&context, &tools) {
        user.call(&session, &name, &arguments).await?;
    }
    session.close().await;
    Ok(())
}

/// The calls that the scenario asks for, else one of each tool.
fn calls(context: &Value, tools: &[ToolDefinition]) -> Vec<(String, Map<String, Value>)> {
    if let Some(asked) = context["toolCalls"].as_array() {
        let call = |call: &Value| {
            let arguments = call["arguments"].as_object();
            let name = call["name"].as_str().unwrap_or_default();
            (name.to_owned(), arguments.cloned().unwrap_or_default())
        };
        return asked.iter().map(call).collect();
    }
    let first = tools.first().map(|tool| &tool.input_schema);
    let call = |tool: &ToolDefinition| (tool.name.clone(), sample(&tool.input_schema, first));
    tools.iter().map(call).collect()
}

/// Arguments that fit a simple schema. One scenario wants to be shown the schema of the first tool.
fn sample(schema: &Value, first: Option<&Value>) -> Map<String, Value> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let value = |name: &str, schema: &Value| match schema["type"].as_str() {
        Some("number" | "integer") => json!(5),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") if name == "schema" => first.cloned().unwrap_or_default(),
        Some("object") => json!({}),
        _ => json!("text"),
    };
    let pairs = properties.map(|(name, schema)| (name.clone(), value(name, schema)));
    pairs.collect()
}

/// The suite's servers are on ports that the kernel chose.
fn this_machine() -> Result<ConnectorsConfig, Failure> {
    let environment = Environment::of(&[]);
    let http = HttpConfig::read(&environment)?;
    let mut config = ConnectorsConfig::read(&environment, &http)?;
    let ports = 1024..=u16::MAX;
    config.egress_allow = ports
        .flat_map(|port| {
            ["localhost", "127.0.0.1"].map(|host| Allowed::Host {
                host: host.to_owned(),
                port,
                plain: true,
            })
        })
        .collect();
    Ok(config)
}
