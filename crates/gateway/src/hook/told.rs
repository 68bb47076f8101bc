//! What a client is told, in its own format, and no more than its format has: Codex refuses a reply with a field it
//! does not know. Where there is nothing to forbid and nothing to redact nothing is said: a client takes "allow" for
//! the word of its own user, and would not ask them any more.

use greffier_event::{Call, Event};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::decide::Permitted;
use crate::hook::Client;
use crate::hook::ended::Output;
use crate::hook::heard::{Use, Way};
use crate::inspect::Redacted;
use crate::record::Recorded;
use crate::refuse::Refused;

/// A reply's body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told(String);

impl Told {
    /// No opinion.
    fn nothing() -> Told {
        Told("{}".to_owned())
    }

    /// Nothing against it. Only an agent of one's own hears so: there is nobody else whom it might ask, and what is no
    /// word of ours is no consent.
    fn consent(client: Client) -> Told {
        match client {
            Client::Agent => Told::json(&json!({ "decision": "allow" })),
            Client::ClaudeCode | Client::Codex | Client::Cursor => Told::nothing(),
        }
    }

    fn json(value: &Value) -> Told {
        Told(value.to_string())
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    /// A use that must not be.
    pub(crate) fn denied(client: Client, event: &str, reason: &str) -> Told {
        let plain = reason;
        let reason = format!("denied by Greffier: {reason}");
        Told::json(&match client {
            Client::Agent => json!({ "decision": "deny", "reason": plain }),
            Client::ClaudeCode | Client::Codex => json!({ "hookSpecificOutput": {
                "hookEventName": event,
                "permissionDecision": "deny",
                "permissionDecisionReason": reason,
            }}),
            Client::Cursor if event.ends_with("FileRead") || event == "beforeReadFile" => {
                json!({ "permission": "deny", "user_message": reason })
            }
            Client::Cursor => {
                json!({ "permission": "deny", "user_message": reason, "agent_message": reason })
            }
        })
    }

    /// A use that may be, as it was asked or with other arguments. The proof is spent on it; what remains is the
    /// decision that waits for its outcome.
    pub(crate) fn permitted(
        client: Client,
        event: &str,
        way: Way,
        recorded: Recorded<Permitted<Redacted<Call>>>,
        asked: &[u8],
    ) -> (Result<Told, Refused>, Event) {
        let (mut permitted, open) = recorded.spend();
        let forward = permitted.redacted_mut().take_forward();
        let input = forward.into_iter().next().map(|content| content.bytes).unwrap_or_default();
        if input == asked {
            return (Ok(Told::consent(client)), open.event);
        }
        // The caller's own token stood in it, which is no finding; or a rule redacts. Either way it does not go on.
        let input = (way == Way::Replace).then(|| String::from_utf8(input).ok()).flatten();
        let Some(input) = input.and_then(|text| RawValue::from_string(text).ok()) else {
            let message = "the arguments cannot be redacted where they would be used";
            return (Err(Refused::new(403, "not_redactable", message)), open.event);
        };
        let input = input.get();
        let told = match client {
            Client::ClaudeCode => {
                format!(r#"{{"hookSpecificOutput":{{"hookEventName":"{event}","updatedInput":{input}}}}}"#)
            }
            // It takes other arguments only together with this word, which means no more than that to it.
            Client::Codex => format!(
                r#"{{"hookSpecificOutput":{{"hookEventName":"{event}","permissionDecision":"allow","updatedInput":{input}}}}}"#
            ),
            Client::Cursor => format!(r#"{{"permission":"allow","updated_input":{input}}}"#),
            Client::Agent => format!(r#"{{"decision":"allow","parameters":{input}}}"#),
        };
        (Ok(Told(told)), open.event)
    }

    /// What the model gets to see of what came back.
    pub(crate) fn ended(client: Client, event: &str, used: &Use, way: Way, output: Option<Output>) -> Told {
        let Some(Output { shown: Some(shown), withheld, .. }) = output else { return Told::nothing() };
        if way == Way::No {
            return Told::nothing();
        }
        let reason = withheld.map(|why| format!("withheld by Greffier: {why}"));
        let value: Value = serde_json::from_slice(&shown).unwrap_or(Value::Null);
        match client {
            Client::ClaudeCode => {
                let mut output = Map::new();
                output.insert("hookEventName".to_owned(), event.into());
                if used.mcp {
                    output.insert("updatedMCPToolOutput".to_owned(), value.clone());
                }
                output.insert("updatedToolOutput".to_owned(), value);
                let mut told = Map::new();
                if let Some(reason) = reason {
                    told.insert("decision".to_owned(), "block".into());
                    told.insert("reason".to_owned(), reason.into());
                }
                told.insert("hookSpecificOutput".to_owned(), output.into());
                Told::json(&told.into())
            }
            // In every version of it the reason of a block stands in the place of the output.
            Client::Codex => {
                let text = match value {
                    Value::String(text) => text,
                    value => value.to_string(),
                };
                let reason = reason.unwrap_or_else(|| format!("[redacted by Greffier] {text}"));
                Told::json(&json!({ "decision": "block", "reason": reason }))
            }
            Client::Cursor => Told::json(&json!({ "updated_mcp_tool_output": value })),
            Client::Agent => Told::json(&match reason {
                Some(reason) => json!({ "result": value, "reason": reason }),
                None => json!({ "result": value }),
            }),
        }
    }

    /// Something that was only to be known.
    pub(crate) fn noted(client: Client, event: &str) -> Told {
        match (client, event) {
            // The word that it goes on is not optional here, and stands for nobody's consent.
            (Client::Cursor, "beforeSubmitPrompt") => Told::json(&json!({ "continue": true })),
            _ => Told::nothing(),
        }
    }
}
