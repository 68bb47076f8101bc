//! What is passed over at once: the bytes at which nothing starts, and the words that no finder asks about. Most of a
//! text is made of them.

use super::Machine;
use crate::columns;
use crate::find::email;
use crate::find::encoded;
use crate::text::Text;
use crate::watched::{self, Watched};

/// What a byte may be the start of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Nothing.
    Dull,
    /// The same, but it may begin a cell of a table.
    Border,
    Small,
    Capital,
    Digit,
    /// A finder looks at every one.
    Telling,
}

/// The classes of all bytes: one look tells.
static CLASSES: [Class; 256] = {
    let mut classes = [Class::Dull; 256];
    let mut b = 0;
    let mut rest: &mut [Class] = &mut classes;
    while let [first, behind @ ..] = rest {
        *first = match b {
            b'a'..=b'z' => Class::Small,
            b'A'..=b'Z' => Class::Capital,
            b'0'..=b'9' => Class::Digit,
            b'-' | b'+' | b'(' | b'=' | b':' | b'%' | b';' | b'>' | b'<' | b'|' | b'\n' => Class::Telling,
            b'\\' | b'[' | b'*' | b'~' => Class::Border,
            _ if email::is_latin_lead(b) => Class::Telling,
            _ => Class::Dull,
        };
        b = b.wrapping_add(1);
        rest = behind;
    }
    classes
};

fn class(b: u8) -> Class {
    CLASSES.get(usize::from(b)).copied().unwrap_or(Class::Telling)
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
        let (bytes, watched) = (text.bytes(), watched::all());
        let calm = self.calm_from();
        let mut before = text.before(self.at, 1).map_or(Class::Dull, class);
        while let Some(&b) = bytes.get(self.at) {
            let here = class(b);
            let next = match here {
                Class::Dull => self.at + 1,
                Class::Border => {
                    if columns::is_border(bytes, self.at) {
                        self.columns.pass_border();
                    }
                    self.at + 1
                }
                // Behind letters a number may be glued to its label.
                Class::Digit if before == Class::Digit => self.at + 1,
                Class::Small | Class::Capital
                    if matches!(before, Class::Small | Class::Capital | Class::Digit) =>
                {
                    self.at + 1
                }
                Class::Small if self.at >= calm => match plain_word(bytes, self.at, self.floor, watched) {
                    Some(end) => end,
                    None => return,
                },
                _ => return,
            };
            before = here;
            self.at = next;
        }
    }
}

/// Where the word in small letters ends that starts at `at`, if no finder asks about it, for what it is or for what
/// stands beside it. The other words take their turn.
fn plain_word(bytes: &[u8], at: usize, floor: usize, watched: &Watched) -> Option<usize> {
    let rest = bytes.get(at..)?;
    // Longer words may encode something.
    let near = rest.get(..encoded::MIN_RUN).unwrap_or(rest);
    let length = near.iter().position(|b| !b.is_ascii_lowercase())?;
    let (word, behind) = rest.split_at_checked(length)?;
    let parted = match behind {
        [b'.' | b'-' | b':', next, ..] => {
            next.is_ascii() && !next.is_ascii_alphanumeric() && !b"_/:".contains(next)
        }
        [b'.' | b'-' | b':'] => false,
        [b'@' | b'_' | b'+' | b'%' | b'/' | b'\'' | b'0'..=b'9' | b'A'..=b'Z', ..] => false,
        [b, ..] => !email::is_latin_lead(*b),
        [] => false,
    };
    let may_be_labelled = || match bytes.get(floor..at)? {
        [.., b',' | b'{' | b'.', b'"' | b'\''] => Some(false),
        [.., b, b'"' | b'\''] => Some(!b.is_ascii_alphanumeric()),
        [.., b] => Some(*b == b'>'),
        [] => None,
    };
    (parted && !watched.has(word) && may_be_labelled() == Some(false)).then_some(at + length)
}

/// Whether nothing starts with the byte, and it says nothing about what follows.
pub(super) fn is_dull(b: u8) -> bool {
    matches!(class(b), Class::Dull | Class::Border)
}
