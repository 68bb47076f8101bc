//! Inspect once: every string that a caller or an upstream controls, in the form it travels in.
//!
//! Inspection yields three things that travel on together: what was found (types and places, never values), the
//! bytes that may be forwarded under the rules, and the bytes that may be recorded, from which everything found
//! is taken out whatever the rules let through.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use greffier_event::{Call, Content, ContentSafety, Finding, Place, Redaction, RedactionAction, Stage};
use greffier_safety::{Entity, Rules, Scanner, Span, json, redact_text, replace_text, urlenc};
use memchr::memmem;

use crate::clean::CleanNames;
use crate::handling::Handling;
use crate::media;
use crate::remote::{OnFailure, Unanswered};
use crate::settings::Secret;

/// What stands where the caller's own token stood: it goes nowhere, under no rule.
const TOKEN_PLACEHOLDER: &[u8] = b"[CALLER_TOKEN]";

/// Bytes of a token that tell it from nearly everything else.
const TOKEN_BEGINNING: usize = 32;

/// Findings kept per event, after joining equal ones: an entry has 65,535 bytes, and one finding takes up to
/// 300 of them.
const MAX_REDACTIONS: usize = 100;

/// Content whose form could not be read, so that it could not be inspected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Uninspectable {
    #[error("the body is not valid JSON: {0}")]
    Json(#[from] json::JsonError),
    #[error("the {0} is not valid percent-encoded UTF-8")]
    Encoding(&'static str),
}

/// One piece of content after inspection.
pub(crate) struct Inspected {
    /// What was found.
    pub(crate) findings: Vec<Finding>,
    /// The bytes that may travel on.
    pub(crate) forward: Vec<u8>,
    /// The bytes that may be recorded.
    pub(crate) record: Vec<u8>,
    /// Types of the media within, as policies are told.
    pub(crate) media: BTreeSet<String>,
}

/// A call with what inspection made of it. Only [`inspect`] makes one.
#[derive(Debug)]
pub(crate) struct Redacted<C> {
    call: C,
    findings: Vec<Finding>,
    /// Types of the media within, as policies are told.
    media: BTreeSet<String>,
    /// Why another analyser, which was asked, said nothing.
    unanswered: Option<(Unanswered, OnFailure)>,
    forward: Vec<Content>,
    record: Vec<Content>,
}

impl Redacted<Call> {
    /// The call as it came; its contents are spent.
    pub(crate) fn call(&self) -> &Call {
        &self.call
    }

    /// What was found.
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Types of the media within: `media:image`, `media:image/png`.
    pub(crate) fn media(&self) -> impl Iterator<Item = &str> {
        self.media.iter().map(String::as_str)
    }

    /// Why another analyser, which was asked, said nothing, and what that means for the call.
    pub(crate) fn unanswered(&self) -> Option<(Unanswered, OnFailure)> {
        self.unanswered
    }

    /// What may be recorded.
    pub(crate) fn record(&self) -> &[Content] {
        &self.record
    }

    /// What may be forwarded.
    pub(crate) fn forward(&self) -> &[Content] {
        &self.forward
    }

    /// What may be forwarded; taken when it is.
    pub(crate) fn take_forward(&mut self) -> Vec<Content> {
        std::mem::take(&mut self.forward)
    }
}

/// Inspects all that a call carries.
pub(crate) fn inspect(
    inspector: &Inspector,
    mut call: Call,
    handling: &Handling,
    token: &Secret,
    unanswered: Option<(Unanswered, OnFailure)>,
) -> Result<Redacted<Call>, Uninspectable> {
    let contents = std::mem::take(&mut call.contents);
    let mut redacted = Redacted {
        call,
        findings: Vec::new(),
        media: BTreeSet::new(),
        unanswered,
        forward: Vec::new(),
        record: Vec::with_capacity(contents.len()),
    };
    contents.iter().for_each(|content| handling.before(&content.bytes));
    for content in contents {
        let inspected = inspector.content(&content, handling, Stage::Input)?;
        redacted.findings.extend(inspected.findings);
        redacted.media.extend(inspected.media);
        let with = |bytes: Vec<u8>| Content {
            place: content.place.clone(),
            media: content.media.clone(),
            bytes: without_token(bytes, token),
        };
        redacted.forward.push(with(inspected.forward));
        redacted.record.push(with(inspected.record));
    }
    Ok(redacted)
}

/// The compiled detector, shared by all calls.
#[derive(Clone)]
pub(crate) struct Inspector {
    scanner: Arc<Scanner>,
    clean: Arc<CleanNames>,
}

impl Inspector {
    /// Shares `scanner`.
    pub(crate) fn new(scanner: Arc<Scanner>) -> Inspector {
        Inspector { scanner, clean: Arc::default() }
    }

    /// The detector itself, for streams.
    pub(crate) fn scanner(&self) -> Arc<Scanner> {
        Arc::clone(&self.scanner)
    }

    /// Inspects one piece in the form it travels in.
    pub(crate) fn content(
        &self,
        content: &Content,
        handling: &Handling,
        stage: Stage,
    ) -> Result<Inspected, Uninspectable> {
        let media = content.media.as_str();
        match &content.place {
            Place::Path => self.percent_encoded(&content.bytes, urlenc::Form::Path, "path", handling, stage),
            Place::Query => {
                self.percent_encoded(&content.bytes, urlenc::Form::Query, "query", handling, stage)
            }
            Place::Header(name) => Ok(self.text(&content.bytes, &format!("header:{name}"), handling, stage)),
            Place::Body if is_json(media) => self.json(&content.bytes, handling, stage),
            Place::Body if media.starts_with("application/x-www-form-urlencoded") => {
                self.percent_encoded(&content.bytes, urlenc::Form::Query, "body", handling, stage)
            }
            Place::Body => Ok(self.text(&content.bytes, "body", handling, stage)),
        }
    }

    /// A string fit for a leaf: whatever is found in it gives way to its placeholder.
    pub(crate) fn leaf(&self, text: &str) -> String {
        if self.is_clean(text) { text.to_owned() } else { self.scanner.leaf(text) }
    }

    /// A URI fit for a leaf, decoded for inspection.
    pub(crate) fn leaf_uri(&self, uri: &str) -> String {
        let plain = uri.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'%' | b'?' | b'#'));
        if plain && self.is_clean(uri) { uri.to_owned() } else { self.scanner.leaf_uri(uri) }
    }

    /// Whether a subject is personal by itself.
    pub(crate) fn is_personal(&self, subject: &str) -> bool {
        subject.contains('@') || (!self.is_clean(subject) && self.scanner.is_personal(subject))
    }

    /// Whether a string may stand in a leaf as it is: most come again with each call.
    fn is_clean(&self, text: &str) -> bool {
        self.clean.has(text, |text| self.scanner.leaf(text) == text && !self.scanner.has_hit(text))
    }

    fn json(&self, raw: &[u8], handling: &Handling, stage: Stage) -> Result<Inspected, Uninspectable> {
        let rules = handling.rules(stage);
        if let (true, Ok(text)) = (handling.of_model, std::str::from_utf8(raw)) {
            let inspected = media::inspect(text, &self.scanner, rules, handling.marks())?;
            let findings = inspected.findings.iter();
            return Ok(Inspected {
                findings: findings
                    .map(|found| finding(found.entity, found.pointer.clone(), rules, stage))
                    .collect(),
                forward: inspected.forward.into_bytes(),
                record: inspected.record.into_bytes(),
                media: inspected.kinds,
            });
        }
        let inspection = json::inspect(raw, &self.scanner)?;
        let findings = inspection
            .findings
            .iter()
            .map(|found| finding(found.entity, found.pointer.clone(), rules, stage))
            .collect();
        Ok(Inspected {
            findings,
            forward: inspection.replace(raw, rules, handling.marks()),
            record: inspection.redact(raw, |_| true),
            media: BTreeSet::new(),
        })
    }

    fn percent_encoded(
        &self,
        raw: &[u8],
        form: urlenc::Form,
        place: &'static str,
        handling: &Handling,
        stage: Stage,
    ) -> Result<Inspected, Uninspectable> {
        let rules = &handling.rules(stage).at(place);
        let text = std::str::from_utf8(raw).map_err(|_| Uninspectable::Encoding(place))?;
        let inspection = urlenc::inspect(text, form, &self.scanner);
        let findings = inspection
            .findings
            .iter()
            .map(|&entity| finding(entity, place.to_owned(), rules, stage))
            .collect();
        Ok(Inspected {
            findings,
            forward: inspection.replace(text, form, rules, handling.marks()).into_bytes(),
            record: inspection.redact(text, |_| true).into_bytes(),
            media: BTreeSet::new(),
        })
    }

    fn text(&self, raw: &[u8], place: &str, handling: &Handling, stage: Stage) -> Inspected {
        let rules = &handling.rules(stage).at(place);
        // Bytes that are not UTF-8 (an uploaded file) are read as Latin-1: every pattern is ASCII, and the
        // mapping back is exact.
        let (text, latin1) = match std::str::from_utf8(raw) {
            Ok(text) => (Cow::Borrowed(text), false),
            Err(_) => (Cow::Owned(raw.iter().map(|&byte| char::from(byte)).collect::<String>()), true),
        };
        let spans: Vec<Span> = self.scanner.scan(&text);
        let findings =
            spans.iter().map(|span| finding(span.entity, place.to_owned(), rules, stage)).collect();
        let bytes = |out: String| {
            if latin1 {
                out.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
            } else {
                out.into_bytes()
            }
        };
        Inspected {
            findings,
            forward: bytes(replace_text(&text, &spans, rules, handling.marks())),
            record: bytes(redact_text(&text, &spans, |_| true)),
            media: BTreeSet::new(),
        }
    }
}

fn finding(entity: Entity, path: String, rules: &Rules, stage: Stage) -> Finding {
    let action = rules.action_at(entity, &path);
    Finding { entity: entity.name(), path, stage, action }
}

pub(crate) fn without_token(bytes: Vec<u8>, token: &Secret) -> Vec<u8> {
    let needle = token.expose().as_bytes();
    // By its beginning: to prepare a search for all of it costs more than most searches.
    let beginning = needle.get(..TOKEN_BEGINNING).unwrap_or(needle);
    if needle.is_empty() || memmem::find(&bytes, beginning).is_none() {
        return bytes;
    }
    let finder = memmem::Finder::new(needle);
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    while let Some((before, after)) =
        finder.find(rest).and_then(|at| Some((rest.get(..at)?, rest.get(at + needle.len()..)?)))
    {
        out.extend_from_slice(before);
        out.extend_from_slice(TOKEN_PLACEHOLDER);
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

/// Whether a media type is JSON (`application/json`, `application/problem+json`), parameters ignored.
pub(crate) fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// What the event says of findings: equal ones joined and counted, bounded, never a value.
pub(crate) fn summary(findings: &[Finding]) -> ContentSafety {
    let mut counts: BTreeMap<(Stage, &str, &str, RedactionAction), u64> = BTreeMap::new();
    for found in findings {
        *counts.entry((found.stage, found.entity, found.path.as_str(), found.action)).or_default() += 1;
    }
    // Past the bound places are dropped and counts kept, so that no finding goes unmentioned.
    let detailed = counts.len() <= MAX_REDACTIONS;
    let mut redactions: BTreeMap<(Stage, &str, Option<&str>, RedactionAction), u64> = BTreeMap::new();
    for ((stage, entity, path, action), count) in counts {
        *redactions.entry((stage, entity, detailed.then_some(path), action)).or_default() += count;
    }
    ContentSafety {
        pii_detected: !findings.is_empty(),
        redactions: redactions
            .into_iter()
            .map(|((stage, entity, path, action), count)| Redaction {
                action,
                count,
                // A document that is one value has its finding at the root, whose pointer is empty.
                path: path.filter(|path| !path.is_empty()).map(|path| path.chars().take(256).collect()),
                stage,
                entity: entity.to_owned(),
            })
            .collect(),
    }
}
