//! HTTP/1.1 by hand, so that it can be done wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use url::Url;

/// One request, whole.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    target: String,
    /// By name in lower case.
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body as JSON, or null.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A field of the body as a form.
    pub(super) fn form(&self, name: &str) -> Option<String> {
        let fields = url::form_urlencoded::parse(&self.body);
        let mut values = fields.filter(|(field, _)| field == name);
        values.next().map(|(_, value)| value.into_owned())
    }

    /// The whole URL that a browser was sent to.
    pub(super) fn url(&self, base: &str) -> Url {
        Url::parse(base).unwrap().join(&self.target).unwrap()
    }
}

/// One answer, as it should be.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        let mut answer = Self::empty(status).with("content-type", "application/json");
        answer.body = body.to_string().into_bytes();
        answer
    }

    /// Each message an event of its own, in place of this answer.
    pub(super) fn events(&self, messages: &[Value]) -> Self {
        let mut answer = Self::empty(200).with("content-type", "text/event-stream");
        let session = self
            .headers
            .iter()
            .filter(|(name, _)| *name == "mcp-session-id");
        answer.headers.extend(session.cloned());
        let event = |message: &Value| format!("event: message\ndata: {message}\n\n");
        answer.body = messages.iter().map(event).collect::<String>().into_bytes();
        answer
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The head, announcing a body of this length.
    pub(super) fn head(&self, length: usize) -> String {
        let mut head = format!("HTTP/1.1 {} Answer\r\n", self.status);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(head, "content-length: {length}\r\n\r\n").unwrap();
        head
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head(self.body.len()).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A connection. Writing to one whose other side has gone is an error like any other; a fault ends with it.
pub(super) struct Wire {
    stream: TlsStream<TcpStream>,
    unread: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TlsStream<TcpStream>) -> Self {
        let unread = Vec::new();
        Self { stream, unread }
    }

    /// The next request, once all of it is there. `None` when the client has gone.
    pub(super) async fn request(&mut self) -> Option<Request> {
        loop {
            if let Some((request, length)) = parse(&self.unread) {
                self.unread.drain(..length);
                return Some(request);
            }
            let mut buffer = [0; 4096];
            let read = self.stream.read(&mut buffer).await.ok()?;
            if read == 0 {
                return None;
            }
            self.unread.extend_from_slice(&buffer[..read]);
        }
    }

    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Waits until the client goes.
    pub(super) async fn gone(&mut self) {
        let mut buffer = [0; 1024];
        while matches!(self.stream.read(&mut buffer).await, Ok(read) if read > 0) {}
    }

    /// Ends in good order: a body without announced length is whole by that.
    pub(super) async fn close(mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Ends by RST and not by FIN.
    pub(super) fn reset(self) {
        self.stream.get_ref().0.set_zero_linger().unwrap();
    }
}

/// A request and its length in bytes, if it is whole.
fn parse(bytes: &[u8]) -> Option<(Request, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: BTreeMap<_, _> = lines.filter_map(header).collect();
    let length = headers
        .get("content-length")
        .map_or(0, |text| text.parse().unwrap());
    let (start, end) = (end + 4, end + 4 + length);
    let body = bytes.get(start..end)?.to_vec();
    let request = Request {
        method,
        target,
        headers,
        body,
    };
    Some((request, end))
}
