//! Fields as rules name them: `/messages/*/content`, `/patient/**`, `header:x-note`.

/// Segments of a pattern: as deep as any document that a rule could mean.
const MAX_SEGMENTS: usize = 32;
/// Characters of one key: pointers show no more of one.
const MAX_KEY: usize = 64;
/// The places of a call that are no JSON: their whole text is the field.
const PLACES: [&str; 3] = ["path", "query", "body"];

/// A pattern over JSON pointers, in which `*` stands for any key or index and `**` for any number of them; or the
/// name of another place of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// A key as pointers write it.
    Is(String),
    Any,
    Rest,
}

/// Why a text is no pattern of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadField {
    /// It is neither a pointer nor a place.
    #[error(
        "expected a JSON pointer, in which `*` stands for one key and `**` for any number, or `path`, `query`, `body`, \
         `header:NAME`"
    )]
    Form,
    /// It is deeper than any document.
    #[error("expected at most {MAX_SEGMENTS} keys")]
    TooDeep,
    /// No pointer shows that much of a key.
    #[error("expected keys of at most {MAX_KEY} characters")]
    LongKey,
}

/// Whether a field is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fits {
    Yes,
    No,
    /// The pointer is cut.
    Unknown,
}

impl Field {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`BadField`] says what a pattern is.
    pub fn parse(pattern: &str) -> Result<Field, BadField> {
        let is_header =
            pattern.strip_prefix("header:").is_some_and(|name| !name.is_empty() && !name.contains('/'));
        if PLACES.contains(&pattern) || is_header {
            return Ok(Field { segments: vec![Segment::Is(pattern.to_ascii_lowercase())] });
        }
        let keys = pattern.strip_prefix('/').ok_or(BadField::Form)?;
        let segment = |key: &str| match key {
            "*" => Ok(Segment::Any),
            "**" => Ok(Segment::Rest),
            key if key.chars().count() > MAX_KEY => Err(BadField::LongKey),
            key => Ok(Segment::Is(format!("/{key}"))),
        };
        let segments: Vec<Segment> = keys.split('/').map(segment).collect::<Result<_, _>>()?;
        if segments.len() > MAX_SEGMENTS { Err(BadField::TooDeep) } else { Ok(Field { segments }) }
    }

    /// Whether the field at this pointer, or of this name, is meant.
    pub(crate) fn fits(&self, field: &str) -> Fits {
        if field.ends_with('…') {
            return Fits::Unknown;
        }
        let mut keys = Vec::new();
        let mut rest = field;
        while !rest.is_empty() {
            let end = rest.get(1..).and_then(|behind| behind.find('/')).map_or(rest.len(), |at| at + 1);
            let (key, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
            keys.push(key);
            rest = behind;
        }
        if fit(&self.segments, &keys) { Fits::Yes } else { Fits::No }
    }
}

/// Whether keys fit segments. Only the last `**` seen need ever take more, so this is at worst their product.
fn fit(segments: &[Segment], keys: &[&str]) -> bool {
    let (mut segment, mut key) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(this) = keys.get(key) {
        let one = match segments.get(segment) {
            Some(Segment::Rest) => {
                retry = Some((segment, key));
                segment += 1;
                continue;
            }
            Some(Segment::Any) => this.starts_with('/'),
            Some(Segment::Is(name)) => name == this,
            None => false,
        };
        if one {
            (segment, key) = (segment + 1, key + 1);
        } else if let Some((at, taken)) = retry {
            retry = Some((at, taken + 1));
            (segment, key) = (at + 1, taken + 1);
        } else {
            return false;
        }
    }
    segments.get(segment..).unwrap_or_default().iter().all(|left| *left == Segment::Rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, fields: &[&str]) -> String {
        let field = Field::parse(pattern).unwrap();
        fields.iter().map(|at| format!("{at} {:?}; ", field.fits(at))).collect()
    }

    #[test]
    fn patterns_choose_fields() {
        insta::assert_snapshot!(check("/a/*/c", &["/a/0/c", "/a/b/c", "/a/c", "/a/b/c/d", "/a/…"]), @"/a/0/c Yes; /a/b/c Yes; /a/c No; /a/b/c/d No; /a/… Unknown;");
        insta::assert_snapshot!(check("/**/ssn", &["/ssn", "/a/b/ssn", "/ssn/a", "/a/ssn/b/ssn", "ssn", ""]), @"/ssn Yes; /a/b/ssn Yes; /ssn/a No; /a/ssn/b/ssn Yes; ssn No;  No;");
        insta::assert_snapshot!(check("/patient/**", &["/patient", "/patient/a/0", "/other/patient", "path"]), @"/patient Yes; /patient/a/0 Yes; /other/patient No; path No;");
        insta::assert_snapshot!(check("/a~1b", &["/a~1b", "/a/b"]), @"/a~1b Yes; /a/b No;");
        insta::assert_snapshot!(check("header:X-Note", &["header:x-note", "/header:x-note", "query"]), @"header:x-note Yes; /header:x-note No; query No;");
    }

    #[test]
    fn what_is_no_pattern_says_so() {
        assert_eq!(Field::parse("ssn"), Err(BadField::Form));
        assert_eq!(Field::parse("header:"), Err(BadField::Form));
        assert_eq!(Field::parse(&"/a".repeat(33)), Err(BadField::TooDeep));
        assert_eq!(Field::parse(&format!("/{}", "a".repeat(65))), Err(BadField::LongKey));
    }
}
