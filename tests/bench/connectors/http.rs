//! A client that costs little: one connection, one request at a time, blocking.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

/// Longer than any answer takes; a call to a server that hangs ends by the engine's own limit before.
const DEADLINE: Duration = Duration::from_mins(1);
/// More than any answer here has.
const LIMIT: usize = 1 << 20;

/// A connection that is kept.
pub struct Connection {
    reader: BufReader<TcpStream>,
    /// Of the last answer: reused, so that reading allocates nothing.
    line: String,
    body: Vec<u8>,
    session: Option<String>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).context("failed to connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self {
            reader: BufReader::new(stream),
            line: String::new(),
            body: Vec::new(),
            session: None,
        })
    }

    /// Sends a whole request, head and body, and gives status and body.
    pub fn exchange(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.reader.get_mut().write_all(request)?;
        let status = self.status()?;
        let (mut length, mut chunked) = (None, false);
        loop {
            self.next_line()?;
            let Some((name, value)) = self.line.split_once(':') else {
                break;
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = Some(value.parse()?),
                "transfer-encoding" => chunked = value == "chunked",
                "mcp-session-id" => self.session = Some(value.to_owned()),
                _ => {}
            }
        }
        self.body.clear();
        match (length, chunked) {
            (_, true) => while self.chunk()? > 0 {},
            (Some(length), false) => self.take(length)?,
            (None, false) => ensure!(status == 202 || status == 204, "an answer without a length"),
        }
        Ok((status, &self.body))
    }

    /// The session that the server named.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    fn status(&mut self) -> anyhow::Result<u16> {
        self.next_line()?;
        let status = self.line.split(' ').nth(1).context("no status line")?;
        Ok(status.parse()?)
    }

    fn chunk(&mut self) -> anyhow::Result<usize> {
        self.next_line()?;
        let length = usize::from_str_radix(self.line.split(';').next().unwrap_or_default(), 16)?;
        self.take(length)?;
        self.next_line()?;
        Ok(length)
    }

    fn next_line(&mut self) -> anyhow::Result<()> {
        self.line.clear();
        if self.reader.read_line(&mut self.line)? == 0 {
            bail!("the connection ended");
        }
        self.line.truncate(self.line.trim_end().len());
        Ok(())
    }

    fn take(&mut self, length: usize) -> anyhow::Result<()> {
        let before = self.body.len();
        ensure!(
            before + length <= LIMIT,
            "an answer of more than {LIMIT} bytes"
        );
        self.body.resize(before + length, 0);
        let room = self.body.get_mut(before..).unwrap_or_default();
        Ok(self.reader.read_exact(room)?)
    }
}

/// The bytes of a POST. `headers` end in CRLF each.
pub fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
