//! Paths with names in them: the templates of a document, and those that rules are written for.

use percent_encoding::{AsciiSet, CONTROLS};

/// Segments of one pattern: deeper ones are no API that people write.
const MAX_SEGMENTS: usize = 32;

/// What of a decoded value does not stand in a URI as it is.
pub(crate) const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'/')
    .add(b'?')
    .add(b'#')
    .add(b'%')
    .add(b'{')
    .add(b'}')
    .add(b'"')
    .add(b'<')
    .add(b'>');

/// A path's segments, decoded once: `%70atients` is served as `patients`, so it is one.
pub(crate) fn decoded(path: &str) -> Vec<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/')
        .map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}

/// `/patients/{id}/notes/**`: text, `{name}` alone or within a segment, `*` for one segment, `**` for all the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub(super) segments: Vec<Segment>,
    /// Ends with `**`.
    pub(super) open: bool,
}

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Segment {
    /// This text.
    Text(String),
    /// Names between texts: `{file}.{ending}`.
    Mixed(Vec<Piece>),
    /// Anything but nothing, under a name; without one for `*`.
    Name(Option<String>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Piece {
    Text(String),
    Name(String),
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// No slash in front.
    #[error("a path starts with `/`")]
    Start,
    /// `{` without `}`, or nothing between them, or two names without anything between them.
    #[error("`{0}`: expected names in braces, as in `{{id}}`, with text between two of them")]
    Braces(String),
    /// A name twice: nobody could tell which is meant.
    #[error("the name `{0}` stands twice")]
    Twice(String),
    /// `**` not at the end.
    #[error("`**` stands at the end only")]
    Rest,
    /// Too deep.
    #[error("more than 32 segments")]
    Deep,
}

impl Pattern {
    /// The template of a document: stars are text there.
    pub(super) fn template(text: &str) -> Result<Pattern, PatternError> {
        Pattern::read(text, false)
    }

    /// The path of a rule.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        Pattern::read(text, true)
    }

    fn read(text: &str, stars: bool) -> Result<Pattern, PatternError> {
        let path = text.strip_prefix('/').ok_or(PatternError::Start)?;
        let mut pattern = Pattern { segments: Vec::new(), open: false };
        for segment in path.split('/') {
            if pattern.open {
                return Err(PatternError::Rest);
            }
            match segment {
                "**" if stars => pattern.open = true,
                "*" if stars => pattern.segments.push(Segment::Name(None)),
                text => pattern.segments.push(Segment::read(text)?),
            }
            if pattern.segments.len() > MAX_SEGMENTS {
                return Err(PatternError::Deep);
            }
        }
        let mut names: Vec<&str> = pattern.segments.iter().flat_map(Segment::names).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| matches!(pair, [a, b] if a == b)) {
            Some(pair) => Err(PatternError::Twice(pair.concat())),
            None => Ok(pattern),
        }
    }

    /// What the names stand for in a path, if it fits.
    pub(crate) fn capture<'a>(&'a self, path: &'a [String]) -> Option<Vec<(&'a str, &'a str)>> {
        let enough =
            if self.open { path.len() >= self.segments.len() } else { path.len() == self.segments.len() };
        if !enough {
            return None;
        }
        let mut captured = Vec::new();
        for (segment, text) in self.segments.iter().zip(path) {
            captured.extend(segment.capture(text)?);
        }
        Some(captured)
    }

    /// Whether the names in it include this one.
    pub fn has(&self, name: &str) -> bool {
        self.segments.iter().flat_map(Segment::names).any(|known| known == name)
    }

    /// Whether a path that fits the template could fit this one.
    pub(super) fn may_fit(&self, template: &Pattern) -> bool {
        let (ours, theirs) = (&self.segments, &template.segments);
        let long_enough = if self.open { theirs.len() >= ours.len() } else { theirs.len() == ours.len() };
        let meet = |(ours, theirs): (&Segment, &Segment)| match (ours, theirs) {
            (Segment::Text(a), Segment::Text(b)) => a == b,
            (other, Segment::Text(text)) | (Segment::Text(text), other) => other.capture(text).is_some(),
            _ => true,
        };
        long_enough && ours.iter().zip(theirs).all(meet)
    }
}

impl Segment {
    fn read(text: &str) -> Result<Segment, PatternError> {
        let wrong = || PatternError::Braces(text.to_owned());
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}').ok_or_else(wrong)?;
            let adjoins = before.is_empty() && !pieces.is_empty();
            if name.is_empty() || name.contains('{') || before.contains('}') || adjoins {
                return Err(wrong());
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Name(name.to_owned()));
            rest = after;
        }
        if rest.contains('}') {
            return Err(wrong());
        }
        if pieces.is_empty() {
            let text = percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
            return Ok(Segment::Text(text));
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        match pieces.as_slice() {
            [Piece::Name(name)] => Ok(Segment::Name(Some(name.clone()))),
            _ => Ok(Segment::Mixed(pieces)),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let (alone, pieces) = match self {
            Segment::Text(_) => (None, [].as_slice()),
            Segment::Name(name) => (name.as_deref(), [].as_slice()),
            Segment::Mixed(pieces) => (None, pieces.as_slice()),
        };
        let within = pieces.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        });
        alone.into_iter().chain(within)
    }

    pub(super) fn capture<'a>(&'a self, text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        match self {
            Segment::Text(expected) => (expected == text).then(Vec::new),
            // What would be two segments, or the end of a string, to a server is no name of anything.
            _ if text.is_empty() || text.contains(['/', '\\', '\0']) => None,
            Segment::Name(name) => Some(name.iter().map(|name| (name.as_str(), text)).collect()),
            Segment::Mixed(pieces) => mixed(pieces, text),
        }
    }

    /// How much it says: of two that fit, the one that says more is meant.
    pub(super) fn weight(&self) -> usize {
        match self {
            Segment::Text(_) => usize::MAX,
            Segment::Name(_) => 0,
            Segment::Mixed(pieces) => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text.len(),
                    Piece::Name(_) => 0,
                })
                .sum(),
        }
    }
}

/// Each name takes as little as it can, the last one what the end leaves it; linear in the text.
fn mixed<'a>(pieces: &'a [Piece], text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let (mut captured, mut rest, mut left) = (Vec::new(), text, pieces);
    while let [piece, behind @ ..] = left {
        match piece {
            Piece::Text(text) => rest = rest.strip_prefix(text.as_str())?,
            Piece::Name(name) => {
                let end = match behind {
                    [] => rest.len(),
                    [Piece::Text(last)] => {
                        rest.len() - rest.strip_suffix(last.as_str()).map(|_| last.len())?
                    }
                    [Piece::Text(next), ..] => rest.find(next.as_str())?,
                    [Piece::Name(_), ..] => return None,
                };
                let (value, after) = rest.split_at_checked(end).filter(|(value, _)| !value.is_empty())?;
                captured.push((name.as_str(), value));
                rest = after;
            }
        }
        left = behind;
    }
    rest.is_empty().then_some(captured)
}
