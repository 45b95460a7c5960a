//! Headers that may carry a credential.

use http::HeaderName;

/// Headers of the connection and of the protocol: a credential in one of them would break every request.
const TAKEN: [&str; 14] = [
    "accept",
    "accept-encoding",
    "connection",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whole families of them.
const TAKEN_FAMILIES: [&str; 2] = ["content-", "mcp-"];

/// Checks the name of a header. Gives what was expected if it does not fit.
pub(super) fn check(name: &str) -> Result<(), &'static str> {
    let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err(
            "expected the name of an HTTP header: letters, digits and '-', such as \"X-Api-Key\"",
        );
    };
    let name = parsed.as_str();
    if TAKEN.contains(&name) || TAKEN_FAMILIES.iter().any(|family| name.starts_with(family)) {
        return Err(
            "expected a header that carries credentials: this one belongs to HTTP or to MCP itself",
        );
    }
    Ok(())
}
