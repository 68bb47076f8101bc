//! A streamed reply, governed as it passes: events in, governed bytes out.
//!
//! Text arrives in deltas that cut a number or a name anywhere. So each streamed field (the content of a choice,
//! the arguments of a tool call, a thinking block) runs through a redactor of its own, which holds back what could
//! still become a finding; what it holds when the field ends goes out in one more delta of the same shape. Every
//! other string of an event is inspected where it stands. What nobody changes leaves byte for byte as it came.

mod anthropic;
mod array;
mod channel;
mod completion;
mod event;
mod field;
mod gemini;
mod openai;
mod output;
mod responses;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use greffier_event::{Finding, RedactionAction, Stage};
use greffier_safety::{Entity, Marks, Met, Rules, Scanner, Vault, replace_text};
use serde_json::{Map, Value};

use crate::adapt::view::{View, splice};
use crate::adapt::{Protocol, ReplyFacts, usage_member};
use crate::media;
use crate::sse::{SseDecoder, SseEvent};
pub use array::{ArrayReader, ArrayWriter};
use channel::{Channel, Document, Passed};
use completion::Completion;
use event::{Form, Kind, Reading, Slot};
use field::{Field, is_word};
pub use output::{StreamEnd, StreamError, StreamOutput};

/// Streamed fields per reply. A reply of 128 choices has as many; parallel tool calls stay below that.
const MAX_CHANNELS: usize = 256;

/// Findings kept apart, each under 200 bytes. Past that only types not yet seen are added.
const MAX_FINDINGS: usize = 4096;

/// Governs one streamed reply. See the module.
pub struct StreamGovernor {
    protocol: Protocol,
    form: Form,
    scanner: Arc<Scanner>,
    rules: Rules,
    marks: Marks,
    vault: Vault,
    strip_usage_chunk: bool,
    decoder: SseDecoder,
    channels: BTreeMap<Field, Channel>,
    /// An event that says a choice is finished, until the next one shows whether it is.
    pending: Option<(SseEvent, String)>,
    /// The latest event without its streamed text: further deltas take their outer members from it.
    latest: String,
    /// What a further delta of a field takes over from its latest one, where it is more than that.
    heads: BTreeMap<Field, Map<String, Value>>,
    completion: Completion,
    facts: ReplyFacts,
    findings: Vec<Finding>,
    seen: BTreeSet<Entity>,
    upstream_error: bool,
    over: Over,
    output: StreamOutput,
}

/// Whether a stream goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Not,
    /// Its last event has come.
    Ended,
    /// It was blocked, or could not be read.
    Stopped,
}

impl StreamGovernor {
    /// A governor for the reply to one request. With `strip_usage_chunk` the event that only carries token
    /// counts stays here: the caller did not ask for it.
    pub fn new(
        protocol: Protocol,
        scanner: Arc<Scanner>,
        rules: Rules,
        strip_usage_chunk: bool,
    ) -> StreamGovernor {
        StreamGovernor {
            protocol,
            form: Form::of(protocol),
            scanner,
            rules,
            marks: Marks::default(),
            vault: Vault::default(),
            strip_usage_chunk,
            decoder: SseDecoder::new(),
            channels: BTreeMap::new(),
            pending: None,
            latest: String::new(),
            heads: BTreeMap::new(),
            completion: Completion::default(),
            facts: ReplyFacts::new(protocol),
            findings: Vec::new(),
            seen: BTreeSet::new(),
            upstream_error: false,
            over: Over::Not,
            output: StreamOutput::default(),
        }
    }

    /// The same with what makes hashes.
    #[must_use]
    pub fn marking(mut self, marks: Marks) -> StreamGovernor {
        self.marks = marks;
        self
    }

    /// The same with what the caller's tokens stand for: it gets back what it sent.
    #[must_use]
    pub fn restoring(mut self, vault: Vault) -> StreamGovernor {
        self.vault = vault;
        self
    }

    /// Takes the upstream's next bytes, in whatever pieces they come. After the terminal event, a block or an
    /// error there is nothing more to send.
    ///
    /// # Errors
    /// [`StreamError`] says why the stream has to be cut; what came in the same piece is not sent on.
    pub fn push(&mut self, bytes: &[u8]) -> Result<StreamOutput, StreamError> {
        if self.over == Over::Not {
            self.decoder.push(bytes);
            if let Err(error) = self.run() {
                self.over = Over::Stopped;
                self.output = StreamOutput::default();
                return Err(error);
            }
        }
        Ok(std::mem::take(&mut self.output))
    }

    /// Ends the stream and tells what it was.
    pub fn end(mut self) -> StreamEnd {
        // Where no event says that the reply is over, the last that says a candidate is was the last.
        let last = self.form == Form::Candidates && self.pending.is_some();
        if self.over == Over::Not && self.settle(None).is_err() {
            self.over = Over::Stopped;
        }
        if self.over == Over::Not {
            self.close_all();
        }
        // Whatever stopped the stream, its record holds all that was understood.
        for (field, channel) in &mut self.channels {
            self.completion.append(field, &channel.finish().record);
        }
        let bytes = if self.over == Over::Stopped { Vec::new() } else { self.output.bytes };
        let (completion, truncated) = self.completion.into_json(self.form);
        StreamEnd {
            bytes,
            facts: self.facts,
            findings: self.findings,
            completion,
            truncated,
            complete: self.over == Over::Ended || self.upstream_error || (last && self.over == Over::Not),
            upstream_error: self.upstream_error,
        }
    }

    fn run(&mut self) -> Result<(), StreamError> {
        while self.over == Over::Not {
            let Some(event) = self.decoder.next_event()? else { break };
            self.take(event)?;
        }
        Ok(())
    }

    fn take(&mut self, event: SseEvent) -> Result<(), StreamError> {
        let Some(data) = event.data().map(|data| data.into_owned()) else {
            self.pass(&event, None);
            return Ok(());
        };
        if self.form.says_done() && data.trim() == "[DONE]" {
            self.settle(None)?;
            self.close_all();
            let held = self.render(&event, None);
            self.hold(held);
            return Ok(());
        }
        let Ok(view) = View::parse(&data) else {
            // Broken JSON might be read by a laxer parser than ours; a bare word is text to all of them.
            if data.trim_start().starts_with(['{', '[', '"']) {
                return Err(StreamError::NotJson);
            }
            self.settle(None)?;
            let text = self.inspect_text(&data, "data");
            self.pass(&event, text.as_deref());
            return Ok(());
        };
        let reading = Reading::of(self.form, view, &data);
        self.settle(Some(&reading))?;
        if self.form.waits() && !reading.ends.is_empty() {
            self.pending = Some((event, data));
            return Ok(());
        }
        self.govern(&event, &data, true)
    }

    /// Lets a pending event go: as the end it says it is, unless `next` goes on with the same choice.
    fn settle(&mut self, next: Option<&Reading>) -> Result<(), StreamError> {
        let Some((event, data)) = self.pending.take() else { return Ok(()) };
        if self.over != Over::Not {
            return Ok(());
        }
        let view = View::parse(&data).map_err(|_| StreamError::NotJson)?;
        let ends = Reading::of(self.form, view, &data).ends;
        let more = |slot: &Slot| !slot.text.is_empty() && slot.field.of.is_some_and(|of| ends.contains(&of));
        let goes_on = next.is_some_and(|next| next.slots.iter().any(more));
        self.govern(&event, &data, !goes_on)
    }

    /// One event whose data is JSON. `may_end`: whether what it says is over is over.
    fn govern(&mut self, event: &SseEvent, data: &str, may_end: bool) -> Result<(), StreamError> {
        if self.over != Over::Not {
            return Ok(());
        }
        let view = View::parse(data).map_err(|_| StreamError::NotJson)?;
        let reading = Reading::of(self.form, view, data);
        let skeleton = splice(data, reading.slots.iter().map(|slot| (slot.span.clone(), "\"\"")));
        let inspected = media::inspect(&skeleton, &self.scanner, &self.rules, &self.marks)
            .map_err(|_| StreamError::NotJson)?;
        for finding in &inspected.findings {
            for _ in 0..finding.count {
                self.found(
                    finding.entity,
                    &finding.pointer,
                    self.rules.action_at(finding.entity, &finding.pointer),
                );
            }
        }
        let media::Inspected { forward, record, .. } = inspected;
        let forward = if self.vault.is_empty() { forward } else { self.vault.restore_json(&forward) };
        self.note(&record, view)?;

        for field in self.below(&reading.closes) {
            let held = self.finish(&field);
            self.send_held(&field, &held);
        }
        let (mut texts, mut said) = (Vec::with_capacity(reading.slots.len()), Vec::new());
        for slot in &reading.slots {
            if slot.whole {
                let passed = self.repeat(&slot.field, &slot.text)?;
                said.push(passed.record);
                texts.push(passed.forward);
            } else {
                texts.push(self.advance(&slot.field, &slot.text)?);
                if let Some(head) = self.head(&forward) {
                    self.heads.insert(slot.field.clone(), head);
                }
            }
        }
        for field in self.below(&reading.closes) {
            self.finish(&field);
        }
        if reading.kind == Kind::Terminal && said.len() == reading.slots.len() {
            let whole = reading.refill(self.form, &record, &said)?;
            let reply = View::parse(&whole).ok().and_then(responses::response);
            reply.into_iter().for_each(|reply| self.completion.say_whole(reply.text()));
        }
        self.latest.clone_from(&forward);
        if reading.kind == Kind::Terminal {
            self.close_all();
        } else if may_end {
            for end in &reading.ends {
                self.close(&reading, &mut texts, *end);
            }
        }
        if self.over != Over::Not || (self.strip_usage_chunk && reading.kind == Kind::UsageOnly) {
            return Ok(());
        }
        let same =
            forward == skeleton && reading.slots.iter().zip(&texts).all(|(slot, text)| slot.text == *text);
        let rewritten = if same { None } else { Some(reading.refill(self.form, &forward, &texts)?) };
        let bytes = self.render(event, rewritten.as_deref());
        self.upstream_error |= reading.kind == Kind::Error || self.facts.failed;
        if reading.kind == Kind::Terminal {
            self.hold(bytes);
            return Ok(());
        }
        if self.over == Over::Not {
            self.output.bytes.extend(bytes);
        }
        Ok(())
    }

    /// What an event says beside its streamed text. Names come from the redacted event, counts from the event.
    fn note(&mut self, record: &str, original: View<'_>) -> Result<(), StreamError> {
        let record = View::parse(record).map_err(|_| StreamError::NotJson)?;
        let reading = Reading::of(self.form, record, record.text());
        for (field, text) in reading.notes {
            self.completion.set(field, &text);
        }
        for (field, part) in reading.parts {
            self.completion.append(&field, &format!(",{part}"));
        }
        let of = |view| match self.form {
            Form::Choices | Form::Candidates => Some(view),
            Form::Items => responses::response(view),
            Form::Blocks => anthropic::message(view),
        };
        if let Some(reply) = of(record) {
            self.facts.note_reply(self.protocol, reply);
        }
        let counts = usage_member(self.protocol);
        let usage = of(original).and_then(|reply| reply.get(counts)).or_else(|| original.get(counts));
        self.facts.note_usage(self.protocol, usage);
        Ok(())
    }

    /// The redactors of a field.
    fn channel(&self, field: &Field) -> Channel {
        let place = field.place(self.form);
        let (rules, document) = match (field.is_json_fragment(), self.form) {
            (false, _) => (self.rules.at(&place), Document::None),
            (true, Form::Blocks) => (self.rules.clone(), Document::At(&place)),
            (true, _) => (self.rules.at(&place), Document::InString),
        };
        Channel::new(&self.scanner, rules, &self.marks, &self.vault, document)
    }

    fn open(&mut self, field: &Field) -> Result<(), StreamError> {
        if !self.channels.contains_key(field) {
            if self.channels.len() >= MAX_CHANNELS {
                return Err(StreamError::TooManyFields);
            }
            let channel = self.channel(field);
            self.channels.insert(field.clone(), channel);
        }
        Ok(())
    }

    /// Runs a text that is said whole through redactors like those that its deltas passed: it reads the same. What
    /// was not found in them counts.
    fn repeat(&mut self, field: &Field, text: &str) -> Result<Passed, StreamError> {
        let streamed = self.channels.contains_key(field);
        self.open(field)?;
        let mut again = self.channel(field);
        let mut passed = again.push(text).unwrap_or_default();
        let rest = again.finish();
        passed.forward.push_str(&rest.forward);
        passed.record.push_str(&rest.record);
        passed.findings.extend(rest.findings);
        let findings = std::mem::take(&mut passed.findings);
        let new = self.channels.get_mut(field).map(|channel| channel.unheard(findings)).unwrap_or_default();
        for Met { entity, action } in new {
            self.found(entity, &field.pointer(self.form), action);
        }
        if !streamed {
            self.completion.set(field.clone(), &passed.record);
        }
        Ok(passed)
    }

    /// What a further delta takes over from this event.
    fn head(&self, event: &str) -> Option<Map<String, Value>> {
        let view = View::parse(event).ok().filter(|_| self.form == Form::Items)?;
        responses::head(view)
    }

    /// Runs one delta through its field's redactors; returns what may go on.
    fn advance(&mut self, field: &Field, delta: &str) -> Result<String, StreamError> {
        self.open(field)?;
        let Some(channel) = self.channels.get_mut(field) else { return Ok(String::new()) };
        let passed = channel.push(delta).ok_or(StreamError::AfterEnd)?;
        Ok(self.passed(field, passed))
    }

    /// Ends the fields of one choice or block. What they held joins their text in this very event, where it has
    /// some, and otherwise goes out just before it.
    fn close(&mut self, reading: &Reading, texts: &mut [String], of: u64) {
        let fields: Vec<Field> = self.channels.keys().filter(|field| field.of == Some(of)).cloned().collect();
        for field in fields {
            let held = self.finish(&field);
            let here = reading.slots.iter().rposition(|slot| slot.field == field);
            match here.and_then(|at| texts.get_mut(at)) {
                Some(text) => text.push_str(&held),
                None => self.send_held(&field, &held),
            }
        }
    }

    /// The open fields among some, and below them.
    fn below(&self, fields: &[Field]) -> Vec<Field> {
        let is_below = |field: &&Field| {
            fields.iter().any(|above| above.of == field.of && field.path.starts_with(&above.path))
        };
        if fields.is_empty() { Vec::new() } else { self.channels.keys().filter(is_below).cloned().collect() }
    }

    fn close_all(&mut self) {
        let fields: Vec<Field> = self.channels.keys().cloned().collect();
        for field in fields {
            let held = self.finish(&field);
            self.send_held(&field, &held);
        }
    }

    fn finish(&mut self, field: &Field) -> String {
        let Some(channel) = self.channels.get_mut(field) else { return String::new() };
        let passed = channel.finish();
        self.passed(field, passed)
    }

    /// Keeps the books of a piece of text that left its redactors.
    fn passed(&mut self, field: &Field, passed: Passed) -> String {
        self.completion.append(field, &passed.record);
        for Met { entity, action } in passed.findings {
            self.found(entity, &field.pointer(self.form), action);
        }
        passed.forward
    }

    fn send_held(&mut self, field: &Field, held: &str) {
        if held.is_empty() || self.over != Over::Not {
            return;
        }
        let event = match self.form {
            Form::Choices => openai::delta_event(&self.latest, field, held),
            Form::Items => responses::delta_event(self.heads.get(field), field, held),
            Form::Blocks => anthropic::delta_event(field, held),
            Form::Candidates => gemini::delta_event(&self.latest, field, held),
        };
        self.output.bytes.extend(event.into_bytes());
    }

    fn found(&mut self, entity: Entity, path: &str, action: RedactionAction) {
        if action == RedactionAction::Block && self.over == Over::Not {
            self.over = Over::Stopped;
            self.output.blocked = Some(entity);
        }
        if self.seen.insert(entity) || self.findings.len() < MAX_FINDINGS {
            let path = path.to_owned();
            self.findings.push(Finding { entity: entity.name(), path, stage: Stage::Output, action });
        }
    }

    /// Text outside JSON with its findings taken out; `None` if nothing changes.
    fn inspect_text(&mut self, text: &str, place: &str) -> Option<String> {
        let spans = self.scanner.scan(text);
        let rules = self.rules.at(place);
        for span in &spans {
            self.found(span.entity, place, rules.action(span.entity));
        }
        let redacted = self.vault.restore(&replace_text(text, &spans, &rules, &self.marks));
        (redacted != text).then_some(redacted)
    }

    /// The event's bytes: as they came, unless its data or a line beside it has to change.
    fn render(&mut self, event: &SseEvent, data: Option<&str>) -> Vec<u8> {
        let mut others: Vec<Option<String>> = Vec::new();
        for line in event.other_lines() {
            let word = line.strip_prefix("event: ").is_some_and(|name| name.split('.').all(is_word));
            others.push(if word { None } else { self.inspect_text(line, "event") });
        }
        if data.is_none() && others.iter().all(Option::is_none) {
            return event.raw().to_vec();
        }
        let mut others = others.into_iter();
        event.rewrite(data, |_| others.next().flatten())
    }

    fn pass(&mut self, event: &SseEvent, data: Option<&str>) {
        let bytes = self.render(event, data);
        if self.over == Over::Not {
            self.output.bytes.extend(bytes);
        }
    }

    fn hold(&mut self, terminal: Vec<u8>) {
        if self.over == Over::Not {
            self.over = Over::Ended;
            self.output.terminal = Some(terminal);
        }
    }
}

#[cfg(test)]
mod tests;
