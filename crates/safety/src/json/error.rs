//! What is wrong with a document, and where; never what it says.

/// Why bytes are no document that we accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The document is cut short, or there is none.
    #[error("unexpected end")]
    UnexpectedEnd,
    /// A byte that cannot stand there.
    #[error("unexpected character")]
    Unexpected,
    /// Something follows the document.
    #[error("unexpected text behind the document")]
    Trailing,
    /// Deeper than [`super::MAX_DEPTH`].
    #[error("nested deeper than {} levels", super::MAX_DEPTH)]
    TooDeep,
    /// An object has a key twice, and readers disagree which one counts.
    #[error("duplicate key")]
    DuplicateKey,
    /// An escape that JSON does not know, or half of a surrogate pair.
    #[error("invalid escape")]
    BadEscape,
    /// A number that JSON does not know.
    #[error("invalid number")]
    BadNumber,
    /// A control character that a string must escape.
    #[error("control character in a string")]
    ControlCharacter,
}

/// A fault and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid JSON at line {line}, column {column}: {fault}")]
pub struct JsonError {
    /// What is wrong.
    pub fault: JsonFault,
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
}

impl JsonError {
    pub(super) fn new(fault: JsonFault, before: &[u8]) -> Self {
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let continues = |b: &u8| (0x80..0xC0).contains(b);
        let characters =
            before.get(line_start..).unwrap_or_default().iter().filter(|b| !continues(b)).count();
        Self { fault, line: memchr::memchr_iter(b'\n', before).count() + 1, column: characters + 1 }
    }
}

pub(super) fn utf8(raw: &[u8]) -> Result<&str, JsonError> {
    std::str::from_utf8(raw).map_err(|error| {
        JsonError::new(JsonFault::NotUtf8, raw.get(..error.valid_up_to()).unwrap_or_default())
    })
}
