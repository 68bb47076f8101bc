//! The hooks of Claude Code, and of Codex and of our own SDK, which took over their shape.

use greffier_event::{EventType, OutcomeStatus};
use greffier_safety::json;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::hook::Client;
use crate::hook::heard::{self, End, Heard, Note, Origin, Unheard, Use, Way, What};
use crate::hook::tool;

/// What any event may hold. What is not listed is of no use here, and stays unread.
#[derive(Deserialize)]
struct Payload<'a> {
    hook_event_name: String,
    session_id: Option<String>,
    agent_id: Option<String>,
    agent_type: Option<String>,
    cwd: Option<String>,
    permission_mode: Option<String>,
    prompt_id: Option<String>,
    turn_id: Option<String>,
    model: Option<String>,
    tool_name: Option<String>,
    #[serde(borrow)]
    tool_input: Option<&'a RawValue>,
    tool_use_id: Option<String>,
    #[serde(borrow)]
    tool_response: Option<&'a RawValue>,
    duration_ms: Option<f64>,
    error: Option<Value>,
    is_interrupt: Option<bool>,
    reason: Option<String>,
    source: Option<String>,
    prompt: Option<String>,
    last_assistant_message: Option<String>,
}

/// Reads one event.
pub(crate) fn read(client: Client, body: &[u8]) -> Result<Heard, Unheard> {
    json::check(body)?;
    let payload: Payload<'_> =
        serde_json::from_slice(body).map_err(|error| Unheard::shape(client, &error))?;
    let event = heard::event(payload.hook_event_name.clone())?;
    let what = match event.as_str() {
        "PreToolUse" => What::Ask(payload.tool(client)?),
        "PostToolUse" => What::Ended(payload.tool(client)?, payload.done(client)),
        "PostToolUseFailure" => What::Ended(payload.tool(client)?, payload.failed()),
        _ => What::Note(payload.note(client, &event)?),
    };
    let origin = Origin {
        session: heard::id("session_id", payload.session_id.clone())?,
        agent_id: heard::id("agent_id", payload.agent_id.clone())?,
        background: false,
        circumstances: payload.circumstances(&event),
    };
    Ok(Heard { event, origin, what })
}

impl Payload<'_> {
    fn tool(&self, client: Client) -> Result<Use, Unheard> {
        let tool = heard::name("tool_name", self.tool_name.clone())?;
        let input = self.tool_input.map_or("{}", RawValue::get).as_bytes().to_vec();
        let named = tool::named(client, &tool);
        Ok(Use {
            uri: tool::uri(&named, &input),
            effect: tool::effect(&tool),
            call_id: heard::id("tool_use_id", self.tool_use_id.clone())?,
            server: named.server,
            name: named.name,
            mcp: named.mcp,
            input,
            way: if tool::is_shell(&tool) { Way::No } else { Way::Replace },
        })
    }

    fn done(&self, client: Client) -> End {
        let output = self.tool_response.map(|raw| raw.get().as_bytes().to_vec());
        End {
            status: OutcomeStatus::Success,
            code: None,
            part: "result",
            // Codex takes a word in the place of the output, and only a word that says something.
            way: if client == Client::Codex && output.is_none() { Way::No } else { Way::Replace },
            output,
            duration_us: heard::micros(self.duration_ms),
        }
    }

    fn failed(&self) -> End {
        let interrupted = self.is_interrupt == Some(true);
        End {
            status: if interrupted { OutcomeStatus::Cancelled } else { OutcomeStatus::Failure },
            code: Some(if interrupted { "interrupted" } else { "tool_failed" }),
            part: "error",
            output: self.error.as_ref().map(|error| error.to_string().into_bytes()),
            duration_us: heard::micros(self.duration_ms),
            way: Way::No,
        }
    }

    fn note(&self, client: Client, event: &str) -> Result<Note, Unheard> {
        let said = |part, text: &Option<String>| {
            text.as_ref().filter(|text| !text.is_empty()).map(|text| (part, text.clone()))
        };
        Ok(match event {
            "SessionStart" => Note::new(EventType::AgentStart, "session"),
            "SessionEnd" => Note { ends_session: true, ..Note::new(EventType::AgentStop, "session") },
            "SubagentStart" => Note::new(EventType::AgentStart, "subagent"),
            "SubagentStop" => Note {
                said: said("completion", &self.last_assistant_message),
                ..Note::new(EventType::AgentStop, "subagent")
            },
            "Stop" => Note {
                said: said("completion", &self.last_assistant_message),
                ..Note::new(EventType::AgentStop, "turn")
            },
            "StopFailure" => Note {
                status: Some(OutcomeStatus::Failure),
                code: Some("turn_failed"),
                said: self.error.as_ref().map(|error| ("error", error.to_string())),
                ..Note::new(EventType::Error, "turn")
            },
            "UserPromptSubmit" => Note {
                status: Some(OutcomeStatus::Success),
                said: said("prompt", &self.prompt),
                ..Note::new(EventType::ActionExecuted, "prompt")
            },
            "PermissionRequest" => {
                Note { of: Some(self.tool(client)?), ..Note::new(EventType::PermissionCheck, "permission") }
            }
            "PermissionDenied" => Note {
                status: Some(OutcomeStatus::Denied),
                code: Some("permission_denied"),
                said: said("error", &self.reason),
                of: Some(self.tool(client)?),
                ends_call: true,
                ..Note::new(EventType::PermissionDenied, "permission")
            },
            "ConfigChange" => Note::new(EventType::DataModify, "config"),
            "InstructionsLoaded" => Note::new(EventType::DataAccess, "instructions"),
            "FileChanged" => Note::new(EventType::DataModify, "file"),
            _ => {
                Note { status: Some(OutcomeStatus::Success), ..Note::new(EventType::ActionExecuted, "event") }
            }
        })
    }

    fn circumstances(&self, event: &str) -> Map<String, Value> {
        let ended = self.reason.clone().filter(|_| event == "SessionEnd");
        let texts = [
            ("cwd", &self.cwd),
            ("permission_mode", &self.permission_mode),
            ("model", &self.model),
            ("agent_id", &self.agent_id),
            ("agent_type", &self.agent_type),
            ("prompt_id", &self.prompt_id),
            ("turn_id", &self.turn_id),
            ("source", &self.source),
            ("reason", &ended),
        ];
        heard_texts(texts)
    }
}

/// Those that are there.
pub(super) fn heard_texts<const N: usize>(texts: [(&str, &Option<String>); N]) -> Map<String, Value> {
    let there = |(name, text): (&str, &Option<String>)| {
        text.as_ref().filter(|text| !text.is_empty()).map(|text| (name.to_owned(), text.clone().into()))
    };
    texts.into_iter().filter_map(there).collect()
}
