//! Questions and requests: what was asked for is what the answer holds.

use super::Said;
use super::words::{MAX_WORDS, Words};

/// What was asked for right before, where nothing but the change of speakers and words of courtesy stands between the question and
/// its answer: `What is your SSN?\nuser: sure, it's …`.
pub(super) fn before(behind: &[u8]) -> Option<Said> {
    // What ends a question or a request; a request in plain words needs somebody else to answer.
    let stop = memchr::memrchr(b'.', behind);
    let around = |place: usize| behind.split_at_checked(place);
    let polite = stop.filter(|stop| around(*stop).is_some_and(|(before, _)| before.ends_with(b"please")));
    let told = stop.filter(|stop| {
        around(*stop).is_some_and(|(_, end)| end.starts_with(b".\"}") || end.starts_with(b".\n"))
    });
    let sure = memchr::memrchr(b'?', behind).max(polite);
    let mark = sure.max(told)?;
    let (question, turn) = (behind.get(..mark)?, behind.get(mark + 1..)?);
    // A mark in the middle of a line (`?a=`) ends no question.
    let ends = turn.first().is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'\\'));
    let mut speaker = false;
    let courtesy = turn.split(|b| !b.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).all(|word| {
        let one_of = |words: &[&[u8]]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
        speaker |= one_of(SPEAKERS);
        one_of(SPEAKERS) || one_of(COURTESY)
    });
    if !ends || !courtesy || !speaker && sure != Some(mark) {
        return None;
    }
    let start = memchr::memrchr(b'?', question).map_or(0, |start| start + 1);
    let mut question = question.get(start..)?.trim_ascii_end();
    for place in PLACES {
        question = question.strip_suffix(*place).unwrap_or(question);
    }
    let said = Words::behind(question).said(MAX_WORDS);
    let near = said.something() && !said.crossed && said.distance <= 2;
    near.then_some(Said { distance: 0, asked: true, ..said })
}

/// Where what is asked for is kept.
const PLACES: &[&[u8]] = &[
    b" for me",
    b" on the account",
    b" on your account",
    b" on this account",
    b" on file",
    b" on record",
    b" there",
];

/// Who speaks next, and how a document says that.
const SPEAKERS: &[&[u8]] = &[
    b"role",
    b"user",
    b"assistant",
    b"human",
    b"caller",
    b"customer",
    b"client",
    b"patient",
    b"agent",
    b"me",
    b"bot",
    b"visitor",
    b"guest",
    b"member",
    b"a",
];

/// What stands in front of an answer.
const COURTESY: &[&[u8]] = &[
    b"content",
    b"text",
    b"type",
    b"input",
    b"n",
    b"r",
    b"sure",
    b"yes",
    b"yeah",
    b"yep",
    b"ok",
    b"okay",
    b"it",
    b"its",
    b"is",
    b"s",
    b"the",
    b"that",
    b"my",
    b"of",
    b"course",
    b"thanks",
    b"here",
    b"certainly",
    b"so",
    b"well",
    b"um",
    b"uh",
    b"should",
    b"be",
];
