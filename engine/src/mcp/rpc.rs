//! JSON-RPC 2.0, as far as a client's own requests need it: written once, read without taking the result apart.
//!
//! rmcp's types know the fields of today's revisions and no others, so a result that passed through them would lose
//! what they do not know. Requests for tools therefore go beside rmcp on the same session, with ids of their own.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::McpError;

/// Largest request that is sent, in bytes.
pub const REQUEST_MAX: usize = 1024 * 1024;
/// Largest answer, event or line that is read, in bytes.
pub const ANSWER_MAX: usize = 16 * 1024 * 1024;
/// Longest text of a server that an error repeats, in characters.
const WORDS_MAX: usize = 500;

/// Counts the ids of one session.
#[derive(Debug)]
pub struct Ids(AtomicU64);

impl Default for Ids {
    /// rmcp counts from 0 and will not come here; below 2^31, because some servers keep ids in 32 bits.
    fn default() -> Self {
        Self(AtomicU64::new(1 << 30))
    }
}

impl Ids {
    /// The next one.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// A request, ready to be sent.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// Its id.
    pub id: u64,
    /// Its method.
    pub method: &'static str,
    /// What `Mcp-Name` repeats.
    pub name: Option<&'a str>,
    /// The message.
    pub bytes: Bytes,
}

impl<'a> Outgoing<'a> {
    /// Writes a request. Refuses one that is larger than [`REQUEST_MAX`].
    pub fn new(
        id: u64,
        method: &'static str,
        name: Option<&'a str>,
        params: &impl Serialize,
    ) -> Result<Self, McpError> {
        let request = Request {
            jsonrpc: "2.0",
            id,
            method,
            params,
        };
        let bytes = written(&request)?;
        Ok(Self {
            id,
            method,
            name,
            bytes,
        })
    }
}

#[derive(Serialize)]
struct Request<'a, P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    params: &'a P,
}

/// A message as bytes, if it is not too large.
pub fn written(message: &impl Serialize) -> Result<Bytes, McpError> {
    let bytes = serde_json::to_vec(message)
        .map_err(|error| McpError::Protocol(format!("failed to write a request: {error}")))?;
    if bytes.len() > REQUEST_MAX {
        return Err(McpError::RequestTooLarge {
            size: bytes.len(),
            limit: REQUEST_MAX,
        });
    }
    Ok(Bytes::from(bytes))
}

/// `notifications/cancelled` for a request.
pub fn cancelled(id: u64) -> Bytes {
    let text = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"reason":"the caller stopped waiting"}}}}"#
    );
    Bytes::from(text)
}

/// The answer to a request of the server's: a ping is answered, everything else declined. The engine declares no
/// capability, so a server that keeps to the protocol asks nothing else.
pub fn declined(request: &Incoming<'_>) -> Option<Bytes> {
    let (id, method) = (request.id?, request.method.as_deref()?);
    let outcome = match method {
        "ping" => r#""result":{}"#,
        "elicitation/create" => r#""result":{"action":"decline"}"#,
        _ => r#""error":{"code":-32601,"message":"this client does not offer that"}"#,
    };
    Some(Bytes::from(format!(
        r#"{{"jsonrpc":"2.0","id":{},{outcome}}}"#,
        id.get()
    )))
}

/// A message of the server's, its result untouched.
#[derive(Debug, Deserialize)]
pub struct Incoming<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<ErrorObject<'a>>,
}

#[derive(Debug, Deserialize)]
struct ErrorObject<'a> {
    code: i64,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}

/// What a request came to.
pub type Answer = Result<Box<RawValue>, McpError>;

impl<'a> Incoming<'a> {
    /// Reads a message.
    pub fn read(bytes: &'a [u8]) -> Result<Self, McpError> {
        serde_json::from_slice(bytes)
            .map_err(|_| McpError::Protocol("a message that is not JSON-RPC".to_owned()))
    }

    /// The id, if this is an answer to a request with a number. A number in quotes is one, too: some servers do that.
    pub fn answered(&self) -> Option<u64> {
        if self.method.is_some() {
            return None;
        }
        self.id?.get().trim_matches('"').parse().ok()
    }

    /// An error without an id: the server could not read which request it answers.
    pub fn is_error_without_id(&self) -> bool {
        self.method.is_none() && self.id.is_none() && self.error.is_some()
    }

    /// The method, if this is a request or a notification.
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// What it answers.
    pub fn into_answer(self) -> Answer {
        if let Some(error) = self.error {
            return Err(McpError::Rpc {
                code: error.code,
                message: words(&error.message),
            });
        }
        self.result
            .map(ToOwned::to_owned)
            .ok_or_else(|| McpError::Protocol("an answer without a result".to_owned()))
    }
}

/// A server's words, without what a terminal would obey, at most [`WORDS_MAX`] characters.
pub fn words(text: &str) -> String {
    let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = visible.take(WORDS_MAX).collect();
    if text.chars().nth(WORDS_MAX).is_some() {
        short.push('…');
    }
    short
}
