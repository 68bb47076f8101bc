//! The demo's model provider: it speaks OpenAI's chat and Anthropic's messages, streamed and whole, says the same
//! to the same question, and counts tokens as a real one would. One model fails, one is overloaded once.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::loopback::{self, Answer, Host, Request};

/// The key that the gateway presents in place of the caller's token.
pub(super) const KEY: &str = "demo-upstream-key";
/// The model that always fails.
pub(super) const BROKEN: &str = "gpt-4-turbo";
/// The model that is overloaded when it is first asked.
pub(super) const OVERLOADED: &str = "o3-mini";
/// Requests remembered: what the models saw, to hold against what the trail says they saw.
const REMEMBERED: usize = 256;
/// Bytes of text that make one token, about.
const BYTES_PER_TOKEN: usize = 4;
/// Words that a stream sends at once.
const WORDS_PER_CHUNK: usize = 3;

/// What a question that holds the word is answered with; the first that fits.
const REPLIES: &[(&str, &str)] = &[
    (
        "plan",
        "Plan: open the record, read notes, labs and medication, look at the imaging, then draft the letter.",
    ),
    (
        "draft",
        "Dear colleague, your patient was treated for community-acquired pneumonia. Oxygen was weaned on \
               day three, C-reactive protein fell from 182 to 24. Please review the chest film in six weeks.",
    ),
    ("summarise", "Stable overnight. Fever resolved, white cells falling, antibiotics to continue by mouth."),
    (
        "check",
        "The letter names diagnosis, course, medication and follow-up. One suggestion: state the allergy.",
    ),
    ("call back", "You can reach the family at +1 202-456-1414 after four."),
    ("remittance", "Invoice lines match the tariff; one line has no authorisation number."),
    ("quarter", "Three deals moved to negotiation, two slipped; weighted pipeline is up four per cent."),
    ("renewal", "Two renewals are due this month. The larger one has no meeting booked yet."),
];
const OTHERWISE: &str = "Done. Nothing in this needs your attention before tomorrow.";

/// All models of the demo.
#[derive(Default)]
pub(super) struct Models {
    overloaded_once: AtomicBool,
    seen: Mutex<VecDeque<String>>,
}

impl Models {
    /// The requests that arrived, the latest last, as they arrived.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().map(|seen| seen.iter().cloned().collect()).unwrap_or_default()
    }

    fn remember(&self, request: &Request) {
        let Ok(mut seen) = self.seen.lock() else { return };
        if seen.len() == REMEMBERED {
            seen.pop_front();
        }
        seen.push_back(String::from_utf8_lossy(request.body()).into_owned());
    }
}

impl Host for Models {
    fn answer(&self, request: &Request) -> Answer {
        let Ok(asked) = serde_json::from_slice::<Value>(request.body()) else {
            return failure(StatusCode::BAD_REQUEST, "the body is not JSON");
        };
        if !knows(request.headers()) {
            return failure(StatusCode::UNAUTHORIZED, "that is not the gateway's key");
        }
        self.remember(request);
        let turn = Turn::of(&asked);
        if turn.model == BROKEN {
            return failure(StatusCode::INTERNAL_SERVER_ERROR, "the server had an error");
        }
        if turn.model == OVERLOADED && !self.overloaded_once.swap(true, Ordering::Relaxed) {
            return failure(StatusCode::TOO_MANY_REQUESTS, "rate limit reached, try again");
        }
        match (request.uri().path(), turn.stream) {
            ("/v1/chat/completions", false) => loopback::json(StatusCode::OK, &turn.openai()),
            ("/v1/chat/completions", true) => loopback::events(turn.openai_stream()),
            ("/v1/messages", false) => loopback::json(StatusCode::OK, &turn.anthropic()),
            ("/v1/messages", true) => loopback::events(turn.anthropic_stream()),
            _ => failure(StatusCode::NOT_FOUND, "no such path"),
        }
    }
}

fn knows(headers: &HeaderMap) -> bool {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    header("x-api-key") == Some(KEY)
        || header("authorization").and_then(|value| value.strip_prefix("Bearer ")) == Some(KEY)
}

fn failure(status: StatusCode, message: &str) -> Answer {
    loopback::json(status, &json!({"error": {"message": message, "type": "server_error"}}))
}

/// One question and its reply.
struct Turn {
    model: String,
    stream: bool,
    wants_usage: bool,
    reply: &'static str,
    input: usize,
    output: usize,
}

impl Turn {
    fn of(asked: &Value) -> Turn {
        let text = asked.get("messages").map(Value::to_string).unwrap_or_default();
        let lower = text.to_lowercase();
        let reply =
            REPLIES.iter().find(|(word, _)| lower.contains(word)).map_or(OTHERWISE, |(_, reply)| reply);
        let flag = |pointer| asked.pointer(pointer).and_then(Value::as_bool).unwrap_or(false);
        Turn {
            model: asked.get("model").and_then(Value::as_str).unwrap_or_default().to_owned(),
            stream: flag("/stream"),
            wants_usage: flag("/stream_options/include_usage"),
            reply,
            // The instructions that an agent adds to each question outweigh it.
            input: 400 + text.len() / BYTES_PER_TOKEN,
            output: 12 + reply.len() / BYTES_PER_TOKEN,
        }
    }

    /// The reply in the pieces that a stream sends.
    fn pieces(&self) -> Vec<String> {
        let words: Vec<&str> = self.reply.split_inclusive(' ').collect();
        words.chunks(WORDS_PER_CHUNK).map(<[&str]>::concat).collect()
    }

    fn openai_usage(&self) -> Value {
        json!({
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
        })
    }

    fn openai(&self) -> Value {
        json!({
            "id": "chatcmpl-demo",
            "object": "chat.completion",
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": self.reply},
                "finish_reason": "stop",
            }],
            "usage": self.openai_usage(),
        })
    }

    fn openai_stream(&self) -> Vec<String> {
        let chunk = |choices: Value, usage: Value| {
            let chunk = json!({
                "id": "chatcmpl-demo",
                "object": "chat.completion.chunk",
                "model": self.model,
                "choices": choices,
                "usage": usage,
            });
            format!("data: {chunk}\n\n")
        };
        let delta = |delta: Value, finish: Value| {
            chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), Value::Null)
        };
        let mut events = vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)];
        events.extend(self.pieces().iter().map(|piece| delta(json!({"content": piece}), Value::Null)));
        events.push(delta(json!({}), json!("stop")));
        if self.wants_usage {
            events.push(chunk(json!([]), self.openai_usage()));
        }
        events.push("data: [DONE]\n\n".to_owned());
        events
    }

    fn anthropic(&self) -> Value {
        json!({
            "id": "msg_demo",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [{"type": "text", "text": self.reply}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": self.input, "output_tokens": self.output},
        })
    }

    fn anthropic_stream(&self) -> Vec<String> {
        let event = |kind: &str, mut fields: Value| {
            if let Some(fields) = fields.as_object_mut() {
                fields.insert("type".to_owned(), json!(kind));
            }
            format!("event: {kind}\ndata: {fields}\n\n")
        };
        let message = json!({
            "id": "msg_demo",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "usage": {"input_tokens": self.input, "output_tokens": 1},
        });
        let block = json!({"index": 0, "content_block": {"type": "text", "text": ""}});
        let mut events =
            vec![event("message_start", json!({"message": message})), event("content_block_start", block)];
        events.extend(self.pieces().iter().map(|piece| {
            let delta = json!({"index": 0, "delta": {"type": "text_delta", "text": piece}});
            event("content_block_delta", delta)
        }));
        events.push(event("content_block_stop", json!({"index": 0})));
        let end = json!({"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": self.output}});
        events.push(event("message_delta", end));
        events.push(event("message_stop", json!({})));
        events
    }
}
