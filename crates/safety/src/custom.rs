//! Kinds that an installation knows and we do not: its own pattern, words that must stand beside it, a checksum.
//!
//! A pattern becomes a table once, at load, with a bound on its size and on the length of what it finds; so a
//! scan walks it byte by byte in the machine of all the other finders, and a stream knows how long to hold back.
//! Its own examples are tried at load: what does not find what it should never comes into force.

mod name;
mod pattern;
mod validator;

use crate::find::Hit;
use crate::hints::Hints;
use crate::text::Text;
use crate::{Class, Entity};

pub use name::Custom;
pub(crate) use name::is_known;
pub use pattern::BadPattern;
pub use validator::Validator;

use pattern::Pattern;

/// Kinds of an installation: a place that one of them may start at is looked at once for each.
pub const MAX_CUSTOM: usize = 64;
/// Words of a kind that may announce it, and characters of one.
const MAX_WORDS: usize = 32;
const MAX_WORD: usize = 32;
/// Words between a word that announces a value and the value.
const MAX_DISTANCE: usize = 6;
/// Examples of a kind, and bytes of one: they are tried at each load.
const MAX_EXAMPLES: usize = 64;
const MAX_EXAMPLE: usize = 4096;

/// One kind as an installation writes it down.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its name, kinds of ours excepted: `EMPLOYEE_ID`.
    pub name: String,
    /// What sort of value it is.
    pub class: Class,
    /// A regular expression for one whole value, which stands alone: neither letters nor digits touch it.
    pub pattern: String,
    /// Words of which one must stand before it or in the key above it; without any it is found everywhere.
    pub context: Vec<String>,
    /// A checksum that it must keep.
    pub validator: Option<Validator>,
    /// Texts in which it must be found.
    pub finds: Vec<String>,
    /// Texts in which it must not.
    pub ignores: Vec<String>,
}

/// Which line of a definition is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// `name`
    Name,
    /// `pattern`
    Pattern,
    /// `context`
    Context,
    /// One of `finds`.
    Finds(usize),
    /// One of `ignores`.
    Ignores(usize),
}

/// Why a definition cannot come into force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDefinition {
    /// The name is no name, or taken.
    #[error(
        "expected 3 to {} capital letters, digits and `_` that begin with a letter, as in EMPLOYEE_ID",
        name::MAX_NAME
    )]
    Name,
    /// A kind of ours has that name.
    #[error("this type is built in: choose another name")]
    BuiltIn,
    /// Another definition has that name.
    #[error("this name stands twice")]
    Twice,
    /// One more than can be.
    #[error("more than {MAX_CUSTOM} types")]
    TooMany,
    /// The pattern cannot be used.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    /// The words cannot be used.
    #[error("expected at most {MAX_WORDS} words of 2 to {MAX_WORD} letters and digits")]
    Context,
    /// Too many examples, or too long ones.
    #[error("expected at most {MAX_EXAMPLES} texts of at most {MAX_EXAMPLE} bytes")]
    Examples,
    /// An example in which nothing is found.
    #[error("nothing of this type is found in this text")]
    NotFound(usize),
    /// An example in which something is found.
    #[error("this type is found in this text")]
    Found(usize),
}

impl BadDefinition {
    /// The line that is wrong.
    #[must_use]
    pub fn line(&self) -> Line {
        match self {
            Self::Name | Self::BuiltIn | Self::Twice | Self::TooMany => Line::Name,
            Self::Pattern(_) => Line::Pattern,
            Self::Context => Line::Context,
            Self::Examples => Line::Finds(0),
            Self::NotFound(at) => Line::Finds(*at),
            Self::Found(at) => Line::Ignores(*at),
        }
    }
}

/// One kind, ready to be looked for.
#[derive(Debug)]
struct Finder {
    entity: Entity,
    pattern: Pattern,
    /// In lower case.
    context: Vec<&'static str>,
    validator: Option<Validator>,
}

/// All kinds of an installation.
#[derive(Debug, Default)]
pub(crate) struct Customs {
    finders: Vec<Finder>,
    /// For each byte, which of them may start with it.
    starts: Vec<u64>,
}

impl Customs {
    /// The kind that is defined, as rules name it.
    pub(crate) fn entity(&self, name: &str) -> Option<Entity> {
        self.finders.iter().map(|finder| finder.entity).find(|entity| entity.name() == name)
    }

    pub(crate) fn entities(&self) -> impl Iterator<Item = Entity> {
        self.finders.iter().map(|finder| finder.entity)
    }

    /// Adds a kind, if its own examples agree.
    pub(crate) fn define(&mut self, definition: &Definition) -> Result<Entity, BadDefinition> {
        if self.finders.len() >= MAX_CUSTOM {
            return Err(BadDefinition::TooMany);
        }
        let finder = Finder::new(definition, self)?;
        let entity = finder.entity;
        finder.try_examples(definition)?;
        self.starts.resize(256, 0);
        for (byte, starts) in (0_u8..=255).zip(&mut self.starts) {
            *starts |= u64::from(finder.pattern.may_start(byte)) << self.finders.len();
        }
        self.finders.push(finder);
        Ok(entity)
    }

    /// The value of one of these kinds that starts at `at`.
    pub(crate) fn find(&self, text: &Text<'_>, at: usize) -> Option<Hit> {
        let mut starting = self.starts.get(usize::from(text.get(at)?)).copied().unwrap_or(0);
        while starting != 0 {
            let finder = self.finders.get(usize::try_from(starting.trailing_zeros()).unwrap_or(usize::MAX));
            if let Some(hit) = finder.and_then(|finder| finder.find(text, at)) {
                return Some(hit);
            }
            starting &= starting - 1;
        }
        None
    }
}

impl Finder {
    fn new(definition: &Definition, others: &Customs) -> Result<Finder, BadDefinition> {
        let Definition { name, class, pattern, context, validator, .. } = definition;
        if Entity::parse(name).is_some() {
            return Err(BadDefinition::BuiltIn);
        }
        if others.entity(name).is_some() {
            return Err(BadDefinition::Twice);
        }
        let custom = Custom::new(name, *class).ok_or(BadDefinition::Name)?;
        let pattern = Pattern::new(pattern)?;
        let good = |word: &String| {
            (2..=MAX_WORD).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        if context.len() > MAX_WORDS || !context.iter().all(good) {
            return Err(BadDefinition::Context);
        }
        let context =
            context.iter().map(|word| name::kept(&word.to_ascii_lowercase())).collect::<Option<_>>();
        let context = context.ok_or(BadDefinition::Context)?;
        Ok(Finder { entity: Entity::Custom(custom), pattern, context, validator: *validator })
    }

    fn find(&self, text: &Text<'_>, at: usize) -> Option<Hit> {
        let joined = |b: u8| b.is_ascii_alphanumeric();
        if text.get(at).is_some_and(joined) && !text.word_start(at) {
            return None;
        }
        let end = self.pattern.longest(text, at)?;
        let value = text.slice(at, end);
        let whole = !value.last().copied().is_some_and(joined) || text.word_end(end);
        let valid = || self.validator.is_none_or(|validator| validator.accepts(value));
        if !whole || text.is_starved() || !valid() {
            return None;
        }
        let hit = Hit::closed(self.entity, end).by(self.validator.map_or("own pattern", Validator::rule));
        if self.context.is_empty() {
            return Some(hit);
        }
        self.announced(text, at).map(|label| hit.said_by(label))
    }

    /// The word that says so: in the key above, or before the value.
    fn announced(&self, text: &Text<'_>, at: usize) -> Option<&'static str> {
        let known = |word: &[u8]| {
            self.context.iter().copied().find(|context| word.eq_ignore_ascii_case(context.as_bytes()))
        };
        let before = words(text.behind(at));
        before
            .rev()
            .take(MAX_DISTANCE)
            .find_map(known)
            .or_else(|| words(text.hints.key()).rev().find_map(known))
    }

    /// Tries the definition's own examples.
    fn try_examples(&self, definition: &Definition) -> Result<(), BadDefinition> {
        let examples = [&definition.finds, &definition.ignores];
        let fits = |list: &&Vec<String>| {
            list.len() <= MAX_EXAMPLES && list.iter().all(|text| text.len() <= MAX_EXAMPLE)
        };
        if !examples.iter().all(fits) {
            return Err(BadDefinition::Examples);
        }
        let found = |text: &String| {
            let text = Text::new(text.as_bytes(), true, Hints::default());
            (0..text.len()).any(|at| self.find(&text, at).is_some())
        };
        if let Some(at) = definition.finds.iter().position(|text| !found(text)) {
            return Err(BadDefinition::NotFound(at));
        }
        if let Some(at) = definition.ignores.iter().position(found) {
            return Err(BadDefinition::Found(at));
        }
        Ok(())
    }
}

/// Words of letters or of digits, split at humps (`badgeNumber`) as well.
fn words(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let together = |a: &u8, b: &u8| {
        a.is_ascii_alphanumeric()
            && b.is_ascii_alphanumeric()
            && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
    };
    text.chunk_by(together).filter(|word| word.first().is_some_and(u8::is_ascii_alphanumeric))
}

#[cfg(test)]
mod tests;
