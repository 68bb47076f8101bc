//! A stream in the form of one JSON array: its items become events on the way in, and items again on the way out.

use crate::sse::{MAX_EVENT, SseDecoder};

use super::StreamError;

/// Takes an array apart, in whatever pieces it comes.
#[derive(Default)]
pub struct ArrayReader {
    item: Vec<u8>,
    /// How deep within the array.
    depth: usize,
    in_string: bool,
    escaped: bool,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    Within,
    After,
}

impl ArrayReader {
    /// The items that end within these bytes, each as an event whose data it is.
    ///
    /// # Errors
    /// When it is no array of objects, or an item is beyond the bound of an event.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, StreamError> {
        let mut events = Vec::new();
        for &byte in bytes {
            if self.depth > 0 {
                self.within_item(byte, &mut events)?;
                continue;
            }
            match (self.state, byte) {
                (_, b' ' | b'\n' | b'\r' | b'\t') | (State::Within, b',') => {}
                (State::Before, b'[') => self.state = State::Within,
                (State::Within, b']') => self.state = State::After,
                (State::Within, b'{') => {
                    self.depth = 1;
                    self.item.push(byte);
                }
                _ => return Err(StreamError::NotJson),
            }
        }
        Ok(events)
    }

    fn within_item(&mut self, byte: u8, events: &mut Vec<u8>) -> Result<(), StreamError> {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => self.depth += 1,
            b'}' | b']' if !self.in_string => self.depth -= 1,
            // Between tokens a line may end; the data of an event is one line.
            b'\n' | b'\r' if !self.in_string => return Ok(()),
            _ => {}
        }
        if self.item.len() >= MAX_EVENT {
            return Err(StreamError::Sse(crate::sse::SseError::TooLarge));
        }
        self.item.push(byte);
        if self.depth == 0 {
            events.extend_from_slice(b"data: ");
            events.append(&mut self.item);
            events.extend_from_slice(b"\n\n");
        }
        Ok(())
    }
}

/// Puts the data of events into an array.
#[derive(Default)]
pub struct ArrayWriter {
    events: SseDecoder,
    begun: bool,
}

impl ArrayWriter {
    /// The events as items. They are ours, whole, and within their bound.
    pub fn push(&mut self, events: &[u8]) -> Vec<u8> {
        let mut items = Vec::new();
        self.events.push(events);
        while let Ok(Some(event)) = self.events.next_event() {
            if let Some(data) = event.data() {
                items.extend_from_slice(if self.begun { b",\r\n" } else { b"[" });
                items.extend_from_slice(data.as_bytes());
                self.begun = true;
            }
        }
        items
    }

    /// The array's end.
    pub fn end(&mut self) -> Vec<u8> {
        if self.begun { b"]".to_vec() } else { b"[]".to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through(array: &str, size: usize) -> Result<String, StreamError> {
        let (mut reader, mut writer) = (ArrayReader::default(), ArrayWriter::default());
        let mut out = Vec::new();
        for piece in array.as_bytes().chunks(size) {
            out.extend(writer.push(&reader.push(piece)?));
        }
        out.extend(writer.end());
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn items_go_through_and_nothing_else() {
        let check = |array: &str| through(array, 1);
        assert_eq!(
            check("[{\"a\":\n[1, \"}\\\"]\"]}\n,\r\n{}]\n").unwrap(),
            "[{\"a\":[1, \"}\\\"]\"]},\r\n{}]"
        );
        assert_eq!(check(" [ ]").unwrap(), "[]");
        for other in ["{}", "[1]", "[{}]x", "x"] {
            assert_eq!(check(other), Err(StreamError::NotJson), "{other}");
        }
    }

    proptest! {
        #[test]
        fn cutting_does_not_matter(
            texts in proptest::collection::vec("[a-z\"\\\\\\[\\]{},é\n]{0,8}", 0..5),
            pretty in any::<bool>(),
            size in 1usize..20,
        ) {
            let items: Vec<_> = texts.iter().map(|text| serde_json::json!({"t": [text, {text: 1}]})).collect();
            let array = serde_json::Value::from(items);
            let text = if pretty { serde_json::to_string_pretty(&array).unwrap() } else { array.to_string() };
            let sent: serde_json::Value = serde_json::from_str(&through(&text, size).unwrap()).unwrap();
            prop_assert_eq!(sent, array);
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = ArrayReader::default().push(&bytes);
        }
    }
}
