//! Which fields go together. Part of the published JSON Schema, so that editors know them, too.

use serde_json::{Map, Value, json};

pub(super) fn of_an_entry() -> Value {
    let stdio = json!({ "transport": { "const": "stdio" } });
    let http = json!({ "transport": { "enum": ["streamable_http", "sse"] } });
    let auth = |method: &str| json!({ "auth_method": { "const": method } });
    let both = |transport: &Value| merged(transport, &auth("static"));
    json!([
        when(
            &http,
            needs(
                "url",
                "is missing: a server that is spoken to over HTTP has a URL"
            )
        ),
        when(
            &http,
            has_no("command", "belongs to \"stdio\" servers: remove it")
        ),
        when(
            &stdio,
            needs(
                "command",
                "is missing: a \"stdio\" server has a program to start"
            )
        ),
        when(
            &stdio,
            has_no("url", "belongs to servers over HTTP: remove it")
        ),
        when(
            &stdio,
            json!({ "properties": { "auth_method": {
                "not": { "const": "oauth" },
                "errorMessage": "expected \"static\" or \"none\": a \"stdio\" server has no address to sign in at",
            }}})
        ),
        when(
            &auth("oauth"),
            has_no("static", "belongs to auth_method \"static\": remove it")
        ),
        when(
            &auth("none"),
            has_no("static", "belongs to auth_method \"static\": remove it")
        ),
        when(
            &auth("static"),
            has_no("oauth", "belongs to auth_method \"oauth\": remove it")
        ),
        when(
            &auth("none"),
            has_no("oauth", "belongs to auth_method \"oauth\": remove it")
        ),
        when(
            &both(&stdio),
            needs(
                "static",
                "is missing: say in `static.env` which variable carries the credential"
            )
        ),
        when(
            &both(&stdio),
            json!({ "properties": { "static": merged(
                &needs("env", "is missing: name the variable that carries the credential"),
                &json!({ "properties": {
                    "header": never("belongs to servers over HTTP: remove it, and use `env`"),
                    "prefix": never("belongs to servers over HTTP: remove it, and use `env`"),
                }}),
            )}})
        ),
        when(
            &both(&http),
            json!({ "properties": { "static":
                has_no("env", "belongs to \"stdio\" servers: remove it, and use `header`")
            }})
        ),
    ])
}

pub(super) fn of_oauth() -> Value {
    let secret = json!({ "required": ["client_secret_file"] });
    json!([
        { "if": secret, "then": needs("client_id", "is missing: a secret belongs to a client") },
        { "if": secret, "then": needs(
            "issuer",
            "is missing: name the authorization server that knows the secret; without it the MCP server would choose where the secret is sent",
        ) },
    ])
}

/// `then` holds of every entry in which the named fields are there and are so.
fn when(fields: &Value, then: Value) -> Value {
    let required: Vec<&String> = fields
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
        .collect();
    let condition = json!({ "properties": fields, "required": required });
    Map::from_iter([("if".to_owned(), condition), ("then".to_owned(), then)]).into()
}

fn needs(field: &str, message: &str) -> Value {
    json!({ "required": [field], "errorMessage": message })
}

fn has_no(field: &str, message: &str) -> Value {
    json!({ "properties": { field: never(message) } })
}

fn never(message: &str) -> Value {
    json!({ "not": {}, "errorMessage": message })
}

fn merged(one: &Value, other: &Value) -> Value {
    let fields = one
        .as_object()
        .into_iter()
        .chain(other.as_object())
        .flatten();
    fields
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<Map<_, _>>()
        .into()
}
