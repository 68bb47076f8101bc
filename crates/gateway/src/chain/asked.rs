//! What a request to a model says of the conversation it belongs to.
//!
//! One pass over the body, whatever the wire format: all of them send turns (`messages`, `input`, `contents`), each with
//! a role, texts, and the ids of tool calls and of their results. What is not known here is passed over.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::digests::Digests;
use super::index::{Kind, Mark};
use super::named;

/// Ids and answers kept, the latest ones: what links is at the end of a conversation.
const MAX_KEPT: usize = 64;
/// Text of one turn that counts. A turn that is longer is known by its beginning.
const MAX_TURN: usize = 1 << 20;
/// How deep turns, blocks and results lie in each other.
const MAX_DEPTH: u8 = 8;

/// What a request says.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The provider's own conversation.
    pub(super) conversation: Option<String>,
    /// A session named in the metadata.
    pub(super) session: Option<String>,
    /// The reply it goes on from.
    pub(super) previous: Option<String>,
    /// Tool calls that are spoken of, in order: digests of their ids, and whether it is their result.
    pub(super) calls: Vec<(u64, bool)>,
    /// The conversation up to each answer in it, in order.
    pub(super) answers: Vec<Mark>,
    /// The conversation as it stands, to which the reply will be the answer.
    pub(super) question: Question,
}

/// A conversation that waits for an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Question {
    /// Digest of all turns.
    before: u64,
    /// An answer that has begun already: the reply goes on with it.
    begun: String,
    /// Whether there is any turn at all.
    pub(super) is_asked: bool,
}

impl Question {
    /// The conversation with this answer; one that only asks for tools has no words.
    pub(super) fn answered(&self, said: &str, digests: &Digests) -> Option<Mark> {
        let answer = words(&self.begun) + &words(said);
        self.is_asked.then(|| history(self.before, &answer, digests))
    }

    /// The conversation without one.
    pub(super) fn mark(&self, digests: &Digests) -> Mark {
        digests.mark(Kind::Question, &[&self.before.to_le_bytes(), self.begun.as_bytes()])
    }
}

impl Asked {
    /// Reads a body; of one that is no JSON object, nothing.
    pub(super) fn read(body: &[u8], digests: &Digests) -> Asked {
        let mut turns = Turns::new(digests);
        let mut json = serde_json::Deserializer::from_slice(body);
        if (Reader { at: At::Request, depth: MAX_DEPTH, into: &mut turns }).deserialize(&mut json).is_err() {
            return Asked::default();
        }
        turns.finish()
    }
}

/// Who speaks in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaker {
    Model,
    /// The application; what it says may change from call to call.
    System,
    Other,
}

/// What was read so far.
struct Turns<'d> {
    digests: &'d Digests,
    asked: Asked,
    before: u64,
    any: bool,
    /// The model's turns since the last other one: they are one answer.
    answer: Option<String>,
    /// In which it asks for tools.
    asks: bool,
    speaker: Option<Speaker>,
    text: String,
    /// The turn is a result.
    is_result: bool,
    /// The latest id of a call whose kind is not known yet.
    call: Option<u64>,
    /// The block being read is the model's thought and none of its words.
    thought: bool,
}

impl<'d> Turns<'d> {
    fn new(digests: &'d Digests) -> Turns<'d> {
        Turns {
            digests,
            asked: Asked::default(),
            before: 0,
            any: false,
            answer: None,
            asks: false,
            speaker: None,
            text: String::new(),
            is_result: false,
            call: None,
            thought: false,
        }
    }

    fn say(&mut self, text: &str) {
        let room = MAX_TURN.saturating_sub(self.text.len());
        let end = if text.len() <= room { text.len() } else { text.floor_char_boundary(room) };
        self.text.push_str(text.get(..end).unwrap_or_default());
    }

    fn call(&mut self, id: u64, is_result: bool) {
        self.is_result |= is_result;
        self.asks |= !is_result;
        keep_latest(&mut self.asked.calls, (id, is_result));
    }

    fn turn_over(&mut self) {
        let text = std::mem::take(&mut self.text);
        let (speaker, is_result) = (self.speaker.take(), std::mem::take(&mut self.is_result));
        match speaker {
            Some(Speaker::System) => {}
            Some(Speaker::Model) => {
                self.any = true;
                self.answer.get_or_insert_default().push_str(&text);
            }
            // A call or a thought that stands by itself.
            None if text.is_empty() && !is_result => {
                if self.asks {
                    self.any = true;
                    self.answer.get_or_insert_default();
                }
            }
            _ => {
                self.any = true;
                if let Some(answer) = self.answer.take() {
                    let answer = words(&answer);
                    if std::mem::take(&mut self.asks) || !answer.is_empty() {
                        keep_latest(&mut self.asked.answers, history(self.before, &answer, self.digests));
                    }
                    self.before = self.digests.of(&[b"model", &self.before.to_le_bytes(), answer.as_bytes()]);
                }
                self.before = self.digests.of(&[b"other", &self.before.to_le_bytes(), text.as_bytes()]);
            }
        }
    }

    fn finish(mut self) -> Asked {
        self.asked.question =
            Question { before: self.before, begun: self.answer.unwrap_or_default(), is_asked: self.any };
        self.asked
    }
}

/// A conversation with its answer.
fn history(before: u64, answer: &str, digests: &Digests) -> Mark {
    digests.mark(Kind::History, &[&before.to_le_bytes(), answer.as_bytes()])
}

/// What a text says, however its white space is set: clients trim answers and join their blocks as they like.
fn words(text: &str) -> String {
    text.split_whitespace().collect()
}

fn keep_latest<T>(list: &mut Vec<T>, item: T) {
    if list.len() >= 2 * MAX_KEPT {
        list.drain(..MAX_KEPT);
    }
    list.push(item);
}

/// What stands at a place of the body, by the key above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Request,
    /// All turns; or the one turn, as a text.
    Turns,
    Turn,
    /// Words: a text, or blocks of them.
    Said,
    Role,
    Thought,
    /// Calls that the model asked for.
    Calls,
    Call,
    CallId,
    /// Of a Responses item, which says elsewhere what it is.
    AnyCallId,
    Result,
    ResultId,
    Conversation,
    Metadata,
    UserId,
    Session,
    Previous,
    Nothing,
}

impl At {
    fn below(self, key: &str) -> At {
        match (self, key) {
            (At::Request, "messages" | "input" | "contents") => At::Turns,
            (At::Request, "conversation") => At::Conversation,
            (At::Request, "metadata") => At::Metadata,
            (At::Request, "previous_response_id") => At::Previous,
            (At::Request | At::Metadata, "session_id") => At::Session,
            (At::Metadata, "user_id") => At::UserId,
            (At::Turn, "role") => At::Role,
            (At::Turn | At::Said, "content" | "text" | "parts" | "output" | "refusal") => At::Said,
            (At::Turn | At::Said, "tool_call_id" | "tool_use_id") => At::ResultId,
            (At::Turn | At::Said, "call_id") => At::AnyCallId,
            (At::Turn | At::Said, "tool_calls") => At::Calls,
            (At::Turn | At::Said, "functionCall" | "function_call") => At::Call,
            (At::Turn | At::Said, "functionResponse" | "function_response") => At::Result,
            (At::Said, "thought") => At::Thought,
            // A block's own id is that of a tool's use. A turn's is the provider's.
            (At::Said | At::Call, "id") => At::CallId,
            (At::Result, "id") => At::ResultId,
            (At::Conversation, "id") => At::Conversation,
            _ => At::Nothing,
        }
    }
}

/// Reads the value at one place.
struct Reader<'r, 'd> {
    at: At,
    depth: u8,
    into: &'r mut Turns<'d>,
}

impl<'de> DeserializeSeed<'de> for Reader<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.at == At::Nothing || self.depth == 0 {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(drop);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        let into = self.into;
        match self.at {
            At::Turns => {
                into.say(text);
                into.speaker = Some(Speaker::Other);
                into.turn_over();
            }
            At::Said => into.say(text),
            At::Role => {
                into.speaker = Some(match text {
                    "assistant" | "model" => Speaker::Model,
                    "system" | "developer" => Speaker::System,
                    _ => Speaker::Other,
                });
            }
            At::CallId => into.call(into.digests.of(&[text.as_bytes()]), false),
            At::ResultId => into.call(into.digests.of(&[text.as_bytes()]), true),
            At::AnyCallId => into.call = Some(into.digests.of(&[text.as_bytes()])),
            At::Conversation => into.asked.conversation = named::name(text),
            At::Previous => into.asked.previous = Some(text.to_owned()),
            At::Session => into.asked.session = named::name(text),
            At::UserId => {
                into.asked.session = named::by_user_id(text).or_else(|| into.asked.session.take());
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        if self.at == At::Thought {
            self.into.thought = flag;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Reader { at, depth, into } = self;
        let item = match at {
            At::Turns => At::Turn,
            At::Calls => At::Call,
            At::Said => At::Said,
            _ => At::Nothing,
        };
        loop {
            let reader = Reader { at: item, depth: depth - 1, into: &mut *into };
            if items.next_element_seed(reader)?.is_none() {
                return Ok(());
            }
            if at == At::Turns {
                into.turn_over();
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Reader { at, depth, into } = self;
        let (start, outer) = (into.text.len(), into.call.take());
        let mut has_output = false;
        while let Some(key) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            has_output |= at == At::Turn && key == "output";
            members.next_value_seed(Reader { at: at.below(&key), depth: depth - 1, into: &mut *into })?;
        }
        if let Some(id) = std::mem::replace(&mut into.call, outer) {
            into.call(id, has_output);
        }
        // Not every provider gives calls an id.
        into.asks |= at == At::Call;
        into.is_result |= at == At::Result;
        if std::mem::take(&mut into.thought) {
            into.text.truncate(start);
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
}
