//! Lines of a bounded length.

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use crate::mcp::room;

/// Reads lines of at most `limit` bytes.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    limit: usize,
    cut: bool,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Its bytes, without the newline.
    pub bytes: Vec<u8>,
    /// Was it longer than the limit?
    pub cut: bool,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// Reads lines of at most `limit` bytes; what is beyond is dropped as it comes.
    pub fn new(reader: R, limit: usize) -> Self {
        Self {
            reader,
            line: Vec::new(),
            limit,
            cut: false,
        }
    }

    /// The next line; `None` at the end. Can be dropped at any point and called again.
    pub async fn next(&mut self) -> Option<Line> {
        loop {
            // A pipe that breaks is a pipe that ended.
            let available = self.reader.fill_buf().await.unwrap_or_default();
            if available.is_empty() {
                let rest = !self.line.is_empty() || self.cut;
                return rest.then(|| self.take());
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = available
                .get(..end.unwrap_or(available.len()))
                .unwrap_or_default();
            let room = self.limit - self.line.len();
            self.cut |= part.len() > room;
            let part = part.get(..room).unwrap_or(part);
            room::append(&mut self.line, part, self.limit);
            let used = end.map_or(available.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Some(self.take());
            }
        }
    }

    fn take(&mut self) -> Line {
        Line {
            bytes: std::mem::take(&mut self.line),
            cut: std::mem::take(&mut self.cut),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_lines_and_drops_what_is_beyond_the_limit() {
        let text = b"one\n\nlonger than ten bytes\nexactly 10\nrest";
        for size in [1, 4, 100] {
            let reader = tokio::io::BufReader::with_capacity(size, &text[..]);
            let mut lines = Lines::new(reader, 10);
            let mut all = Vec::new();
            while let Some(line) = lines.next().await {
                all.push((String::from_utf8(line.bytes).unwrap(), line.cut));
            }
            let expected = [
                ("one", false),
                ("", false),
                ("longer tha", true),
                ("exactly 10", false),
                ("rest", false),
            ];
            assert_eq!(all, expected.map(|(text, cut)| (text.to_owned(), cut)));
        }
    }
}
