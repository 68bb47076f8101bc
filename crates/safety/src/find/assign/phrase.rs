//! Passwords of several words: `correct horse battery staple`. What is said about a password has words of grammar in it,
//! a row of words drawn at random has none.

use crate::text::Text;

/// Words of a phrase. Three may be a remark.
const WORDS: std::ops::RangeInclusive<usize> = 4..=10;
/// Letters of each: lists to draw from have no longer ones.
const LETTERS: std::ops::RangeInclusive<usize> = 3..=10;

/// Where the phrase that starts at `at` ends: small letters, one blank between words, and then a mark or nothing.
pub(super) fn end(text: &Text<'_>, at: usize) -> Option<usize> {
    let (mut start, mut words) = (at, 0);
    loop {
        let end = text.run(start, LETTERS.end() + 1, |b| b.is_ascii_lowercase());
        words += 1;
        if !LETTERS.contains(&(end - start))
            || is_function_word(text.slice(start, end))
            || words > *WORDS.end()
        {
            return None;
        }
        if text.get(end) == Some(b' ') && text.get(end + 1).is_some_and(|b| b.is_ascii_lowercase()) {
            start = end + 1;
            continue;
        }
        let ends = match text.get(end) {
            None | Some(b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'<' | b'|' | b'\\' | b')') => true,
            Some(b'.' | b',' | b';' | b'!') => text.get(end + 1).is_none_or(|b| !b.is_ascii_alphanumeric()),
            _ => false,
        };
        return (ends && WORDS.contains(&words)).then_some(end);
    }
}

/// Whether a word belongs to a sentence about a password rather than to one.
pub(super) fn is_function_word(word: &[u8]) -> bool {
    const FUNCTION: &[&[u8]] = &[
        b"the",
        b"a",
        b"an",
        b"to",
        b"is",
        b"are",
        b"was",
        b"were",
        b"not",
        b"no",
        b"your",
        b"our",
        b"my",
        b"his",
        b"her",
        b"their",
        b"its",
        b"it",
        b"in",
        b"on",
        b"at",
        b"of",
        b"for",
        b"and",
        b"or",
        b"but",
        b"with",
        b"by",
        b"from",
        b"into",
        b"must",
        b"should",
        b"can",
        b"cannot",
        b"could",
        b"would",
        b"will",
        b"shall",
        b"may",
        b"might",
        b"be",
        b"been",
        b"being",
        b"has",
        b"have",
        b"had",
        b"do",
        b"does",
        b"did",
        b"if",
        b"when",
        b"then",
        b"than",
        b"that",
        b"this",
        b"these",
        b"those",
        b"there",
        b"here",
        b"who",
        b"what",
        b"which",
        b"how",
        b"why",
        b"too",
        b"very",
        b"only",
        b"also",
        b"again",
        b"later",
        b"now",
        b"soon",
        b"already",
        b"never",
        b"always",
        b"still",
        b"just",
        b"please",
        b"you",
        b"they",
        b"she",
        b"him",
        b"them",
        b"all",
        b"any",
        b"some",
        b"each",
        b"every",
        b"more",
        b"less",
        b"least",
        b"most",
        b"between",
        b"within",
        b"without",
        b"before",
        b"after",
        b"until",
        b"because",
        b"so",
        b"as",
        b"via",
        b"per",
        b"etc",
        b"need",
        b"needs",
        b"required",
        b"requires",
        b"contain",
        b"contains",
        b"minimum",
        b"maximum",
        b"characters",
        b"letters",
        b"digits",
        b"sensitive",
        b"expired",
        b"expires",
        b"incorrect",
        b"wrong",
        b"invalid",
        b"empty",
        b"blank",
        b"stored",
        b"hashed",
        b"saved",
        b"encrypted",
        b"sent",
        b"changed",
        b"reset",
        b"reused",
        b"forgotten",
        b"account",
        b"user",
        b"login",
        b"password",
        b"optional",
        b"mandatory",
        b"field",
        b"stays",
        b"kept",
        b"shared",
        b"policy",
    ];
    FUNCTION.iter().any(|known| word.eq_ignore_ascii_case(known))
}
