//! The MCP server: as much of it as a client needs.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Provider;

pub(super) async fn protected(
    Shared(provider): Shared<Provider>,
    headers: HeaderMap,
    Json(message): Json<Value>,
) -> Response {
    let base = provider.base();
    let metadata = format!("{base}/.well-known/oauth-protected-resource/mcp");
    let token = header(&headers, "authorization").and_then(|value| value.strip_prefix("Bearer "));
    let mut state = provider.state();
    state.bearers_seen.extend(token.map(str::to_owned));
    let Some(scopes) = token
        .and_then(|token| state.access_tokens.get(token))
        .cloned()
    else {
        state.probes += u32::from(token.is_none());
        let challenge = format!(r#"Bearer resource_metadata="{metadata}", scope="calendar.read""#);
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response();
    };
    let calls_write = message["method"] == "tools/call" && message["params"]["name"] == "write";
    match &state.behaviour.needs {
        Some(scope) if calls_write && !scopes.contains(scope) => {
            let challenge = format!(
                r#"Bearer error="insufficient_scope", resource_metadata="{metadata}", scope="{scope}""#
            );
            (StatusCode::FORBIDDEN, [("www-authenticate", challenge)]).into_response()
        }
        _ => answer(&message),
    }
}

pub(super) async fn keyed(
    Shared(provider): Shared<Provider>,
    headers: HeaderMap,
    Json(message): Json<Value>,
) -> Response {
    let expected = provider.state().behaviour.static_credential.clone();
    let given = header(&headers, "x-api-key")
        .or_else(|| header(&headers, "authorization")?.strip_prefix("Bearer "));
    if given == Some(expected.as_str()) {
        answer(&message)
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

pub(super) async fn open(Json(message): Json<Value>) -> Response {
    answer(&message)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn answer(message: &Value) -> Response {
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "calendar", "version": "1" },
        }),
        "tools/list" => json!({ "tools": [tool("read"), tool("write")] }),
        "tools/call" => json!({ "content": [{ "type": "text", "text": "done" }] }),
        "ping" => json!({}),
        _ if message.get("id").is_none() => return StatusCode::ACCEPTED.into_response(),
        _ => {
            let error = json!({ "code": -32601, "message": "no such method" });
            return Json(json!({ "jsonrpc": "2.0", "id": message["id"], "error": error }))
                .into_response();
        }
    };
    Json(json!({ "jsonrpc": "2.0", "id": message["id"], "result": result })).into_response()
}

fn tool(name: &str) -> Value {
    json!({ "name": name, "description": name, "inputSchema": { "type": "object" } })
}
