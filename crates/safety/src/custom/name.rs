//! Names of kinds that an installation defines.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Class;

/// Characters of a name: it stands in entries, placeholders and tokens.
pub(super) const MAX_NAME: usize = 40;

/// Names and labels that a process learns in all: each is kept for good, so that kinds stay plain values.
const MAX_NAMES: usize = 4096;

/// A text that stays; none if it is one too many.
pub(super) fn kept(text: &str) -> Option<&'static str> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(text) {
        return Some(known);
    }
    if names.len() >= MAX_NAMES {
        return None;
    }
    let text: &'static str = Box::leak(text.to_owned().into_boxed_str());
    names.insert(text);
    Some(text)
}

/// Whether some kind has that name.
pub(crate) fn is_known(name: &str) -> bool {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
}

static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// A kind that an installation defines, or another analyser names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Custom {
    name: &'static str,
    class: Class,
}

impl Custom {
    /// The kind of that name; none if it is no name for a kind, or one too many.
    #[must_use]
    pub fn new(name: &str, class: Class) -> Option<Custom> {
        let good = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        if !(3..=MAX_NAME).contains(&name.len())
            || !name.bytes().all(good)
            || !name.starts_with(|c: char| c.is_ascii_uppercase())
            || name.ends_with('_')
        {
            return None;
        }
        let name = kept(name)?;
        Some(Custom { name, class })
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// What sort of value it is.
    #[must_use]
    pub fn class(self) -> Class {
        self.class
    }
}

impl Serialize for Custom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for Custom {
    /// Only its definition says of which class a kind is.
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("unknown type"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_name() {
        let name = |name: &str| Custom::new(name, Class::Personal).map(Custom::name);
        assert_eq!(name("EMPLOYEE_ID"), Some("EMPLOYEE_ID"));
        assert_eq!(Custom::new("EMPLOYEE_ID", Class::Personal), Custom::new("EMPLOYEE_ID", Class::Personal));
        for bad in ["", "AB", "employee", "1AB", "A-B", "A_B_", "ÄBC", &"A".repeat(41)] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }
}
