//! An entry as people write it. The published JSON Schema is made from these types; `errorMessage` is what the engine says of
//! a value that does not fit, and what editors show.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};

use super::rules;
use crate::domain::{AuthMethod, ToolClass, Transport};

/// One MCP server that engines can connect to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(
    deny_unknown_fields,
    extend("required" = ["name", "transport", "auth_method"]),
    extend("allOf" = rules::of_an_entry()),
    extend("errorMessage" = "expected an object: one server, with `name`, `transport` and `auth_method`"),
)]
pub(super) struct Written {
    /// The JSON Schema of this file, for editors.
    #[serde(rename = "$schema")]
    #[schemars(extend("errorMessage" = "expected the address of a JSON Schema"))]
    _schema: Option<String>,
    /// The name by which `POST /assets/connect` asks for the server, unique in the catalog. Its tools are `<name>.<action>`.
    #[schemars(
        regex(pattern = r"^[a-z0-9][a-z0-9_-]{0,39}$"),
        extend("errorMessage" = "expected 1 to 40 characters of a-z 0-9 '_' '-', beginning with a letter or a digit"),
    )]
    pub name: Option<String>,
    /// The name for people. Default: `name`.
    #[schemars(
        length(min = 1, max = 100),
        regex(pattern = r"^[^\x00-\x1f\x7f]*$"),
        extend("errorMessage" = "expected text of 1 to 100 characters on one line"),
    )]
    pub display_name: Option<String>,
    /// How the server is spoken to: `streamable_http`; `sse` for HTTP+SSE of the revision 2024-11-05; `stdio` for a child
    /// process, which only an engine outside Kubernetes starts.
    #[schemars(
        schema_with = "transports",
        extend("errorMessage" = "expected \"streamable_http\", \"sse\" or \"stdio\""),
    )]
    pub transport: Option<Transport>,
    /// Where the server is: https. Plain http only where `EGRESS_ALLOW` opens it.
    #[schemars(length(min = 1, max = 2048), extend("errorMessage" = "expected a URL of at most 2048 characters"))]
    pub url: Option<String>,
    /// The program of a `stdio` server. It is started without a shell and with an empty environment.
    #[schemars(schema_with = "commands")]
    pub command: Option<Command>,
    /// How the server knows who calls: `oauth`, the user consents at the provider; `static`, the caller of
    /// `POST /assets/connect` brings a credential; `none`.
    #[schemars(
        schema_with = "auth_methods",
        extend("errorMessage" = "expected \"oauth\", \"static\" or \"none\""),
    )]
    pub auth_method: Option<AuthMethod>,
    /// Where a static credential goes.
    #[schemars(extend("errorMessage" = "expected an object with `header` and `prefix`, or `env`"))]
    pub r#static: Option<Static>,
    /// What the OAuth flow needs beyond what it discovers.
    #[schemars(extend(
        "errorMessage" = "expected an object with any of `client_id`, `client_secret_file`, `scopes`, `issuer`, `revocation_url`"
    ))]
    pub oauth: Option<Oauth>,
    /// May the server's own annotations say that a tool only reads? Default: no, and every tool counts as writing.
    #[schemars(extend("errorMessage" = "expected true or false"))]
    pub trust_annotations: Option<bool>,
    /// What is known of single tools, by the name that the server gives them.
    #[schemars(
        extend("maxProperties" = 1000),
        extend("propertyNames" = json!({
            "pattern": r"^[!-~]{1,128}$",
            "errorMessage": "expected the name of a tool: 1 to 128 visible ASCII characters",
        })),
        extend("errorMessage" = "expected an object with at most 1000 tools, each an object by the tool's name"),
    )]
    pub tools: Option<BTreeMap<String, Tool>>,
}

/// Where a static credential goes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Static {
    /// The header that carries it. Default: `Authorization`.
    #[schemars(length(min = 1, max = 100), extend("errorMessage" = "expected the name of an HTTP header, such as \"X-Api-Key\""))]
    pub header: Option<String>,
    /// What stands before it. Default: `Bearer ` in `Authorization`, nothing in another header.
    #[schemars(
        regex(pattern = r"^[ -~]{0,64}$"),
        extend("errorMessage" = "expected at most 64 printable ASCII characters, such as \"Token \""),
    )]
    pub prefix: Option<String>,
    /// The variable that carries it to a `stdio` server.
    #[schemars(
        regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"),
        extend("errorMessage" = "expected the name of a variable: letters, digits and '_', not beginning with a digit"),
    )]
    pub env: Option<String>,
}

/// What the OAuth flow needs beyond what it discovers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("allOf" = rules::of_oauth()))]
pub(super) struct Oauth {
    /// A client that was registered with the provider by hand. Without it the engine's metadata document is the client, or
    /// the engine registers one.
    #[schemars(
        regex(pattern = r"^[ -~]{1,512}$"),
        extend("errorMessage" = "expected the client's id: 1 to 512 printable ASCII characters"),
    )]
    pub client_id: Option<String>,
    /// Its secret, `<secret>/<key>` below `SECRETS_DIR`; outside Kubernetes also an absolute path.
    #[schemars(length(min = 1, max = 1024), extend("errorMessage" = super::secret::EXPECTED))]
    pub client_secret_file: Option<String>,
    /// The scopes to ask for. Default: what the server says that it needs.
    #[schemars(
        schema_with = "scopes",
        extend("errorMessage" = "expected an array of at most 100 scopes, such as [\"channels:read\", \"chat:write\"]"),
    )]
    pub scopes: Option<Vec<String>>,
    /// The authorization server: of those that the server names, or where it names none. Required with a secret, which
    /// goes to no other.
    #[schemars(length(min = 1, max = 2048), extend("errorMessage" = "expected a URL of at most 2048 characters"))]
    pub issuer: Option<String>,
    /// Where tokens are revoked (RFC 7009), where the provider's metadata do not say.
    #[schemars(length(min = 1, max = 2048), extend("errorMessage" = "expected a URL of at most 2048 characters"))]
    pub revocation_url: Option<String>,
}

/// What is known of a tool.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("errorMessage" = "expected an object with any of `class`, `open_world`, `idempotent`, `description`"))]
pub(super) struct Tool {
    /// Does it only `read`, or does it `write`?
    #[schemars(schema_with = "classes", extend("errorMessage" = "expected \"read\" or \"write\""))]
    pub class: Option<ToolClass>,
    /// Does it reach beyond the server's own data?
    #[schemars(extend("errorMessage" = "expected true or false"))]
    pub open_world: Option<bool>,
    /// May it be called twice with the effect of once?
    #[schemars(extend("errorMessage" = "expected true or false"))]
    pub idempotent: Option<bool>,
    /// Replaces the server's own description.
    #[schemars(length(min = 1, max = 4096), extend("errorMessage" = "expected text of 1 to 4096 characters"))]
    pub description: Option<String>,
}

/// A program and its arguments, in either form.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Command {
    List(Vec<String>),
    Parts {
        program: Option<String>,
        #[serde(default)]
        args: Vec<String>,
        #[serde(default)]
        env: BTreeMap<String, String>,
    },
}

fn transports(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["streamable_http", "sse", "stdio"] })
}

fn auth_methods(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["oauth", "static", "none"] })
}

fn classes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["read", "write"] })
}

fn scopes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 100,
        "items": {
            "type": "string",
            "pattern": r"^[!#-\[\]-~]{1,256}$",
            "errorMessage": "expected one scope: visible ASCII without '\"' and '\\' (RFC 6749, section 3.3)",
        },
    })
}

/// A condition on the type instead of `anyOf`: a mistake is then named where it is.
fn commands(_: &mut SchemaGenerator) -> Schema {
    let text = |most: usize, expected: &str| -> Value {
        json!({ "type": "string", "maxLength": most, "pattern": r"^[^\x00]*$", "errorMessage": expected })
    };
    let program = json!({
        "type": "string", "minLength": 1, "maxLength": 4096, "pattern": r"^[^\x00-\x1f\x7f]*$",
        "errorMessage": "expected the path or name of a program",
    });
    let argument = text(8192, "expected text of at most 8192 characters without NUL");
    let list = json!({
        "minItems": 1, "maxItems": 256, "prefixItems": [program], "items": argument,
        "errorMessage": "expected the program and at most 255 arguments",
    });
    let parts = json!({
        "type": "object",
        "properties": {
            "program": program,
            "args": {
                "type": "array", "maxItems": 255, "items": argument,
                "errorMessage": "expected an array of at most 255 arguments",
            },
            "env": {
                "type": "object", "maxProperties": 100,
                "propertyNames": {
                    "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$",
                    "errorMessage": "expected the name of a variable: letters, digits and '_', not beginning with a digit",
                },
                "additionalProperties": argument,
                "errorMessage": "expected an object with at most 100 variables, each text",
            },
        },
        "required": ["program"],
        "additionalProperties": false,
        "errorMessage": "expected {\"program\": …, \"args\": […], \"env\": {…}}, or an array of the program and its arguments",
    });
    json_schema!({ "if": { "type": "array" }, "then": list, "else": parts })
}
