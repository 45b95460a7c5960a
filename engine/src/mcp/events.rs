//! Server-sent events (WHATWG HTML §9.2), bounded before they are put together.

use bytes::{Buf, Bytes};
use http_body_util::BodyExt;

use super::room;
use crate::egress::{Body, FetchError};

/// One event.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Event {
    /// `event`; empty = `message`.
    pub kind: String,
    /// `data`, lines joined by newlines; `None` = the event carries none.
    pub data: Option<String>,
    /// `id`.
    pub id: Option<String>,
    /// `retry`, in milliseconds.
    pub retry: Option<u64>,
}

impl Event {
    /// Does it carry a message of the protocol?
    pub fn message(&self) -> Option<&str> {
        let is_message = self.kind.is_empty() || self.kind == "message";
        let data = self
            .data
            .as_deref()
            .filter(|data| !data.trim_ascii().is_empty());
        data.filter(|_| is_message)
    }
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// An event.
    Event(Event),
    /// An event beyond the limit, as soon as it is; all of it is dropped as it comes.
    TooLarge,
}

/// The events of a body.
#[derive(Debug)]
pub struct Events {
    body: Body,
    chunk: Bytes,
    parser: Parser,
}

impl Events {
    /// Reads events of at most `limit` bytes.
    pub fn new(body: Body, limit: usize) -> Self {
        Self {
            body,
            chunk: Bytes::new(),
            parser: Parser::new(limit),
        }
    }

    /// The next event; `None` when the body ended. Can be dropped at any point and called again.
    pub async fn next(&mut self) -> Option<Result<Next, FetchError>> {
        loop {
            if let Some(next) = self.parser.take(&mut self.chunk) {
                return Some(Ok(next));
            }
            match self.body.frame().await? {
                Ok(frame) => self.chunk = frame.into_data().unwrap_or_default(),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// What is left of the body.
    pub fn into_body(self) -> Body {
        self.body
    }
}

/// Puts lines together to events. Fields that it does not know are skipped, as the standard asks.
#[derive(Debug)]
struct Parser {
    limit: usize,
    size: usize,
    keeping: Keeping,
    event: Event,
    /// The line so far; empty while an event is dropped.
    line: Vec<u8>,
    /// Has the line any bytes?
    filled: bool,
    before: Before,
}

/// What becomes of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeping {
    Kept,
    Dropped,
    DroppedAndTold,
}

/// What stood before the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// A carriage return: a newline that follows belongs to it.
    Return,
    Newline,
}

impl Parser {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            size: 0,
            keeping: Keeping::Kept,
            event: Event::default(),
            line: Vec::new(),
            filled: false,
            before: Before::Nothing,
        }
    }

    /// Consumes up to the end of an event.
    fn take(&mut self, chunk: &mut Bytes) -> Option<Next> {
        while !chunk.is_empty() {
            if self.before == Before::Return {
                self.before = Before::Newline;
                if chunk.first() == Some(&b'\n') {
                    chunk.advance(1);
                    continue;
                }
            }
            let Some(end) = chunk.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.keep(chunk);
                chunk.clear();
                return self.too_large_now();
            };
            let ended_by = chunk.get(end).copied();
            self.keep(chunk.get(..end).unwrap_or_default());
            chunk.advance(end + 1);
            let (dropped, event) = (self.too_large_now(), self.end_line());
            self.before = match ended_by {
                Some(b'\r') => Before::Return,
                _ => Before::Newline,
            };
            if let Some(next) = dropped.or(event) {
                return Some(next);
            }
        }
        None
    }

    fn keep(&mut self, part: &[u8]) {
        self.filled |= !part.is_empty();
        self.size = self.size.saturating_add(part.len());
        if self.size <= self.limit {
            room::append(&mut self.line, part, self.limit);
        } else if self.keeping == Keeping::Kept {
            self.keeping = Keeping::Dropped;
            self.line = Vec::new();
            self.event = Event::default();
        }
    }

    fn end_line(&mut self) -> Option<Next> {
        let mut line = std::mem::take(&mut self.line);
        if self.before == Before::Nothing && line.starts_with(b"\xEF\xBB\xBF") {
            line.drain(..3);
        }
        if std::mem::take(&mut self.filled) {
            if self.keeping == Keeping::Kept {
                self.field(&line);
            }
            line.clear();
            self.line = line;
            return None;
        }
        self.size = 0;
        self.keeping = Keeping::Kept;
        let event = std::mem::take(&mut self.event);
        (event != Event::default()).then_some(Next::Event(event))
    }

    /// Tells once that the event is too large.
    fn too_large_now(&mut self) -> Option<Next> {
        if self.keeping != Keeping::Dropped {
            return None;
        }
        self.keeping = Keeping::DroppedAndTold;
        Some(Next::TooLarge)
    }

    fn field(&mut self, line: &[u8]) {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(at) => (line.get(..at), line.get(at + 1..)),
            None => (Some(line), None),
        };
        let value = value.unwrap_or_default();
        let value = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value));
        match name.unwrap_or_default() {
            // A comment does not count: it is a server's way to keep a quiet stream open.
            b"" => self.size = self.size.saturating_sub(line.len()),
            b"data" => self.data(&value),
            b"event" => self.event.kind = value.into_owned(),
            b"id" if !value.contains('\0') => self.event.id = Some(value.into_owned()),
            b"retry" => self.event.retry = value.parse().ok(),
            _ => {}
        }
    }

    fn data(&mut self, value: &str) {
        match &mut self.event.data {
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
            none => *none = Some(value.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    /// The events of a text that arrives in pieces of `size` bytes.
    async fn read(text: &[u8], size: usize, limit: usize) -> Vec<Next> {
        let chunks: VecDeque<_> = text
            .chunks(size)
            .map(|chunk| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(chunk))))
            .collect();
        let body = StreamBody::new(futures::stream::iter(chunks)).map_err(|never| match never {});
        let mut events = Events::new(body.boxed_unsync(), limit);
        let mut all = Vec::new();
        while let Some(next) = events.next().await {
            all.push(next.unwrap());
        }
        all
    }

    fn data(text: &str) -> Next {
        Next::Event(Event {
            data: Some(text.to_owned()),
            ..Event::default()
        })
    }

    #[tokio::test]
    async fn reads_events_however_they_are_cut_and_whatever_ends_their_lines() {
        let text = "\u{feff}: hello\r\nid: 1\r\nretry: 20\r\nevent: message\r\ndata: a\r\ndata:b\r\n\r\ndata\n\nodd: x\nnothing\n\ndata:c\r\rdata: \u{fc}\n\ndata: unfinished";
        let first = Next::Event(Event {
            kind: "message".to_owned(),
            data: Some("a\nb".to_owned()),
            id: Some("1".to_owned()),
            retry: Some(20),
        });
        for size in [1, 2, 3, 7, 1000] {
            let events = read(text.as_bytes(), size, 1000).await;
            assert_eq!(events.len(), 4, "{size}: {events:?}");
            assert_eq!(events[0], first, "{size}");
            assert_eq!(events[1..], [data(""), data("c"), data("\u{fc}")], "{size}");
        }
    }

    #[tokio::test]
    async fn drops_an_event_beyond_the_limit_as_it_comes_and_reads_on() {
        let text = format!(
            "data: {}\ndata: more\n\ndata: small\n\n: {}\n\ndata: last\n\n",
            "x".repeat(5000),
            "-".repeat(40)
        );
        for size in [1, 64, 10_000] {
            let events = read(text.as_bytes(), size, 64).await;
            assert_eq!(
                events,
                [Next::TooLarge, data("small"), data("last")],
                "{size}"
            );
        }
    }
}
