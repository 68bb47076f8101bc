//! Contents on their way out: what stands under a telling key gives way while it is written, without a copy.

use greffier_event::{REDACTED, is_redacted};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};

/// An object, sanitised.
pub(crate) struct CleanMap<'a>(pub(crate) &'a Map<String, Value>);

/// Any value, sanitised inside.
pub(crate) struct Clean<'a>(pub(crate) &'a Value);

impl Serialize for CleanMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        members(&mut map, self.0)?;
        map.end()
    }
}

/// Writes the members of an object, sanitised, into one that may hold more.
pub(crate) fn members<M: SerializeMap>(map: &mut M, members: &Map<String, Value>) -> Result<(), M::Error> {
    for (key, value) in members {
        if is_redacted(key, value) {
            map.serialize_entry(key, REDACTED)?;
        } else {
            map.serialize_entry(key, &Clean(value))?;
        }
    }
    Ok(())
}

impl Serialize for Clean<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(members) => CleanMap(members).serialize(serializer),
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Clean(item))?;
                }
                list.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use greffier_event::redact_keys;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::json;

    proptest! {
        /// What is written is what the event crate would have made of a copy.
        #[test]
        fn agrees_with_the_redaction_of_copies(value in json()) {
            let written: Value = serde_json::from_str(&serde_json::to_string(&Clean(&value)).unwrap()).unwrap();
            let mut copy = value;
            redact_keys(&mut copy);
            prop_assert_eq!(written, copy);
        }
    }
}
