//! YAML as far as a document's operations need it: maps, lists, and texts. Every scalar is a text.
//!
//! Aliases are refused: a few lines of them can stand for more than fits in memory.

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

use super::document::DocumentError;

/// Nesting that is followed.
const MAX_DEPTH: usize = 128;

/// A map or a list that is not finished.
enum Open {
    Map(Map<String, Value>, Option<String>),
    List(Vec<Value>),
}

/// The first document of a text.
pub(super) fn parse(text: &str) -> Result<Value, DocumentError> {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| at(error.marker(), error.info()))?;
        let whole = match event {
            Event::Scalar(text, ..) => Value::String(text.into_owned()),
            Event::MappingStart(..) | Event::SequenceStart(..) if open.len() == MAX_DEPTH => {
                return Err(at(&span.start, "nested too deeply"));
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => match open.pop() {
                Some(Open::Map(members, _)) => members.into(),
                Some(Open::List(items)) => items.into(),
                None => continue,
            },
            Event::Alias(_) => return Err(at(&span.start, "aliases are not followed: write it out")),
            _ => continue,
        };
        match open.last_mut() {
            None => return Ok(whole),
            Some(Open::List(items)) => items.push(whole),
            Some(Open::Map(members, key)) => match key.take() {
                Some(key) => drop(members.insert(key, whole)),
                None => match whole {
                    Value::String(name) if members.contains_key(&name) => {
                        return Err(at(&span.start, &format!("the key `{name}` stands twice")));
                    }
                    Value::String(name) => *key = Some(name),
                    _ => return Err(at(&span.start, "expected a text as key")),
                },
            },
        }
    }
    Err(DocumentError { place: "/".to_owned(), message: "expected a document".to_owned() })
}

fn at(mark: &saphyr_parser::Marker, message: &str) -> DocumentError {
    let place = format!("line {}, column {}", mark.line(), mark.col() + 1);
    DocumentError { place, message: message.to_owned() }
}
