//! What a model's reply offers to later calls to refer to: its id, its words, and the tool calls it asks for.
//!
//! It is listened to as the caller gets it, behind all inspection: that is what comes back in the next request. Whole
//! replies and streams of every format are read by the names of their fields.

use std::collections::BTreeMap;

use super::called::{asked_by, asked_with};
use super::digests::Digests;
use crate::adapt::view::View;
use crate::sse::SseDecoder;

/// Answers of one reply that are told apart; a caller goes on with one of them.
const MAX_ANSWERS: usize = 16;
/// Bytes of an answer that are kept to compare. Long replies have some 150 KB; of a longer one no history is kept.
const MAX_SAID: usize = 256 << 10;
/// Tool calls of one reply. Models ask for a dozen at once.
const MAX_CALLS: usize = 128;
/// Bytes of arguments of one tool call.
const MAX_ARGUMENTS: usize = 64 << 10;

/// A tool call that a model asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// Digest of its id, where it has one.
    pub(super) id: Option<u64>,
    /// Digest of the tool's name.
    pub(super) name: u64,
    /// Digest of what it is to be called with.
    pub(super) with: Option<u64>,
}

/// What was heard and nobody has taken yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// The reply's id.
    pub(super) reply: Option<String>,
    pub(super) wishes: Vec<Wish>,
}

/// Listens to one reply.
#[derive(Default)]
pub(crate) struct Heard {
    decoder: SseDecoder,
    reply: Option<String>,
    /// Its id, once it is told: a stream says it in every event.
    told: Option<String>,
    answers: BTreeMap<u64, String>,
    /// Calls under way, by answer and place.
    calls: BTreeMap<(u64, u64), Call>,
    wishes: Vec<Wish>,
    asked: usize,
    deaf: bool,
}

#[derive(Default)]
struct Call {
    id: Option<String>,
    name: String,
    arguments: String,
}

impl Heard {
    /// Takes the next bytes of a stream. What cannot be read ends the listening and nothing else.
    pub(super) fn listen(&mut self, bytes: &[u8], digests: &Digests) {
        if self.deaf {
            return;
        }
        self.decoder.push(bytes);
        loop {
            match self.decoder.next_event() {
                Ok(Some(event)) => {
                    if let Some(view) = event.data().as_deref().and_then(|data| View::parse(data).ok()) {
                        self.event(view, digests);
                    }
                }
                Ok(None) => return,
                Err(_) => {
                    self.deaf = true;
                    return;
                }
            }
        }
    }

    /// Takes a whole reply.
    pub(super) fn whole(&mut self, body: &[u8], digests: &Digests) {
        let Some(reply) = std::str::from_utf8(body).ok().and_then(|text| View::parse(text).ok()) else {
            return;
        };
        if reply.is_array() {
            // A stream as one list of chunks.
            reply.items().into_iter().for_each(|chunk| self.event(chunk, digests));
        } else {
            self.event(reply, digests);
        }
        self.settle(|_| true, digests);
    }

    /// What is new since it was asked last.
    pub(super) fn news(&mut self) -> News {
        let reply = self.reply.take().filter(|id| !id.is_empty() && self.told.as_ref() != Some(id));
        if reply.is_some() {
            self.told.clone_from(&reply);
        }
        News { reply, wishes: std::mem::take(&mut self.wishes) }
    }

    /// The stream is over. Returns what each answer says; one that only asks for tools says nothing.
    pub(super) fn over(&mut self, digests: &Digests) -> Vec<String> {
        self.settle(|_| true, digests);
        if self.answers.is_empty() && self.asked > 0 {
            return vec![String::new()];
        }
        let answers = std::mem::take(&mut self.answers).into_values();
        answers.filter(|said| said.len() <= MAX_SAID).collect()
    }

    /// One event of a stream, or a whole reply: they share the names of their fields.
    fn event(&mut self, event: View<'_>, digests: &Digests) {
        let mut kind = None;
        let mut index = 0;
        let (mut delta, mut item) = (None, None);
        for (key, value) in event.entries() {
            match key.as_str() {
                "type" => kind = value.string(),
                "index" => index = value.integer().unwrap_or(0),
                "id" | "responseId" => self.reply = value.string().or(self.reply.take()),
                "message" | "response" => {
                    let id = value.get("id").and_then(View::string);
                    self.reply = id.or(self.reply.take());
                }
                "choices" => value.items().into_iter().for_each(|choice| self.choice(choice, digests)),
                "candidates" => value.items().into_iter().for_each(|choice| self.candidate(choice, digests)),
                "content" | "output" => {
                    (0..).zip(value.items()).for_each(|(at, block)| self.block(at, block));
                }
                "content_block" => self.block(index, value),
                "delta" => delta = Some(value),
                "item" => item = Some(value),
                _ => {}
            }
        }
        match (kind.as_deref(), delta) {
            (Some("content_block_delta"), Some(delta)) => {
                if let Some(text) = delta.get("text").and_then(View::string) {
                    self.say(0, &text);
                }
                if let Some(piece) = delta.get("partial_json").and_then(View::string) {
                    self.argue((0, index), &piece);
                }
            }
            (Some("content_block_stop"), _) => self.settle(|(_, at)| at == index, digests),
            // An item is whole when it is done; what came of it before is not listened to.
            (Some("response.output_item.done"), _) => {
                item.into_iter().for_each(|item| self.block(0, item));
                self.settle(|_| true, digests);
            }
            _ => {}
        }
    }

    /// An OpenAI choice, whole or in pieces.
    fn choice(&mut self, choice: View<'_>, digests: &Digests) {
        let of = choice.get("index").and_then(View::integer).unwrap_or(0);
        let mut over = false;
        for (key, value) in choice.entries() {
            match key.as_str() {
                "text" => self.say(of, &value.string().unwrap_or_default()),
                "message" | "delta" => {
                    for (key, value) in value.entries() {
                        match key.as_str() {
                            "content" | "refusal" => self.say(of, &value.string().unwrap_or_default()),
                            "tool_calls" => {
                                for (place, call) in (0..).zip(value.items()) {
                                    let at = call.get("index").and_then(View::integer).unwrap_or(place);
                                    let id = call.get("id").and_then(View::string);
                                    self.call((of, at), id, call.get("function"));
                                }
                            }
                            _ => {}
                        }
                    }
                }
                "finish_reason" => over = value.string().is_some_and(|reason| !reason.is_empty()),
                _ => {}
            }
        }
        if over {
            self.settle(|(answer, _)| answer == of, digests);
        }
    }

    /// A Gemini candidate: its parts come whole.
    fn candidate(&mut self, candidate: View<'_>, digests: &Digests) {
        let of = candidate.get("index").and_then(View::integer).unwrap_or(0);
        let parts = candidate.get("content").and_then(|content| content.get("parts"));
        for part in parts.into_iter().flat_map(View::items) {
            if part.get("thought").and_then(View::boolean) == Some(true) {
                continue;
            }
            if let Some(text) = part.get("text").and_then(View::string) {
                self.say(of, &text);
            }
            if let Some(call) = part.get("functionCall") {
                let id = call.get("id").and_then(View::string);
                let at = (of, self.calls.len() as u64);
                self.call(at, id, Some(call));
            }
        }
        self.settle(|(answer, _)| answer == of, digests);
    }

    /// An Anthropic content block, or an item of a response.
    fn block(&mut self, at: u64, block: View<'_>) {
        let text = |key| block.get(key).and_then(View::string);
        match text("type").as_deref() {
            Some("text" | "output_text") => self.say(0, &text("text").unwrap_or_default()),
            Some("message") => {
                let content = block.get("content").into_iter().flat_map(View::items);
                content.for_each(|part| self.block(0, part));
            }
            Some("tool_use") => self.call((0, at), text("id"), Some(block)),
            Some("function_call") => self.call((0, at), text("call_id"), Some(block)),
            _ => {}
        }
    }

    /// What is said of a call: once for a whole one, in pieces for one that is streamed.
    fn call(&mut self, at: (u64, u64), id: Option<String>, says: Option<View<'_>>) {
        if !self.calls.contains_key(&at) {
            if self.asked >= MAX_CALLS {
                return;
            }
            self.asked += 1;
        }
        let call = self.calls.entry(at).or_default();
        call.id = id.filter(|id| !id.is_empty()).or(call.id.take());
        for (key, value) in says.into_iter().flat_map(View::entries) {
            match key.as_str() {
                "name" => call.name.push_str(&value.string().unwrap_or_default()),
                // Of a streamed block the input is empty: it comes in pieces.
                "input" if value.is_object() && value.entries().is_empty() => {}
                "arguments" | "input" | "args" => {
                    let text = value.string().unwrap_or_else(|| value.text().to_owned());
                    append(&mut call.arguments, &text, MAX_ARGUMENTS);
                }
                _ => {}
            }
        }
    }

    fn argue(&mut self, at: (u64, u64), piece: &str) {
        if let Some(call) = self.calls.get_mut(&at) {
            append(&mut call.arguments, piece, MAX_ARGUMENTS);
        }
    }

    fn say(&mut self, answer: u64, text: &str) {
        if text.is_empty() || (self.answers.len() >= MAX_ANSWERS && !self.answers.contains_key(&answer)) {
            return;
        }
        append(self.answers.entry(answer).or_default(), text, MAX_SAID);
    }

    /// Calls that nothing more will be said of become wishes.
    fn settle(&mut self, which: impl Fn((u64, u64)) -> bool, digests: &Digests) {
        let done: Vec<(u64, u64)> = self.calls.keys().copied().filter(|at| which(*at)).collect();
        for call in done.iter().filter_map(|at| self.calls.remove(at)).collect::<Vec<_>>() {
            self.wishes.push(Wish {
                id: call.id.map(|id| digests.of(&[id.as_bytes()])),
                name: asked_by(&call.name, digests),
                with: asked_with(&call.arguments, digests),
            });
        }
    }
}

/// Appends up to the bound and one more byte, by which it is known to be too long.
fn append(to: &mut String, text: &str, most: usize) {
    if to.len() <= most {
        to.push_str(text);
    }
}
