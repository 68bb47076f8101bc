//! What the surroundings of a value say about it: the JSON keys above it, the words before it.
//!
//! Nine plain digits are a social security number only where something says so, and `1.2.3.4` is a version
//! where something says that. The nearest label decides: what follows `order id` is no social security number,
//! whatever was said before.

use crate::Entity;
use crate::find::person::label::Subject;
use crate::labels::{self, Label, MAX_WORD, Says};
use crate::tags::{self, Tag};

/// How much of a key is read for hints; a key that says what it holds says it early.
pub(crate) const KEY_BYTES: usize = 64;

/// Words that may stand between a label and its value ("SSN on file was last checked 2020: ..."), besides those
/// that say nothing.
const MAX_UNKNOWN: usize = 4;

/// Words that are looked at in all.
const MAX_WORDS: usize = 12;

/// The longest label and one that is joined to it.
const MAX_PHRASE: usize = 6;

/// Digits that make a value of their own: a label in front of them speaks of them.
const VALUE_DIGITS: usize = 4;

/// How much of the key above is remembered: enough for `account` in `{"account":{"number":…}}`.
const TAIL_BYTES: usize = 24;

/// What has been said about a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The nearest label.
    pub(crate) label: Option<&'static Label>,
    /// One that is joined to it: `routing and account number`.
    pub(crate) also: Option<&'static Label>,
    /// Words between the label and the value that are no fillers.
    pub(crate) distance: usize,
    /// The end of a string, of an element or of a line stands between them.
    pub(crate) crossed: bool,
    /// It was asked for right before, and this is the answer.
    pub(crate) asked: bool,
}

impl Said {
    /// Whether anything was said at all.
    pub(crate) fn something(&self) -> bool {
        self.label.is_some()
    }

    /// Whether the label names a number of another kind, right in front of it.
    pub(crate) fn other(&self) -> bool {
        self.distance == 0 && self.label.is_some_and(|label| label.says == Says::Other)
    }

    /// The labels, each with the kinds it announces.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &'static Label> {
        self.label.into_iter().chain(self.also)
    }

    /// The phrase by which this kind was announced.
    pub(crate) fn announces(&self, entity: crate::Entity) -> Option<&'static str> {
        self.labels().find(|label| label.kinds().contains(&entity)).map(|label| label.phrase)
    }

    /// The label of a secret, also where words stand between it and the value.
    pub(crate) fn secret_at_all(&self) -> Option<&'static Label> {
        self.label.filter(|label| label.is_secret())
    }

    /// The label of a secret right in front.
    pub(crate) fn secret(&self) -> Option<&'static Label> {
        self.label.filter(|label| self.distance == 0 && label.is_secret())
    }
}

/// What is known about the place where a text stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    /// What the keys above say.
    pub(crate) said: Said,
    /// The nearest key says version.
    pub(crate) version: bool,
    /// The end of the nearest key.
    tail: [u8; TAIL_BYTES],
    tail_length: usize,
    /// Whom or what place the nearest key speaks of.
    pub(crate) people: Subject,
}

impl Hints {
    /// The end of the nearest key.
    pub(crate) fn key(&self) -> &[u8] {
        self.tail.get(..self.tail_length).unwrap_or_default()
    }

    /// The hints below a key of an object that has these hints.
    pub(crate) fn with_key(self, key: &[u8]) -> Self {
        let key = key.get(..KEY_BYTES).unwrap_or(key);
        // A placeholder: the key is data that was redacted before, and says nothing.
        let key = if key.contains(&b'<') { &[] } else { key };
        let mut path = [0; TAIL_BYTES + 1 + KEY_BYTES];
        let above = self.tail.get(..self.tail_length).unwrap_or_default();
        let (mut end, start) = (0, above.len() + 1);
        for &b in above.iter().chain(b"_").chain(key) {
            if let Some(slot) = path.get_mut(end) {
                *slot = b;
                end += 1;
            }
        }
        let mut words = Words::behind(path.get(..end).unwrap_or_default());
        words.gather(MAX_WORDS);
        let own = words.count_from(start);
        let said = match words.said(own) {
            said if said.something() && (said.distance == 0 || said.secret_at_all().is_none()) => said,
            // `{"password":{"value":…}}`, but not `{"password":{"hint":…}}`.
            _ if self.said.label.is_none_or(|label| label.is_secret()) && !words.are_fillers(own) => {
                Said::default()
            }
            _ => self.said,
        };
        let mut below =
            Self { said, version: says_version_key(key), people: self.people.under(key), ..Self::default() };
        for (slot, &b) in
            below.tail.iter_mut().zip(key.get(key.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default())
        {
            *slot = b;
            below.tail_length += 1;
        }
        below
    }
}

/// What the words at the end of `behind` say about the value that follows.
pub(crate) fn before(behind: &[u8]) -> Said {
    let said = Words::behind(behind).said(MAX_WORDS);
    let near = said.something() && said.distance == 0 && !said.crossed;
    if near && said.secret().is_none() { said } else { asked(behind).unwrap_or(said) }
}

/// What was asked for, where nothing but the change of speakers and words of courtesy stands between the question and
/// its answer: `What is your SSN?\nuser: sure, it's …`.
fn asked(behind: &[u8]) -> Option<Said> {
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

/// Whether the word right at the end may end the label of a secret.
pub(crate) fn ends_secret(behind: &[u8]) -> bool {
    let digits = behind.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let end = behind.len() - digits;
    labels::ends_secret(behind.get(word_start(behind, end)..end).unwrap_or_default())
}

/// Whether one of the two words behind says that a version or another dotted number follows.
pub(crate) fn announces_version(behind: &[u8]) -> bool {
    // Whole words only: in the middle of a random token, any letter would do.
    // Of `upgrade from 1.2.3.4 to 1.2.3.5`, the second is one as well.
    let links = |word: &&[u8]| {
        !word.iter().all(u8::is_ascii_digit) && !matches!(*word, b"to" | b"from" | b"and" | b"or" | b"is")
    };
    behind.split(|b| !b.is_ascii_alphanumeric()).rev().filter(links).take(2).any(says_version)
}

fn says_version_key(key: &[u8]) -> bool {
    key.chunk_by(|a, b| {
        a.is_ascii_alphabetic() == b.is_ascii_alphabetic()
            && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
    })
    .any(says_version)
}

fn says_version(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 18] = [
        b"version",
        b"versions",
        b"ver",
        b"v",
        b"release",
        b"build",
        b"firmware",
        b"oid",
        b"section",
        b"sec",
        b"chapter",
        b"clause",
        b"revision",
        b"rev",
        b"patch",
        b"upgrade",
        b"driver",
        b"sdk",
    ];
    // `AssemblyVersion`
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)) || word.ends_with(b"Version")
}

/// A word, in small letters.
#[derive(Clone, Copy, Default)]
struct Word {
    letters: [u8; MAX_WORD],
    length: usize,
    start: usize,
    /// Part of a token with digits in it, or too long: no word of a language.
    strange: bool,
    /// A `/` or `&` stands behind it.
    joined: bool,
    /// The end of a string, of an element or of a line stands behind it.
    crossed: bool,
}

impl Word {
    fn canonical(&self) -> &[u8] {
        labels::canonical(self.letters.get(..self.length).unwrap_or_default())
    }
}

/// The words at the end of a text, the last first, as far as they were asked for.
struct Words<'t> {
    text: &'t [u8],
    list: [Word; MAX_WORDS],
    count: usize,
    /// Where the next word is looked for; nothing once there is none.
    rest: Option<usize>,
}

impl<'t> Words<'t> {
    fn behind(text: &'t [u8]) -> Self {
        Self { text, list: [Word::default(); MAX_WORDS], count: 0, rest: Some(text.len()) }
    }

    /// Reads words until there are `count`.
    fn gather(&mut self, count: usize) {
        let text = self.text;
        while self.count < count
            && let Some(mut at) = self.rest
            && let Some(slot) = self.list.get_mut(self.count)
        {
            let Some(Gap { end, joined, crossed }) = skip_gap(text, at) else {
                self.rest = None;
                break;
            };
            let start = whole_label(text, word_start(text, end), end);
            at = start;
            self.rest = Some(at);
            // The `s` of `driver's` is no word.
            if end - start == 1
                && matches!(text.get(..start), Some([.., b, b'\'']) if b.is_ascii_alphabetic())
            {
                continue;
            }
            // A token with digits in it names something, and is one word whatever it is made of.
            let digits =
                text.get(end..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
            let numbered = digits > 0
                && (digits > 1 && end + digits < text.len()
                    || text.get(end + digits).is_some_and(u8::is_ascii_alphabetic));
            // The end of an element says nothing about what follows it.
            let closes = text.get(end) == Some(&b'>')
                && text.get(..token_start(text, start)).is_some_and(|before| before.ends_with(b"</"));
            let strange =
                closes || numbered || text.get(start.wrapping_sub(1)).is_some_and(u8::is_ascii_digit);
            if strange {
                at = token_start(text, start);
                self.rest = Some(at);
            }
            let letters = text.get(start..end).unwrap_or_default();
            let strange = strange || letters.len() > MAX_WORD;
            let (letters, length) = labels::small_letters(letters);
            *slot = Word { letters, length, start, strange, joined, crossed };
            self.count += 1;
        }
    }

    fn as_slice(&self) -> &[Word] {
        self.list.get(..self.count).unwrap_or_default()
    }

    /// How many of the words start at or behind a place.
    fn count_from(&self, start: usize) -> usize {
        self.as_slice().iter().take_while(|word| word.start >= start).count()
    }

    fn canonical(&self, index: usize) -> Option<&[u8]> {
        self.as_slice().get(index).filter(|word| !word.strange).map(Word::canonical)
    }

    /// The label that ends with this word.
    fn label(&self, index: usize) -> Option<&'static Label> {
        // No label goes over the end of a string.
        labels::ending(self.canonical(index)?, |n| {
            self.canonical(index + n)
                .filter(|_| !self.as_slice().get(index + n).is_some_and(|word| word.crossed))
        })
    }

    fn are_fillers(&self, count: usize) -> bool {
        (0..count).all(|index| self.label(index).is_some_and(|label| label.says == Says::Filler))
    }

    /// What the nearest label among the last `count` words says.
    fn said(&mut self, count: usize) -> Said {
        let mut distance = 0;
        for index in 0..count {
            self.gather(index + MAX_PHRASE);
            if index >= self.count {
                break;
            }
            match self.label(index) {
                Some(label) if label.says == Says::Filler => {}
                // `mrn_id`: the number of what stands before.
                Some(label) if label.phrase == "id" && self.identifies(index + 1) => {}
                Some(label) if distance == 0 || !label.near => {
                    let also = self.joined(index + label.words());
                    let crossed = self.as_slice().iter().take(index + 1).any(|word| word.crossed);
                    return Said { label: Some(label), also, distance, crossed, asked: false };
                }
                _ => distance += 1,
            }
            if distance > MAX_UNKNOWN {
                break;
            }
        }
        Said::default()
    }

    /// Whether the word names a number that somebody is known by, so that an `id` behind it adds nothing.
    fn identifies(&self, index: usize) -> bool {
        let adjacent = self.as_slice().get(index - 1).is_some_and(|word| !word.crossed);
        let number = |label: &&Label| {
            !label.near
                && !label.is_secret()
                && label
                    .kinds()
                    .first()
                    .is_some_and(|kind| !matches!(kind, Entity::PhoneNumber | Entity::Age))
        };
        adjacent && self.label(index).filter(number).is_some()
    }

    /// The label in front of another, if `and`, `or` or a `/` joins them.
    fn joined(&self, index: usize) -> Option<&'static Label> {
        let joint = matches!(self.canonical(index)?, b"and" | b"or");
        let index = if joint { index + 1 } else { index };
        let slash = self.as_slice().get(index).is_some_and(|word| word.joined);
        (joint || slash).then(|| self.label(index)).flatten().filter(|label| !label.kinds().is_empty())
    }
}

/// What stands between two words.
struct Gap {
    /// Where it starts, and the word before it ends.
    end: usize,
    /// With a `/` or `&` in it.
    joined: bool,
    /// With the end of a string, of an element or of a line in it.
    crossed: bool,
}

/// Skips back over what stands between words. `None` at a barrier: the end of a sentence, another value, a
/// placeholder that stands for one.
fn skip_gap(text: &[u8], end: usize) -> Option<Gap> {
    let (mut at, mut joined, mut crossed, mut digits) = (end, false, false, 0);
    loop {
        let b = *text.get(at.checked_sub(1)?)?;
        if is_letter_at(text, at - 1) {
            return Some(Gap { end: at, joined, crossed });
        }
        crossed |= match b {
            b'"' => matches!(text.get(at), Some(b',' | b'}' | b']')),
            b'<' => text.get(at) == Some(&b'/'),
            // What a line asks for, the next one gives.
            b'\n' => {
                let line = text.get(..at - 1).unwrap_or_default().trim_ascii_end();
                !matches!(line, [] | [.., b'?' | b':' | b'.'])
            }
            _ => false,
        };
        digits = if b.is_ascii_digit() { digits + 1 } else { 0 };
        let ends_sentence = match b {
            b'.' => text.get(at).is_some_and(u8::is_ascii_whitespace) && !abbreviates(text, at - 1),
            b'!' | b';' => true,
            // An empty field: what is said of it is said of nothing else.
            b'|' => text.get(at) == Some(&b'|'),
            b'>' => match tags::read(text, at - 1) {
                Tag::Layout(open) => {
                    (at, digits) = (open, 0);
                    continue;
                }
                tag => matches!(tag, Tag::Mark | Tag::Row),
            },
            _ => digits >= VALUE_DIGITS && !mixed(text, at - 1),
        };
        if ends_sentence {
            return None;
        }
        joined |= matches!(b, b'/' | b'&');
        at -= 1;
    }
}

/// Where the letters, digits, `_` and `-` around a place start.
fn token_start(text: &[u8], at: usize) -> usize {
    let part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    at - text.get(..at).unwrap_or_default().iter().rev().take_while(part).count()
}

/// Whether the digits at `at` belong to a token with letters in it, which is the name of something rather than a value.
fn mixed(text: &[u8], at: usize) -> bool {
    let start =
        at - text.get(..at).unwrap_or_default().iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let behind = text.get(at..).unwrap_or_default();
    let end = at + behind.iter().take_while(|b| b.is_ascii_digit()).count();
    let letter = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphabetic);
    letter(text.get(start.wrapping_sub(1))) || letter(text.get(end))
}

/// Whether the word that ends at a full stop is short enough for an abbreviation: `no.`, `acct.`
fn abbreviates(text: &[u8], end: usize) -> bool {
    end - word_start(text, end) <= 4
}

/// Where the word that ends at `end` starts: at a letter behind none, or at a hump (`customerSsn`).
fn word_start(text: &[u8], end: usize) -> usize {
    let mut at = end;
    while at > 0 && is_letter_at(text, at - 1) {
        let (here, next, after) = (text.get(at - 1), text.get(at), text.get(at + 1));
        let upper = |b: Option<&u8>| b.is_some_and(u8::is_ascii_uppercase);
        // Also `é`, by its last byte.
        let small = |b: &u8| b.is_ascii_lowercase() || matches!(b, 0xA0..=0xBF);
        let lower = |b: Option<&u8>| b.is_some_and(small);
        let hump = lower(here) && upper(next) || upper(here) && upper(next) && at + 1 < end && lower(after);
        // But not the plural of an acronym, `SSNs`.
        let plural = at + 2 == end && after == Some(&b's');
        if at < end && hump && !plural {
            break;
        }
        at -= 1;
    }
    at
}

/// Where the word starts that ends at `end`, if it is a label as a whole in spite of its humps: `DoB`, `IdNr`.
fn whole_label(text: &[u8], hump: usize, end: usize) -> usize {
    if hump == 0 || !is_letter_at(text, hump - 1) {
        return hump;
    }
    let letters = |at: &usize| *at > 0 && is_letter_at(text, *at - 1);
    let start = (0..=MAX_WORD).map(|back| end.saturating_sub(back)).find(|at| !letters(at));
    let Some(start) = start.filter(|start| end - start <= MAX_WORD) else { return hump };
    let whole = text.get(start..end).unwrap_or_default().to_ascii_lowercase();
    let known =
        labels::ending(&whole, |_| None).is_some_and(|label| !label.kinds().is_empty() && !label.near);
    if known { start } else { hump }
}

/// Whether a letter, or a part of one, stands at `at`: of ASCII, Latin, Greek or Cyrillic.
fn is_letter_at(text: &[u8], at: usize) -> bool {
    match text.get(at) {
        Some(0xC3..=0xD3) => true,
        Some(0x80..=0xBF) => matches!(text.get(at.wrapping_sub(1)), Some(0xC3..=0xD3)),
        Some(b) => b.is_ascii_alphabetic(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str) -> String {
        show(Hints::default().with_key(key.as_bytes()).said)
    }

    fn words(text: &str) -> String {
        show(before(text.as_bytes()))
    }

    fn show(said: Said) -> String {
        let mut shown = String::new();
        for label in said.labels() {
            let kind = label.kinds().first().map_or("-", |kind| kind.name());
            shown.push_str(&format!("{}{kind}", if shown.is_empty() { "" } else { "+" }));
        }
        shown
    }

    #[test]
    fn keys_are_read_by_words() {
        for k in
            ["ssn", "SSN", "patient_ssn", "customerSsn", "ssnNumber", "social_security_number", "userSSN"]
        {
            assert_eq!(key(k), "US_SSN", "{k}");
        }
        for k in [
            "socialSecurityNumber",
            "socialsecurity",
            "socialsecuritynumber",
            "Social Security #",
            "SSNumber2",
        ] {
            assert!(key(k) == "US_SSN" || k == "SSNumber2", "{k}");
        }
        for k in ["className", "classname", "sessn", "security", "ssn <US_SSN>", "", "password_hint"] {
            assert_eq!(key(k), "", "{k}");
        }
        assert_eq!(key("driver's_license_no"), "US_DRIVER_LICENSE");
        assert_eq!(key("cvv2"), "CVV");
        assert_eq!(key("social"), "US_SSN");
        assert_eq!(key("numéroDeSécuritéSociale"), "FR_NIR");
        assert_eq!(key("patientOrderId"), "-");
        assert_eq!(key("mrnId"), "MEDICAL_RECORD_NUMBER");
        assert_eq!(key("npi_id"), "US_NPI");
        assert_eq!(key("phone_id"), "-");
        assert_eq!(key("token_id"), "-");
    }

    #[test]
    fn a_key_above_speaks_for_all_below_but_a_version_only_for_its_own() {
        let said = |path: &[&str]| {
            show(path.iter().fold(Hints::default(), |hints, key| hints.with_key(key.as_bytes())).said)
        };
        assert_eq!(said(&["ssn", "value"]), "US_SSN");
        assert_eq!(said(&["ssn", "v"]), "US_SSN");
        assert_eq!(said(&["ssn", "order_id"]), "-");
        assert_eq!(said(&["account", "number"]), "US_BANK_NUMBER");
        assert_eq!(said(&["password", "hint"]), "");
        assert_eq!(said(&["password", "value"]), "PASSWORD");
        assert!(!Hints::default().with_key(b"version").with_key(b"host").version);
    }

    #[test]
    fn words_before_announce_what_follows() {
        for text in
            ["SSN: ", "my social security number is ", "ssn=", "SSN (last checked) ", "\"SSN\": \"", "ssn"]
        {
            assert_eq!(words(text), "US_SSN", "{text}");
        }
        for text in ["order ", "SSN verified, order id ", "order #"] {
            assert_eq!(words(text), "-", "{text}");
        }
        for text in [
            "<US_SSN> ",
            "ssn||||",
            "ssn one two three four five six ",
            "We took the passport. ",
            "ssn 1234 to ",
            "x9ssn ",
        ] {
            assert_eq!(words(text), "", "{text}");
        }
        assert_eq!(words("routing and account number: "), "US_BANK_NUMBER+ABA_ROUTING");
        assert_eq!(words("Acct. No. "), "US_BANK_NUMBER");
        assert_eq!(words("D.O.B. "), "DATE_OF_BIRTH");
        assert_eq!(words("NHS/"), "UK_NHS");
        assert_eq!(words("What is your SSN?\nuser: sure, it's "), "US_SSN");
        assert_eq!(
            words("confirm the date of birth on the account?\"},{\"role\":\"user\",\"content\":\""),
            "DATE_OF_BIRTH"
        );
        assert_eq!(words("Your passport number, please.\nCaller: "), "US_PASSPORT");
        assert_eq!(words("Send the SSN.\"},{\"role\":\"user\",\"content\":\""), "US_SSN");
        for text in [
            "Did you see the SSN? Ann and Bob went there at noon with ",
            "We lost the passports.\nThen came ",
            "We lost the passports.\n",
        ] {
            assert_eq!(words(text), "", "{text}");
        }
        assert_eq!(words("</CardVerificationValue><Street>"), "");
        assert_eq!(words("<CardVerificationValue>"), "CVV");
        assert_eq!(words("DoB: "), "DATE_OF_BIRTH");
        assert_eq!(words("IdNr. "), "DE_TAX_ID");
        assert_eq!(words("<SSN>"), "US_SSN");
        assert_eq!(words("<CVV2>"), "CVV");
        assert_eq!(words("FØDSELSDATO: "), "DATE_OF_BIRTH");
        assert_eq!(words("'d_o_b': '"), "DATE_OF_BIRTH");
        assert_eq!(words("<th>Age</th><td>"), "AGE");
        assert_eq!(words("\"label\":\"bank account\",\"type\":\"text\",\"value\":\""), "US_BANK_NUMBER");
        assert!(before(b"ssn ").announces(Entity::UsSsn).is_some());
        assert!(announces_version(b"version: ") && announces_version(b"release is "));
        assert!(announces_version(b"AssemblyVersion(\""));
        assert!(!announces_version(b"version of the host at ") && !announces_version(b"x9vW "));
    }
}
