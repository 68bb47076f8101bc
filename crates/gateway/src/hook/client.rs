//! The clients whose hooks are understood, and what each of them can do with an answer.

use crate::hook::heard::{Heard, Unheard};
use crate::hook::{agents, cursor};

/// An agent's own software, by whose hooks its tools are governed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// Claude Code, and what has taken over its format.
    ClaudeCode,
    /// Codex: the same shape, read more strictly.
    Codex,
    /// Cursor.
    Cursor,
    /// An agent of one's own, by our SDK: it asks in the same shape, and is told plainly.
    Agent,
}

impl Client {
    /// All of them.
    pub const ALL: [Client; 4] = [Client::ClaudeCode, Client::Codex, Client::Cursor, Client::Agent];

    /// Its name: the last segment of its path, and the server of its own tools.
    pub fn name(self) -> &'static str {
        match self {
            Client::ClaudeCode => "claude-code",
            Client::Codex => "codex",
            Client::Cursor => "cursor",
            Client::Agent => "agent",
        }
    }

    /// The protocol's name, as events and metrics carry it.
    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Client::ClaudeCode => "claude-code.hooks",
            Client::Codex => "codex.hooks",
            Client::Cursor => "cursor.hooks",
            Client::Agent => "agent.hooks",
        }
    }

    /// Reads one event.
    pub(crate) fn read(self, body: &[u8]) -> Result<Heard, Unheard> {
        match self {
            Client::ClaudeCode | Client::Codex | Client::Agent => agents::read(self, body),
            Client::Cursor => cursor::read(body),
        }
    }

    /// Whether an event stands before an act, so that the client should not act without an answer to it.
    pub fn asks(self, event: &str) -> bool {
        match self {
            Client::ClaudeCode | Client::Codex | Client::Agent => {
                matches!(event, "PreToolUse" | "UserPromptSubmit")
            }
            Client::Cursor => matches!(
                event,
                "preToolUse"
                    | "beforeShellExecution"
                    | "beforeMCPExecution"
                    | "beforeReadFile"
                    | "beforeSubmitPrompt"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;
    use crate::hook::heard::What;

    /// Members that are read, with whatever may stand in them.
    fn payload() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,40}|PreToolUse|preToolUse|mcp__a__b|MCP:a:b".prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z_]{1,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
            ]
        });
        let events = prop_oneof![
            Just("PreToolUse"),
            Just("PostToolUse"),
            Just("PostToolUseFailure"),
            Just("PermissionDenied"),
            Just("Stop"),
            Just("preToolUse"),
            Just("postToolUse"),
            Just("beforeShellExecution"),
            Just("afterMCPExecution"),
            Just("beforeReadFile"),
            Just("sessionEnd"),
        ];
        let names = prop::sample::select(vec![
            "session_id",
            "conversation_id",
            "tool_name",
            "tool_input",
            "tool_use_id",
            "tool_response",
            "tool_output",
            "error",
            "duration",
            "duration_ms",
            "agent_id",
            "command",
            "file_path",
            "cwd",
        ]);
        (events, prop::collection::btree_map(names, value, 0..8)).prop_map(|(event, members)| {
            let mut object: Map<String, Value> =
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            object.insert("hook_event_name".to_owned(), event.into());
            Value::Object(object)
        })
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_understood_or_refused(payload in payload()) {
            let body = payload.to_string();
            for client in Client::ALL {
                let Ok(heard) = client.read(body.as_bytes()) else { continue };
                let Some(used) = heard.what.of() else { continue };
                // What is decided and recorded has a name that stands whole, and arguments that are JSON.
                prop_assert!(used.name.starts_with(&used.server) && used.name.chars().count() <= 160);
                prop_assert!(serde_json::from_slice::<Value>(&used.input).is_ok());
                prop_assert!(used.uri.as_ref().is_none_or(|uri| !uri.contains(char::is_whitespace)));
                if let What::Ended(_, end) = &heard.what {
                    let json = |bytes: &Vec<u8>| serde_json::from_slice::<Value>(bytes).is_ok();
                    prop_assert!(end.output.as_ref().is_none_or(json));
                }
            }
        }

        #[test]
        fn bytes_are_no_event(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            for client in Client::ALL {
                prop_assert!(client.read(&bytes).is_err());
            }
        }
    }

    #[test]
    fn only_what_stands_before_an_act_blocks() {
        let asks = |client: Client, event| client.asks(event);
        assert!(asks(Client::ClaudeCode, "PreToolUse") && asks(Client::Cursor, "preToolUse"));
        // At the end of a turn a client takes a no for the order to go on with it.
        for event in ["Stop", "SubagentStop", "PostToolUse", "stop", "sessionEnd", ""] {
            assert!(Client::ALL.iter().all(|client| !client.asks(event)), "{event}");
        }
    }
}
