//! What is sensitive in a document, and the document without it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use greffier_event::RedactionAction;

use super::JsonError;
use super::clean::Clean;
use super::context::{Context, key_placeholder};
use super::pointer::Path;
use super::walk::{Text, Token, Walker};
use crate::hints::Hints;
use crate::json::escape::{self, Escape};
use crate::marks::needs_value;
use crate::{Entity, Marks, Rules, Scanner, Span, redact_text};

/// Places told apart; what is found at further ones is counted under the pointer `…`.
pub const MAX_PLACES: usize = 256;

/// JSON in a string in JSON, so many times. Each level is one more pass over what it holds.
pub(crate) const MAX_NESTING: usize = 4;

/// Hits of one kind at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonFinding {
    /// What it is.
    pub entity: Entity,
    /// JSON pointer of the value or key; keys with hits appear redacted.
    pub pointer: String,
    /// How many.
    pub count: u64,
}

/// What inspection found in one document.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// By kind and place, in the order of the document, [`MAX_PLACES`] at most, then one per kind for the rest.
    pub findings: Vec<JsonFinding>,
    hits: Vec<Hit>,
}

/// A hit in the raw document.
#[derive(Clone, Copy, Debug)]
struct Hit {
    entity: Entity,
    start: usize,
    end: usize,
    form: Form,
    /// The number of its finding.
    finding: usize,
    /// In how many strings within each other it stands.
    depth: usize,
}

/// What a hit stands in.
#[derive(Clone, Copy, Debug)]
enum Form {
    Text,
    Number,
    /// A key, and its number among the keys of its object that have hits.
    Key(u32),
}

impl Inspection {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.hits.is_empty()
    }

    /// The kinds found.
    #[must_use]
    pub fn entities(&self) -> BTreeSet<Entity> {
        self.hits.iter().map(|hit| hit.entity).collect()
    }

    /// The document with the chosen hits replaced: in strings and keys by a placeholder, numbers by 0. `raw` is
    /// the document that was inspected; every other byte stays as it is.
    #[must_use]
    pub fn redact(&self, raw: &[u8], choose: impl Fn(Entity) -> bool) -> Vec<u8> {
        self.splice(raw, |hit| choose(hit.entity).then(|| hit.placeholder()))
    }

    /// The document with hits replaced as the rules say about their kind and place.
    #[must_use]
    pub fn replace(&self, raw: &[u8], rules: &Rules, marks: &Marks) -> Vec<u8> {
        self.splice(raw, |hit| {
            let field = self.findings.get(hit.finding).map_or("…", |finding| finding.pointer.as_str());
            let action = rules.action_at(hit.entity, field);
            if !action.hides() {
                return None;
            }
            let may_be_marked = match hit.form {
                Form::Text => true,
                // A number stays one, and two keys must not become the same.
                Form::Number => false,
                Form::Key(_) => action != RedactionAction::Mask,
            };
            let mark = (may_be_marked && needs_value(action))
                .then(|| marks.of(action, hit.entity, &hit.value(raw)))
                .flatten();
            Some(mark.unwrap_or_else(|| hit.placeholder()))
        })
    }

    fn splice(&self, raw: &[u8], replacement: impl Fn(&Hit) -> Option<String>) -> Vec<u8> {
        let mut out = Vec::with_capacity(raw.len());
        let mut copied = 0;
        for hit in &self.hits {
            if let Some(text) = replacement(hit) {
                out.extend_from_slice(raw.get(copied..hit.start).unwrap_or_default());
                out.extend_from_slice(text.as_bytes());
                copied = hit.end;
            }
        }
        out.extend_from_slice(raw.get(copied..).unwrap_or_default());
        out
    }
}

impl Hit {
    fn placeholder(&self) -> String {
        match self.form {
            Form::Text => crate::placeholder(self.entity),
            Form::Number => "0".to_owned(),
            Form::Key(number) => key_placeholder(self.entity, number),
        }
    }

    /// The value found, without the escapes of the strings that it stands in.
    fn value(&self, raw: &[u8]) -> String {
        let written = String::from_utf8_lossy(raw.get(self.start..self.end).unwrap_or_default()).into_owned();
        (0..self.depth).fold(written, |text, _| unescaped(&text))
    }
}

/// A piece of a JSON string without its escapes.
pub(crate) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (plain, behind) = rest.split_at(at);
        out.push_str(plain);
        let length = match escape::read(behind.as_bytes()) {
            Escape::Character(character, length) => {
                out.push(character);
                length
            }
            _ => 1,
        };
        rest = behind.get(length..).unwrap_or_default();
    }
    out + rest
}

pub(super) fn document(
    raw: &str,
    scanner: &Scanner,
    clean: Option<&mut Clean>,
) -> Result<Inspection, JsonError> {
    let mut inspector = Inspector::new(scanner, 0, Hints::default());
    let Some(clean) = clean else {
        inspector.walk(raw)?;
        return Ok(inspector.inspection());
    };
    inspector.clean = std::mem::take(clean);
    inspector.remembers = true;
    std::mem::swap(&mut inspector.context.keys, &mut inspector.clean.keys);
    let walked = inspector.walk(raw);
    std::mem::swap(&mut inspector.context.keys, &mut inspector.clean.keys);
    *clean = std::mem::take(&mut inspector.clean);
    walked.map(|()| inspector.inspection())
}
struct Inspector<'s> {
    scanner: &'s Scanner,
    nesting: usize,
    context: Context,
    path: Path,
    hits: Vec<Hit>,
    findings: Findings,
    /// Per open object, its keys with hits.
    hit_keys: Vec<Vec<HitKey>>,
    /// What is known of texts, where it is remembered.
    clean: Clean,
    remembers: bool,
}

/// A key with hits, whose number may have to change once all keys of its object are known.
struct HitKey {
    text: String,
    spans: Vec<Span>,
    number: u32,
    hits: Range<usize>,
}

impl HitKey {
    /// The key when every hit in it is redacted.
    fn redacted(&self, number: u32) -> String {
        let mut out = String::new();
        let mut copied = 0;
        for span in &self.spans {
            out.push_str(self.text.get(copied..span.start).unwrap_or_default());
            out.push_str(&key_placeholder(span.entity, number));
            copied = span.end;
        }
        out.push_str(self.text.get(copied..).unwrap_or_default());
        out
    }
}

impl<'s> Inspector<'s> {
    fn new(scanner: &'s Scanner, nesting: usize, outside: Hints) -> Self {
        Self {
            scanner,
            nesting,
            context: Context::under(outside),
            path: Path::default(),
            hits: Vec::new(),
            findings: Findings::default(),
            hit_keys: Vec::new(),
            clean: Clean::default(),
            remembers: false,
        }
    }

    fn inspection(self) -> Inspection {
        Inspection { findings: self.findings.list, hits: self.hits }
    }

    /// The hits in a text at the place that the keys above it tell.
    fn scan(&mut self, text: &[u8], place: Hints) -> Vec<Span> {
        if !self.remembers {
            return self.scanner.scan_bytes(text, place);
        }
        if self.clean.has(text, place) {
            return Vec::new();
        }
        let spans = self.scanner.scan_bytes(text, place);
        if spans.is_empty() {
            self.clean.note(text, place);
        }
        spans
    }

    fn walk(&mut self, raw: &str) -> Result<(), JsonError> {
        let mut walker = Walker::new(raw);
        while let Some(token) = walker.next()? {
            match token {
                Token::Open { object } => {
                    self.context.open(object);
                    self.path.open(object);
                    self.hit_keys.push(Vec::new());
                    continue;
                }
                Token::Close => {
                    self.tell_keys_apart(&walker);
                    self.context.close();
                    self.path.close();
                    continue;
                }
                Token::Key(key) => {
                    self.key(&key);
                    continue;
                }
                Token::Text(text) => self.text(&text),
                Token::Number(range) => self.number(raw, range),
                Token::Literal => {}
            }
            self.path.value_done();
        }
        Ok(())
    }

    fn key(&mut self, key: &Text<'_>) {
        if self.context.key_again(&key.text) {
            self.path.key(&key.text);
            return;
        }
        let spans = self.scan(key.text.as_bytes(), self.context.around());
        if spans.is_empty() {
            self.path.key(&key.text);
            self.context.clean_key(&key.text);
        } else {
            self.path.key(&redact_text(&key.text, &spans, |_| true));
            let number = self.context.number_hit_key();
            let first = self.hits.len();
            self.add(&spans, |place| key.raw(place), Form::Key(number));
            if let Some(keys) = self.hit_keys.last_mut() {
                keys.push(HitKey { text: key.text.to_string(), spans, number, hits: first..self.hits.len() });
            }
            self.context.hit_key();
        }
    }

    fn text(&mut self, text: &Text<'_>) {
        if let Some(inner) = self.nested(&text.text) {
            let pointer = self.path.pointer();
            for hit in inner {
                let finding = self.findings.add(hit.entity, &pointer);
                let (start, end) = (text.raw(hit.start), text.raw(hit.end));
                self.hits.push(Hit { start, end, finding, depth: hit.depth + 1, ..hit });
            }
        } else {
            let spans = self.scan(text.text.as_bytes(), self.context.hints());
            self.add(&spans, |place| text.raw(place), Form::Text);
        }
    }

    /// The hits in a string that holds an object or array.
    fn nested(&self, text: &str) -> Option<Vec<Hit>> {
        if self.nesting == MAX_NESTING || !text.trim_start().starts_with(['{', '[']) {
            return None;
        }
        let mut inner = Self::new(self.scanner, self.nesting + 1, self.context.hints());
        inner.walk(text).ok()?;
        Some(inner.hits)
    }

    fn number(&mut self, raw: &str, range: Range<usize>) {
        let number = raw.as_bytes().get(range.clone()).unwrap_or_default();
        let spans = self.scan(number, self.context.hints());
        self.add(&spans, |place| range.start + place, Form::Number);
    }

    fn add(&mut self, spans: &[Span], raw: impl Fn(usize) -> usize, form: Form) {
        if spans.is_empty() {
            return;
        }
        let pointer = self.path.pointer();
        for span in spans {
            let finding = self.findings.add(span.entity, &pointer);
            let (start, end) = (raw(span.start), raw(span.end));
            let depth = usize::from(!matches!(form, Form::Number));
            self.hits.push(Hit { entity: span.entity, start, end, form, finding, depth });
        }
    }

    /// Renumbers keys with hits whose redacted form another key of their object already has.
    fn tell_keys_apart(&mut self, walker: &Walker<'_>) {
        let mut used = BTreeSet::new();
        // Numbers only grow, so that a hostile object costs no more than it has keys.
        let mut least = 1;
        for key in self.hit_keys.pop().unwrap_or_default() {
            let mut number = key.number.max(least);
            while walker.had_key(&key.redacted(number)) || used.contains(&key.redacted(number)) {
                number += 1;
            }
            used.insert(key.redacted(number));
            least = number + 1;
            for hit in self.hits.get_mut(key.hits).unwrap_or_default() {
                hit.form = Form::Key(number);
            }
        }
    }
}

/// Findings, gathered by kind and place.
#[derive(Default)]
struct Findings {
    list: Vec<JsonFinding>,
    places: BTreeMap<(Entity, String), usize>,
}

impl Findings {
    /// Adds one; the number of its finding.
    fn add(&mut self, entity: Entity, pointer: &str) -> usize {
        let mut key = (entity, pointer.to_owned());
        if self.list.len() >= MAX_PLACES && !self.places.contains_key(&key) {
            key.1 = "…".to_owned();
        }
        let next = self.list.len();
        let index = *self.places.entry(key.clone()).or_insert(next);
        match self.list.get_mut(index) {
            Some(finding) => finding.count += 1,
            None => self.list.push(JsonFinding { entity, pointer: key.1, count: 1 }),
        }
        index
    }
}
