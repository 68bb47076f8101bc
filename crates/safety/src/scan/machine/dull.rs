//! The bytes at which nothing starts, and which say nothing about what follows: most of a text.

use super::Machine;
use crate::find::email;
use crate::text::Text;

/// What a byte may be the start of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Nothing.
    Dull,
    Letter,
    Digit,
    /// A finder looks at every one.
    Telling,
}

fn class(b: u8) -> Class {
    match b {
        b'A'..=b'Z' | b'a'..=b'z' => Class::Letter,
        b'0'..=b'9' => Class::Digit,
        b'-' | b'+' | b'(' | b'=' | b':' | b'%' | b';' | b'>' | b'<' | b'|' | b'\n' => Class::Telling,
        _ if email::is_latin_lead(b) => Class::Telling,
        _ => Class::Dull,
    }
}

impl Machine {
    /// Goes on to the next place that may come to something.
    pub(super) fn skip_dull(&mut self, text: &Text<'_>) {
        let value = self.value.is_some_and(|value| value.end > self.at);
        let password = self.user_info.and_then(|info| info.password).is_some_and(|(_, end)| end > self.at);
        // What was announced may start with any byte, and so may what a cell or the installation's kinds hold.
        if self.at == 0 || value || password || self.columns.in_table() || text.customs.is_some() {
            return;
        }
        let mut before = text.before(self.at, 1).map_or(Class::Dull, class);
        let rest = text.bytes().get(self.at..).unwrap_or_default();
        let dull = rest.iter().position(|&b| {
            let here = class(b);
            let goes_on = match here {
                Class::Dull => true,
                Class::Letter => matches!(before, Class::Letter | Class::Digit),
                // Behind letters a number may be glued to its label.
                Class::Digit => before == Class::Digit,
                Class::Telling => false,
            };
            before = here;
            !goes_on
        });
        self.at += dull.unwrap_or(rest.len());
    }
}

/// Whether nothing starts with the byte, and it says nothing about what follows.
pub(super) fn is_dull(b: u8) -> bool {
    class(b) == Class::Dull
}
