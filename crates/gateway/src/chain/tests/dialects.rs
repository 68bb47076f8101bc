//! One conversation in the words of each provider: what clients send, and what comes back, whole and streamed.

use serde_json::{Value, json};

#[derive(Clone, Copy, Debug)]
pub(super) enum Dialect {
    OpenAiChat,
    OpenAiResponses,
    Anthropic,
    Gemini,
}

/// A turn of a conversation.
#[derive(Clone)]
pub(super) enum Turn {
    User(String),
    Model { text: String, wishes: Vec<Wanted> },
    Result { id: String, text: String },
}

/// A tool call that the model asks for.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

impl Wanted {
    pub(super) fn new(id: &str, name: &str, arguments: &str) -> Wanted {
        Wanted { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned() }
    }

    fn input(&self) -> Value {
        serde_json::from_str(&self.arguments).unwrap_or_else(|_| json!({}))
    }

    fn openai(&self) -> Value {
        json!({"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}})
    }

    fn item(&self) -> Value {
        json!({"type": "function_call", "id": format!("fc_{}", self.id), "call_id": self.id, "name": self.name, "arguments": self.arguments})
    }

    fn block(&self, input: &Value) -> Value {
        json!({"type": "tool_use", "id": self.id, "name": self.name, "input": input})
    }
}

/// What comes back.
pub(super) enum Reply {
    Whole(String),
    Streamed(String),
}

impl Dialect {
    pub(super) const ALL: [Dialect; 4] =
        [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini];

    /// The request that a client sends with all turns so far.
    pub(super) fn request(self, turns: &[Turn]) -> String {
        let turns: Vec<Value> = turns.iter().flat_map(|turn| self.turn(turn)).collect();
        let request = match self {
            Dialect::OpenAiChat => {
                let system = json!({"role": "system", "content": format!("It is turn {}.", turns.len())});
                let messages = [vec![system], turns].concat();
                json!({"model": "m", "messages": messages})
            }
            Dialect::OpenAiResponses => json!({"model": "m", "instructions": "Be brief.", "input": turns}),
            Dialect::Anthropic => {
                json!({"model": "m", "system": format!("Turn {}.", turns.len()), "messages": turns})
            }
            Dialect::Gemini => json!({"contents": turns}),
        };
        request.to_string()
    }

    fn turn(self, turn: &Turn) -> Vec<Value> {
        match (self, turn) {
            (Dialect::OpenAiChat | Dialect::OpenAiResponses, Turn::User(text)) => {
                vec![json!({"role": "user", "content": text})]
            }
            (Dialect::OpenAiChat, Turn::Model { text, wishes }) => {
                let mut turn = json!({"role": "assistant", "content": text, "refusal": null});
                if !wishes.is_empty() {
                    turn["tool_calls"] = wishes.iter().map(Wanted::openai).collect();
                }
                vec![turn]
            }
            (Dialect::OpenAiChat, Turn::Result { id, text }) => {
                vec![json!({"role": "tool", "tool_call_id": id, "content": text})]
            }
            (Dialect::OpenAiResponses, Turn::Model { text, wishes }) => {
                let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
                let thought = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]});
                let said = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": content});
                [vec![thought, said], wishes.iter().map(Wanted::item).collect()].concat()
            }
            (Dialect::OpenAiResponses, Turn::Result { id, text }) => {
                vec![
                    json!({"type": "function_call_output", "call_id": id, "output": [{"type": "input_text", "text": text}]}),
                ]
            }
            (Dialect::Anthropic, Turn::User(text)) => {
                let marked = json!({"type": "ephemeral"});
                vec![
                    json!({"role": "user", "content": [{"type": "text", "text": text, "cache_control": marked}]}),
                ]
            }
            (Dialect::Anthropic, Turn::Model { text, wishes }) => {
                let blocks = vec![
                    json!({"type": "thinking", "thinking": "hm", "signature": "s"}),
                    json!({"type": "text", "text": text}),
                ];
                let wishes = wishes.iter().map(|wanted| wanted.block(&wanted.input())).collect();
                let content: Vec<Value> = [blocks, wishes].concat();
                vec![json!({"role": "assistant", "content": content})]
            }
            (Dialect::Anthropic, Turn::Result { id, text }) => {
                let content = json!([{"type": "text", "text": text}]);
                vec![
                    json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": content}]}),
                ]
            }
            (Dialect::Gemini, Turn::User(text)) => vec![json!({"role": "user", "parts": [{"text": text}]})],
            (Dialect::Gemini, Turn::Model { text, wishes }) => {
                let calls = wishes
                    .iter()
                    .map(|wanted| json!({"functionCall": {"name": wanted.name, "args": wanted.input()}}));
                let parts = [vec![json!({"text": text})], calls.collect()].concat();
                vec![json!({"role": "model", "parts": parts})]
            }
            (Dialect::Gemini, Turn::Result { text, .. }) => {
                let response = json!({"name": "search_records", "response": {"result": text}});
                vec![json!({"role": "user", "parts": [{"functionResponse": response}]})]
            }
        }
    }

    /// The reply in which a model takes its turn.
    pub(super) fn reply(self, id: &str, turn: &Turn, streams: bool) -> Reply {
        let Turn::Model { text, wishes } = turn else { panic!("only models reply") };
        if !streams {
            return Reply::Whole(self.whole(id, text, wishes).to_string());
        }
        let events = self.streamed(id, text, wishes);
        Reply::Streamed(events.iter().map(|event| format!("data: {event}\n\n")).collect())
    }

    fn whole(self, id: &str, text: &str, wishes: &[Wanted]) -> Value {
        match self {
            Dialect::OpenAiChat => {
                let message =
                    self.turn(&Turn::Model { text: text.to_owned(), wishes: wishes.to_vec() }).remove(0);
                json!({"id": id, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
            }
            Dialect::OpenAiResponses => {
                let output = self.turn(&Turn::Model { text: text.to_owned(), wishes: wishes.to_vec() });
                json!({"id": id, "object": "response", "output": output})
            }
            Dialect::Anthropic => {
                let message =
                    self.turn(&Turn::Model { text: text.to_owned(), wishes: wishes.to_vec() }).remove(0);
                json!({"id": id, "type": "message", "role": "assistant", "content": message["content"]})
            }
            Dialect::Gemini => {
                let mut content =
                    self.turn(&Turn::Model { text: text.to_owned(), wishes: wishes.to_vec() }).remove(0);
                let thought = json!({"text": "hm", "thought": true});
                content["parts"].as_array_mut().unwrap().insert(0, thought);
                json!({"responseId": id, "candidates": [{"content": content, "finishReason": "STOP"}]})
            }
        }
    }

    fn streamed(self, id: &str, text: &str, wishes: &[Wanted]) -> Vec<String> {
        let letters = || text.chars().map(String::from);
        let mut events: Vec<Value> = Vec::new();
        match self {
            Dialect::OpenAiChat => {
                let chunk = |delta: Value, end: Value| json!({"id": id, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]});
                events.extend(letters().map(|letter| chunk(json!({"content": letter}), Value::Null)));
                for (index, wanted) in wishes.iter().enumerate() {
                    let named = json!({"name": wanted.name, "arguments": ""});
                    events.push(chunk(
                        json!({"tool_calls": [{"index": index, "id": wanted.id, "function": named}]}),
                        Value::Null,
                    ));
                    for letter in wanted.arguments.chars() {
                        let piece = json!({"index": index, "function": {"arguments": letter.to_string()}});
                        events.push(chunk(json!({"tool_calls": [piece]}), Value::Null));
                    }
                }
                events.push(chunk(json!({}), json!("stop")));
            }
            Dialect::OpenAiResponses => {
                events.push(json!({"type": "response.created", "response": {"id": id, "output": []}}));
                events.extend(
                    letters().map(|letter| json!({"type": "response.output_text.delta", "delta": letter})),
                );
                let items = self.turn(&Turn::Model { text: text.to_owned(), wishes: wishes.to_vec() });
                events.extend(
                    items.iter().map(|item| json!({"type": "response.output_item.done", "item": item})),
                );
                events.push(json!({"type": "response.completed", "response": {"id": id, "output": items}}));
            }
            Dialect::Anthropic => {
                events.push(json!({"type": "message_start", "message": {"id": id, "content": []}}));
                events.push(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}));
                events.extend(letters().map(|letter| {
                    json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": letter}})
                }));
                events.push(json!({"type": "content_block_stop", "index": 0}));
                for (index, wanted) in (1..).zip(wishes) {
                    let block = wanted.block(&json!({}));
                    events
                        .push(json!({"type": "content_block_start", "index": index, "content_block": block}));
                    events.extend(wanted.arguments.chars().map(|letter| {
                        json!({"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": letter.to_string()}})
                    }));
                    events.push(json!({"type": "content_block_stop", "index": index}));
                }
                events.push(json!({"type": "message_stop"}));
            }
            Dialect::Gemini => {
                let chunk = |part: Value| json!({"responseId": id, "candidates": [{"content": {"role": "model", "parts": [part]}}]});
                events.push(chunk(json!({"text": "hm", "thought": true})));
                events.extend(letters().map(|letter| chunk(json!({"text": letter}))));
                events.extend(wishes.iter().map(|wanted| {
                    chunk(json!({"functionCall": {"name": wanted.name, "args": wanted.input()}}))
                }));
            }
        }
        let done = matches!(self, Dialect::OpenAiChat).then(|| "[DONE]".to_owned());
        events.iter().map(Value::to_string).chain(done).collect()
    }
}
