//! A pattern as a table that is walked byte by byte, with bounds on its length, its size and the time to make it.

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind};

use crate::text::Text;

/// Bytes of a pattern as it is written.
const MAX_WRITTEN: usize = 512;
/// The shortest and the longest that it may find: a stream holds back no more.
const MIN_LENGTH: usize = 3;
const MAX_LENGTH: usize = 256;
/// Bytes of memory on the way to the table, and of the table.
const MAX_NFA: usize = 256 * 1024;
const MAX_WORK: usize = 1024 * 1024;
const MAX_TABLE: usize = 256 * 1024;
/// Groups within groups.
const MAX_NESTING: u32 = 32;

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It is longer than anybody writes.
    #[error("expected at most {MAX_WRITTEN} bytes")]
    TooLong,
    /// It is no regular expression.
    #[error("not a regular expression: {0}")]
    Syntax(String),
    /// It can find half a character.
    #[error("say which characters may stand there, as in `[A-Z0-9 -]`; `(?u:.)` is any one")]
    AnyByte,
    /// It can find text of any length.
    #[error("it has no longest match: write `{{1,20}}` in place of `+` and `*`")]
    Unbounded,
    /// What it finds is too long.
    #[error("it finds up to {0} bytes: at most {MAX_LENGTH} can be held back")]
    TooFar(usize),
    /// What it finds is too short.
    #[error("it finds as little as {0} bytes: expected {MIN_LENGTH} at least")]
    TooNear(usize),
    /// It looks around.
    #[error("leave out `^`, `$` and `\\b`: a value stands alone in any case")]
    LooksAround,
    /// Its table is too large.
    #[error("it is too large: use classes like `[0-9]`, and fewer or shorter repetitions")]
    TooBig,
}

/// A pattern, ready to be walked.
pub(super) struct Pattern {
    table: dense::DFA<Vec<u32>>,
    start: StateID,
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pattern").field("bytes", &self.table.memory_usage()).finish()
    }
}

impl Pattern {
    pub(super) fn new(written: &str) -> Result<Pattern, BadPattern> {
        if written.len() > MAX_WRITTEN {
            return Err(BadPattern::TooLong);
        }
        // Words end where values do, which is asked for anyway.
        let pattern = written.strip_prefix(r"\b").unwrap_or(written);
        let pattern = pattern.strip_suffix(r"\b").unwrap_or(pattern);
        // Of bytes, so that `\d` is ten digits, but never of half a character.
        let syntax = syntax::Config::new().unicode(false).utf8(true).nest_limit(MAX_NESTING);
        let parsed =
            syntax::parse_with(pattern, &syntax).map_err(|error| syntax_error(&error.to_string()))?;
        let facts = parsed.properties();
        if !facts.look_set().is_empty() {
            return Err(BadPattern::LooksAround);
        }
        let shortest = facts.minimum_len().unwrap_or(0);
        match facts.maximum_len() {
            None => return Err(BadPattern::Unbounded),
            Some(longest) if longest > MAX_LENGTH => return Err(BadPattern::TooFar(longest)),
            Some(_) if shortest < MIN_LENGTH => return Err(BadPattern::TooNear(shortest)),
            Some(_) => {}
        }
        let nfa = thompson::Config::new().nfa_size_limit(Some(MAX_NFA)).which_captures(WhichCaptures::None);
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .match_kind(MatchKind::All)
            .accelerate(false)
            .determinize_size_limit(Some(MAX_WORK))
            .dfa_size_limit(Some(MAX_TABLE));
        let table = dense::Builder::new().configure(config).thompson(nfa).syntax(syntax).build(pattern);
        let table = table.map_err(|_| BadPattern::TooBig)?;
        let start = table.start_state(&start::Config::new().anchored(Anchored::Yes));
        let start = start.map_err(|_| BadPattern::TooBig)?;
        Ok(Pattern { table, start })
    }

    pub(super) fn may_start(&self, byte: u8) -> bool {
        !self.table.is_dead_state(self.table.next_state(self.start, byte))
    }

    /// Where the longest match from `at` on ends. It asks for no more bytes than it may still match.
    pub(super) fn longest(&self, text: &Text<'_>, at: usize) -> Option<usize> {
        let (mut state, mut end, mut longest) = (self.start, at, None);
        // A table tells a match one byte late.
        loop {
            let byte = text.get(end);
            state = match byte {
                Some(byte) => self.table.next_state(state, byte),
                None => self.table.next_eoi_state(state),
            };
            if self.table.is_match_state(state) {
                longest = Some(end);
            }
            if byte.is_none() || self.table.is_dead_state(state) || self.table.is_quit_state(state) {
                return longest;
            }
            end += 1;
        }
    }
}

/// Errors of the parser draw the pattern and point at it; the last line says what is wrong.
fn syntax_error(error: &str) -> BadPattern {
    let last = error.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
    if last.contains("invalid UTF-8") { BadPattern::AnyByte } else { BadPattern::Syntax(last.to_owned()) }
}
