//! Server-sent events, read as they come.

use std::collections::VecDeque;

use crate::exit::Failure;
use crate::http::Reply;

/// Longest line: an event of at most 64 KiB, escaped at worst.
const MAX_LINE: usize = 1024 * 1024;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Where to go on behind it.
    pub(super) id: Option<String>,
    /// What it says; empty if it only says where to go on.
    pub(super) data: String,
}

/// The events of a reply.
pub(super) struct Events {
    reply: Reply,
    parser: Parser,
    ready: VecDeque<Event>,
}

impl Events {
    pub(super) fn new(reply: Reply) -> Events {
        Events { reply, parser: Parser::default(), ready: VecDeque::new() }
    }

    /// The next event; `None` when the server ends the stream.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Event>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(bytes) = self.reply.next().await? else { return Ok(None) };
            self.ready.extend(self.parser.push(&bytes)?);
        }
    }
}

#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    event: Event,
    /// Whether the event has any field yet.
    begun: bool,
}

impl Parser {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Failure> {
        let mut done = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                if self.line.len() > MAX_LINE {
                    return Err(Failure::new("unexpected_answer", "the server sent a line without an end"));
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            done.extend(self.line(line.strip_suffix(b"\r").unwrap_or(&line)));
        }
        Ok(done)
    }

    /// Takes a line; an empty one ends the event.
    fn line(&mut self, line: &[u8]) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.begun).then_some(event);
        }
        let line = String::from_utf8_lossy(line);
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => self.event.id = Some(value.to_owned()),
            "data" if self.event.data.is_empty() => value.clone_into(&mut self.event.data),
            "data" => self.event.data.extend(["\n", value]),
            // A comment, or a name that says nothing to us.
            _ => return None,
        }
        self.begun = true;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str =
        ": hello\n\nid: 7\ndata: {\"a\":\ndata:  1}\n\nretry: 5\n\nid: 8\r\n\r\ndata:x\n\ndata: cut";

    #[test]
    fn however_it_is_cut() {
        let event = |id: Option<&str>, data: &str| Event { id: id.map(str::to_owned), data: data.to_owned() };
        let expected = [event(Some("7"), "{\"a\":\n 1}"), event(Some("8"), ""), event(None, "x")];
        for size in 1..STREAM.len() {
            let mut parser = Parser::default();
            let read = STREAM.as_bytes().chunks(size).flat_map(|bytes| parser.push(bytes).unwrap());
            assert_eq!(read.collect::<Vec<_>>(), expected, "{size}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_held() {
        assert!(Parser::default().push(&vec![b'x'; MAX_LINE + 1]).is_err());
    }
}
