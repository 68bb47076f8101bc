//! Server-sent events, as foreign servers send them: any chunking, LF, CRLF or CR, a byte-order mark, bounded.
//!
//! An event keeps the bytes it came in, so that what nobody changes leaves exactly as it arrived.

use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};

/// The most bytes one event may have. Most stay below a few KiB; a response said whole with the images it made has some
/// MiB.
pub const MAX_EVENT: usize = 16 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Why a stream of events cannot be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// One event is larger than the decoder's limit.
    #[error("the upstream sent an event over the limit")]
    TooLarge,
    /// The format is UTF-8 only.
    #[error("the upstream sent an event that is not UTF-8")]
    NotUtf8,
}

/// Splits a byte stream into events.
pub struct SseDecoder {
    /// The most bytes one event may have.
    limit: usize,
    buffer: BytesMut,
    /// Where the line being read begins.
    line: usize,
    /// How far the buffer has been searched for the line's end.
    searched: usize,
    past_first_byte: bool,
}

impl Default for SseDecoder {
    fn default() -> SseDecoder {
        SseDecoder::with_limit(MAX_EVENT)
    }
}

impl SseDecoder {
    /// A decoder at the beginning of a stream.
    pub fn new() -> SseDecoder {
        SseDecoder::default()
    }

    /// The same for a stream whose events may be as large as whole messages are.
    pub fn with_limit(limit: usize) -> SseDecoder {
        SseDecoder { limit, buffer: BytesMut::new(), line: 0, searched: 0, past_first_byte: false }
    }

    /// Takes the next bytes of the stream, in whatever pieces they come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole event, with its blank line; `None` until more bytes come.
    ///
    /// A carriage return at the very end waits for its successor: only that byte tells CR from CRLF. What
    /// stands behind the last blank line when the stream ends was cut off and, as the format rules, is no event.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, SseError> {
        if !self.past_first_byte && !self.skip_mark() {
            return Ok(None);
        }
        while let Some((at, end)) = self.line_end() {
            let blank = at == self.line;
            (self.line, self.searched) = (end, end);
            if blank {
                let raw = self.buffer.split_to(end).freeze();
                (self.line, self.searched) = (0, 0);
                return SseEvent::new(raw, self.limit).map(Some);
            }
        }
        if self.buffer.len() > self.limit { Err(SseError::TooLarge) } else { Ok(None) }
    }

    /// Drops a leading byte-order mark; false while it cannot be told whether there is one.
    fn skip_mark(&mut self) -> bool {
        if self.buffer.len() < BOM.len() && BOM.starts_with(&self.buffer) {
            return false;
        }
        if self.buffer.starts_with(BOM) {
            self.buffer.advance(BOM.len());
        }
        self.past_first_byte = true;
        true
    }

    /// Where the current line's text ends, and where the next line begins.
    fn line_end(&mut self) -> Option<(usize, usize)> {
        let rest = self.buffer.get(self.searched..)?;
        let Some(found) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            self.searched = self.buffer.len();
            return None;
        };
        let at = self.searched + found;
        self.searched = at;
        match (self.buffer.get(at)?, self.buffer.get(at + 1)) {
            (b'\n', _) => Some((at, at + 1)),
            (_, Some(b'\n')) => Some((at, at + 2)),
            (_, Some(_)) => Some((at, at + 1)),
            (_, None) => None,
        }
    }
}

/// One event: its bytes, known to be UTF-8 and within [`MAX_EVENT`].
#[derive(Clone)]
pub struct SseEvent {
    raw: Bytes,
}

impl std::fmt::Debug for SseEvent {
    /// Content is personal: its length is shown, never its bytes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SseEvent").field("bytes", &self.raw.len()).finish()
    }
}

impl SseEvent {
    fn new(raw: Bytes, limit: usize) -> Result<SseEvent, SseError> {
        if raw.len() > limit {
            return Err(SseError::TooLarge);
        }
        match std::str::from_utf8(&raw) {
            Ok(_) => Ok(SseEvent { raw }),
            Err(_) => Err(SseError::NotUtf8),
        }
    }

    /// The bytes as they came.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The `data` lines joined, `None` where there are none (a comment, a lone blank line).
    pub fn data(&self) -> Option<Cow<'_, str>> {
        let mut lines = self.lines().filter_map(Line::data);
        let first = lines.next()?;
        let Some(second) = lines.next() else { return Some(Cow::Borrowed(first)) };
        let mut joined = format!("{first}\n{second}");
        for line in lines {
            joined.push('\n');
            joined.push_str(line);
        }
        Some(Cow::Owned(joined))
    }

    /// The event with other data and each further line as `other` returns it; all else stays as it came.
    pub fn rewrite(&self, data: Option<&str>, mut other: impl FnMut(&str) -> Option<String>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.raw.len());
        let mut data = data;
        let mut replaced = false;
        for line in self.lines() {
            let is_data = line.data().is_some();
            match data.take() {
                Some(data) if is_data => {
                    replaced = true;
                    for text in data.split('\n') {
                        out.extend_from_slice(b"data: ");
                        out.extend_from_slice(text.as_bytes());
                        out.extend_from_slice(line.end.as_bytes());
                    }
                    continue;
                }
                kept => data = kept,
            }
            if is_data && replaced {
                continue;
            }
            match if is_data { None } else { other(line.text) } {
                Some(text) => out.extend_from_slice(text.as_bytes()),
                None => out.extend_from_slice(line.text.as_bytes()),
            }
            out.extend_from_slice(line.end.as_bytes());
        }
        out
    }

    /// The lines that hold no data: comments, `event`, `id`, `retry` and unknown fields.
    pub fn other_lines(&self) -> impl Iterator<Item = &str> {
        self.lines().filter(|line| line.data().is_none() && !line.text.is_empty()).map(|line| line.text)
    }

    fn lines(&self) -> Lines<'_> {
        Lines { rest: std::str::from_utf8(&self.raw).unwrap_or_default() }
    }
}

/// One line without its end, and its end.
#[derive(Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    end: &'a str,
}

impl<'a> Line<'a> {
    /// The value of a `data` line: behind the colon, less one leading space.
    fn data(self) -> Option<&'a str> {
        match self.text.split_once(':') {
            Some(("data", value)) => Some(value.strip_prefix(' ').unwrap_or(value)),
            None if self.text == "data" => Some(""),
            _ => None,
        }
    }
}

struct Lines<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
        let (text, behind) = self.rest.split_at(at);
        let width = if behind.starts_with("\r\n") { 2 } else { behind.len().min(1) };
        let (end, rest) = behind.split_at(width);
        self.rest = rest;
        Some(Line { text, end })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(stream: &[u8], size: usize) -> Result<Vec<SseEvent>, SseError> {
        let mut decoder = SseDecoder::new();
        let mut events = Vec::new();
        for chunk in stream.chunks(size) {
            decoder.push(chunk);
            while let Some(event) = decoder.next_event()? {
                events.push(event);
            }
        }
        Ok(events)
    }

    fn check(stream: &str) -> String {
        let rows: Vec<String> = decode(stream.as_bytes(), 1)
            .unwrap()
            .iter()
            .map(|event| {
                let raw = std::str::from_utf8(event.raw()).unwrap();
                format!("{:?} from {raw:?}", event.data())
            })
            .collect();
        rows.join("\n")
    }

    #[test]
    fn lines_end_in_three_ways() {
        insta::assert_snapshot!(check("data: a\n\ndata: b\r\n\r\ndata: c\r\r: x"), @r#"
        Some("a") from "data: a\n\n"
        Some("b") from "data: b\r\n\r\n"
        Some("c") from "data: c\r\r"
        "#);
    }

    #[test]
    fn fields_follow_the_format() {
        insta::assert_snapshot!(check("\u{feff}data:a\ndata:  b\ndata\nevent: e\n\n: ping\n\n\ndatum: x\n\ndata: cut"), @r#"
        Some("a\n b\n") from "data:a\ndata:  b\ndata\nevent: e\n\n"
        None from ": ping\n\n"
        None from "\n"
        None from "datum: x\n\n"
        "#);
    }

    #[test]
    fn rewriting_touches_the_data_alone() {
        let events = decode(b": hi\r\ndata: a\r\nid: 7\r\ndata: b\r\n\r\n", 3).unwrap();
        let text = String::from_utf8(events[0].rewrite(Some("x\ny"), |_| None)).unwrap();
        insta::assert_debug_snapshot!(text, @r#"": hi\r\ndata: x\r\ndata: y\r\nid: 7\r\n\r\n""#);
        let text = String::from_utf8(
            events[0].rewrite(None, |line| line.strip_prefix("id").map(|_| "id: ?".into())),
        );
        insta::assert_debug_snapshot!(text.unwrap(), @r#"": hi\r\ndata: a\r\nid: ?\r\ndata: b\r\n\r\n""#);
    }

    #[test]
    fn bounds_hold() {
        let endless = vec![b'x'; MAX_EVENT + 1];
        assert_eq!(decode(&endless, 4096).unwrap_err(), SseError::TooLarge);
        let mut late = vec![b'x'; MAX_EVENT];
        late.extend_from_slice(b"\n\n");
        assert_eq!(decode(&late, late.len()).unwrap_err(), SseError::TooLarge);
        assert_eq!(decode(b"data: \xff\n\n", 100).unwrap_err(), SseError::NotUtf8);
    }

    proptest! {
        #[test]
        fn chunking_does_not_matter(stream in "(data|event|: |a|\\n|\\r|\\r\\n|é| ){0,40}", size in 1usize..9) {
            let raws = |size| -> Vec<Vec<u8>> {
                decode(stream.as_bytes(), size).unwrap().iter().map(|e| e.raw().to_vec()).collect()
            };
            let whole = raws(stream.len().max(1));
            prop_assert_eq!(&raws(size), &whole);
            prop_assert!(stream.as_bytes().starts_with(&whole.concat()));
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200), size in 1usize..50) {
            let _ = decode(&bytes, size);
        }

        #[test]
        fn rewriting_with_the_same_data_keeps_the_data(a in "[a-z:]{0,9}", b in "[a-z:]{0,9}") {
            let stream = format!("event: x\ndata: {a}\ndata: {b}\n\n");
            let event = &decode(stream.as_bytes(), 1000).unwrap()[0];
            let data = event.data().unwrap().into_owned();
            prop_assert_eq!(String::from_utf8(event.rewrite(Some(&data), |_| None)).unwrap(), stream);
        }
    }
}
