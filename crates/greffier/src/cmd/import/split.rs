//! A file of events, one a line or in one JSON array, as single documents with the lines that they begin at.

use std::io::{self, BufRead, BufReader, Read};

use greffier_event::limits::DOCUMENT_BYTES;
use serde::{Deserialize, Serialize};

/// One event, as it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    /// The line that it begins at, from 1.
    pub(super) line: u64,
    /// Its bytes, or what is wrong with the place.
    pub(super) text: Result<Vec<u8>, &'static str>,
}

/// Where the reading of an input stands: behind a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Bytes from its start.
    pub(super) bytes: u64,
    /// The line that comes next.
    line: u64,
    /// Whether it is a JSON array, and this is inside.
    array: bool,
}

/// Reads documents from `input`, and holds one at a time.
pub(super) struct Documents<R> {
    input: BufReader<R>,
    /// Bytes read past.
    bytes: u64,
    line: u64,
    form: Frame,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    Unknown,
    Lines,
    /// Inside the brackets; whether the next element needs a comma before it.
    Array(bool),
    Done,
}

impl<R: Read> Documents<R> {
    #[cfg(test)]
    fn new(input: BufReader<R>) -> Documents<R> {
        Documents::at(input, Place::default())
    }

    /// Of an input that is at a place where an earlier reading stood.
    pub(super) fn at(input: BufReader<R>, place: Place) -> Documents<R> {
        let Place { bytes, line, array } = place;
        // Nothing was read yet where there is no earlier place.
        let line = line.max(1);
        let form = match (bytes, array) {
            (0, _) => Frame::Unknown,
            (_, true) => Frame::Array(true),
            (_, false) => Frame::Lines,
        };
        Documents { input, bytes, line, form }
    }

    /// Where the reading stands, between two documents.
    pub(super) fn place(&self) -> Place {
        Place { bytes: self.bytes, line: self.line, array: matches!(self.form, Frame::Array(_)) }
    }

    fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.bytes += bytes as u64;
    }

    /// Whether going on may mean waiting for whoever writes.
    pub(super) fn is_used_up(&self) -> bool {
        self.input.buffer().is_empty()
    }

    /// The next document; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Document>> {
        if self.form == Frame::Unknown {
            if self.input.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
                self.consume(3);
            }
            self.form = match self.space()? {
                Some(b'[') => {
                    self.consume(1);
                    Frame::Array(false)
                }
                _ => Frame::Lines,
            };
        }
        match self.form {
            Frame::Array(comma) => self.element(comma),
            Frame::Lines => self.line(),
            Frame::Unknown | Frame::Done => Ok(None),
        }
    }

    fn line(&mut self) -> io::Result<Option<Document>> {
        loop {
            let (line, mut text) = (self.line, Vec::new());
            let read = self.input.by_ref().take(DOCUMENT_BYTES as u64 + 1).read_until(b'\n', &mut text)?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            self.bytes += read as u64;
            if text.last() != Some(&b'\n') && read > DOCUMENT_BYTES {
                self.bytes += self.input.skip_until(b'\n')? as u64;
                return Ok(Some(Document { line, text: Err("it is longer than 32 MiB") }));
            }
            if !text.trim_ascii().is_empty() {
                return Ok(Some(Document { line, text: Ok(text.trim_ascii().to_vec()) }));
            }
        }
    }

    /// An element of the array. What is no JSON at its borders ends the reading: nothing behind it can be told apart.
    fn element(&mut self, comma: bool) -> io::Result<Option<Document>> {
        let broken = |this: &mut Self| {
            this.form = Frame::Done;
            Ok(Some(Document {
                line: this.line,
                text: Err("the JSON array is broken here; the rest was not read"),
            }))
        };
        match self.space()? {
            Some(b']') => {
                self.consume(1);
                return if self.space()?.is_none() {
                    self.form = Frame::Done;
                    Ok(None)
                } else {
                    broken(self)
                };
            }
            Some(b',') if comma => self.consume(1),
            Some(_) if !comma => {}
            _ => return broken(self),
        }
        self.space()?;
        let (line, mut text) = (self.line, Vec::new());
        let (mut depth, mut quoted, mut escaped, mut torn) = (0_usize, false, false, false);
        loop {
            let Some(&byte) = self.input.fill_buf()?.first() else { return broken(self) };
            match byte {
                _ if quoted => {
                    quoted = escaped || byte != b'"';
                    escaped = byte == b'\\' && !escaped;
                }
                b'"' => quoted = true,
                b'{' | b'[' => depth += 1,
                b',' | b']' if depth == 0 => break,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            let ends = byte == b'\n' || byte == b'\r';
            torn |= ends && quoted;
            self.line += u64::from(byte == b'\n');
            self.consume(1);
            // The rest of a longer one is read past.
            if text.len() <= DOCUMENT_BYTES {
                // Between its values JSON does not mind; a document is one line from here on.
                text.push(if ends { b' ' } else { byte });
            }
        }
        self.form = Frame::Array(true);
        let text = match text.trim_ascii() {
            [] => return broken(self),
            _ if torn => Err("a string in it holds a line break"),
            text if text.len() > DOCUMENT_BYTES => Err("it is longer than 32 MiB"),
            text => Ok(text.to_vec()),
        };
        Ok(Some(Document { line, text }))
    }

    /// Passes over white space; the next byte, if there is one.
    fn space(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf()?.first() {
                Some(&byte) if byte.is_ascii_whitespace() => {
                    self.line += u64::from(byte == b'\n');
                    self.consume(1);
                }
                next => return Ok(next.copied()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn check(input: &str) -> String {
        // A small buffer: what is found must not hang on where it ends.
        let mut documents = Documents::new(BufReader::with_capacity(3, input.as_bytes()));
        let mut said = Vec::new();
        while let Some(document) = documents.next().unwrap() {
            let text = document.text.map(|text| String::from_utf8(text).unwrap());
            said.push(format!("{}: {}", document.line, text.unwrap_or_else(str::to_owned)));
        }
        said.join("\n")
    }

    /// Reads on from every place where a reading may stand; it must come to the same.
    fn check_places(input: &str) {
        let all = |mut documents: Documents<&[u8]>| {
            let (mut found, mut places) = (Vec::new(), vec![documents.place()]);
            while let Some(document) = documents.next().unwrap() {
                found.push(document);
                places.push(documents.place());
            }
            (found, places)
        };
        let (found, places) = all(Documents::new(BufReader::with_capacity(7, input.as_bytes())));
        for (read, place) in places.into_iter().enumerate() {
            let rest = &input.as_bytes()[place.bytes as usize..];
            let (on, _) = all(Documents::at(BufReader::with_capacity(7, rest), place));
            assert_eq!(on, found[read..], "{input:?} behind {read}");
        }
    }

    #[test]
    fn from_any_place() {
        check_places("\u{feff}{\"a\":1}\r\n\n \n{\"b\":2}\nnonsense\n\n");
        check_places("[\n  {\"a\": \"]},\\\"\"},\n\n  {\"b\":\n [1,{}]} , {}\n]\n");
        check_places("[]");
        check_places("");
    }

    #[test]
    fn lines() {
        assert_eq!(check(""), "");
        assert_eq!(check("\u{feff}{\"a\":1}\r\n\n \n{\"b\":2}"), "1: {\"a\":1}\n4: {\"b\":2}");
        assert_eq!(check("\n\n{}\nnonsense\n"), "3: {}\n4: nonsense");
    }

    #[test]
    fn an_array() {
        assert_eq!(check("[]"), "");
        assert_eq!(
            check("[\n  {\"a\": \"]},\\\"\"},\n\n  {\"b\":\n [1,{}]}\n]\n"),
            "2: {\"a\": \"]},\\\"\"}\n4: {\"b\":  [1,{}]}"
        );
        // Without a comma they are one, and refused as one.
        assert_eq!(check("[{}\n{}]"), "1: {} {}");
        assert_eq!(check("[{\"a\": \"\n\"},\n{}]"), "1: a string in it holds a line break\n3: {}");
        for (broken, line) in
            [("[", 1), ("[{}", 1), ("[{},", 1), ("[{},\n]", 2), ("[,{}]", 1), ("[{}]\nx", 2)]
        {
            let said = check(broken);
            let last = said.lines().last().unwrap();
            assert!(last.starts_with(&format!("{line}: ")) && last.contains("broken"), "{broken:?}: {said}");
        }
    }
}
