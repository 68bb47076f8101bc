//! Letters and digits in groups, as identifiers are written: `QQ 12 34 56 C`, `1EG4-TE5-MK73`.

use crate::text::Text;

/// `D123-4567-8901-23` and `85.07.30-033 28` have five groups, a fiscal code in print six.
const MAX_GROUPS: usize = 8;

/// The longest identifier of interest has 20 characters; one more shows that a run is longer.
const MAX_CHARACTERS: usize = 21;

/// The groups that start at a place.
#[derive(Debug, Default)]
pub(crate) struct Token {
    /// The characters without what stands between them, in capitals.
    characters: [u8; MAX_CHARACTERS],
    /// Per group, how many characters there are up to its end, and where that is.
    ends: [(usize, usize); MAX_GROUPS],
    /// What stands before each group but the first.
    joints: [u8; MAX_GROUPS],
    count: usize,
}

/// An identifier read from a token: its characters in capitals, and where it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id<'t> {
    pub(crate) characters: &'t [u8],
    pub(crate) end: usize,
}

impl Token {
    /// Reads groups from the letter or digit at `at` on, joined by single separators.
    pub(crate) fn read(text: &Text<'_>, at: usize) -> Self {
        let mut token = Self::default();
        let (mut start, mut length) = (at, 0);
        while token.count < MAX_GROUPS {
            let end = text.run(start, MAX_CHARACTERS - length, |b| b.is_ascii_alphanumeric());
            if end == start {
                break;
            }
            for &b in text.slice(start, end) {
                if let Some(slot) = token.characters.get_mut(length) {
                    *slot = b.to_ascii_uppercase();
                    length += 1;
                }
            }
            if let Some(slot) = token.ends.get_mut(token.count) {
                *slot = (length, end);
            }
            token.count += 1;
            let joint = match text.get(end) {
                Some(b @ (b' ' | b'-' | b'.' | b'/')) => b,
                _ => break,
            };
            // Behind a space, what starts small is a word.
            let more = text
                .get(end + 1)
                .is_some_and(|b| b.is_ascii_alphanumeric() && !(joint == b' ' && b.is_ascii_lowercase()));
            if length == MAX_CHARACTERS || !more {
                break;
            }
            if let Some(slot) = token.joints.get_mut(token.count) {
                *slot = joint;
            }
            start = end + 1;
        }
        token
    }

    fn id(&self, count: usize) -> Option<Id<'_>> {
        let &(length, end) = self.ends.get(count.checked_sub(1)?)?;
        Some(Id { characters: self.characters.get(..length)?, end })
    }

    /// The joint behind the first `count` groups, if there are more.
    fn joint_behind(&self, count: usize) -> Option<u8> {
        if count < self.count { self.joints.get(count).copied() } else { None }
    }

    /// The identifier of exactly this many characters, if groups end there and neither a dash nor a dot goes on.
    pub(crate) fn exactly(&self, length: usize) -> Option<Id<'_>> {
        let count = 1 + self.ends.get(..self.count)?.iter().position(|&(have, _)| have == length)?;
        // A space may join another number, but not where spaces already joined single letters or digits.
        matches!(self.joint_behind(count), None | Some(b' ' | b'/')).then(|| self.id(count))?
    }

    /// The groups that no space parts.
    pub(crate) fn unspaced(&self) -> Option<Id<'_>> {
        let joints = self.joints.get(1..self.count)?;
        let count = 1 + joints.iter().take_while(|&&joint| joint == b'-').count();
        (self.joint_behind(count) != Some(b'.')).then(|| self.id(count))?
    }

    /// The groups of digits that one separator joins, up to a group that is none.
    pub(crate) fn digits(&self) -> Option<Id<'_>> {
        let joint = self.joints.get(1).copied()?;
        let groups = (1..=self.count).take_while(|&n| {
            let id = self.id(n).is_some_and(|id| id.characters.iter().all(u8::is_ascii_digit));
            id && (n == 1 || self.joints.get(n - 1) == Some(&joint))
        });
        self.id(groups.count())
    }

    /// Whether the groups have these lengths, and that is all.
    pub(crate) fn laid_out(&self, lengths: &[usize]) -> bool {
        let mut before = 0;
        self.count >= lengths.len()
            && self.ends.iter().zip(lengths).all(|(&(length, _), &want)| {
                let fits = length - before == want;
                before = length;
                fits
            })
    }

    /// What joins the first two groups.
    pub(crate) fn joint(&self) -> Option<u8> {
        self.joint_behind(1)
    }

    /// How many characters the first group has.
    pub(crate) fn first(&self) -> usize {
        self.ends.first().map_or(0, |&(length, _)| length)
    }
}
