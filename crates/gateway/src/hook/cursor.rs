//! The hooks of Cursor.

use greffier_event::{Effect, EventType, OutcomeStatus};
use greffier_safety::json;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::hook::Client;
use crate::hook::agents::heard_texts;
use crate::hook::heard::{self, End, Heard, Note, Origin, Unheard, Use, Way, What};
use crate::hook::tool;

/// What any event may hold. What is not listed is of no use here, and stays unread.
#[derive(Deserialize)]
struct Payload<'a> {
    hook_event_name: String,
    conversation_id: Option<String>,
    session_id: Option<String>,
    generation_id: Option<String>,
    model: Option<String>,
    cursor_version: Option<String>,
    cwd: Option<String>,
    subagent_id: Option<String>,
    subagent_type: Option<String>,
    is_background_agent: Option<bool>,
    tool_name: Option<String>,
    #[serde(borrow)]
    tool_input: Option<&'a RawValue>,
    tool_use_id: Option<String>,
    #[serde(borrow)]
    tool_output: Option<&'a RawValue>,
    command: Option<String>,
    output: Option<String>,
    result_json: Option<String>,
    file_path: Option<String>,
    content: Option<String>,
    #[serde(borrow)]
    edits: Option<&'a RawValue>,
    duration: Option<f64>,
    error_message: Option<String>,
    failure_type: Option<String>,
    is_interrupt: Option<bool>,
    reason: Option<String>,
    prompt: Option<String>,
    text: Option<String>,
}

/// Reads one event.
pub(crate) fn read(body: &[u8]) -> Result<Heard, Unheard> {
    json::check(body)?;
    let payload: Payload<'_> =
        serde_json::from_slice(body).map_err(|error| Unheard::shape(Client::Cursor, &error))?;
    let event = heard::event(payload.hook_event_name.clone())?;
    let what = match event.as_str() {
        "preToolUse" => What::Ask(payload.tool()?),
        "beforeShellExecution" => What::Ask(payload.shell()?),
        "beforeMCPExecution" => What::Ask(payload.mcp()?),
        "beforeReadFile" | "beforeTabFileRead" => What::Ask(payload.file("Read", Effect::Read)?),
        "postToolUse" => What::Ended(payload.tool()?, payload.done(payload.tool_output)),
        "postToolUseFailure" => What::Ended(payload.tool()?, payload.failed()),
        "afterShellExecution" => What::Ended(payload.shell()?, payload.said(payload.output.as_deref())),
        "afterMCPExecution" => What::Ended(payload.mcp()?, payload.said(payload.result_json.as_deref())),
        "afterFileEdit" | "afterTabFileEdit" => {
            What::Ended(payload.file("Write", Effect::Update)?, payload.said(None))
        }
        _ => What::Note(payload.note(&event)),
    };
    let session = payload.conversation_id.clone().or(payload.session_id.clone());
    let origin = Origin {
        session: heard::id("conversation_id", session)?,
        agent_id: heard::id("subagent_id", payload.subagent_id.clone())?,
        background: payload.is_background_agent == Some(true),
        circumstances: heard_texts([
            ("cwd", &payload.cwd),
            ("model", &payload.model),
            ("cursor_version", &payload.cursor_version),
            ("generation_id", &payload.generation_id),
            ("subagent_type", &payload.subagent_type),
            ("reason", &payload.reason),
        ]),
    };
    Ok(Heard { event, origin, what })
}

impl Payload<'_> {
    fn tool(&self) -> Result<Use, Unheard> {
        let tool = heard::name("tool_name", self.tool_name.clone())?;
        let call_id = heard::id("tool_use_id", self.tool_use_id.clone())?;
        let way = if tool::is_shell(&tool) { Way::No } else { Way::Replace };
        Ok(self.used(&tool, tool::effect(&tool), call_id, unwrapped(self.tool_input), way))
    }

    fn shell(&self) -> Result<Use, Unheard> {
        let command = self.command.as_ref().ok_or(Unheard::Missing("command"))?;
        let input = serde_json::json!({ "command": command }).to_string().into_bytes();
        Ok(self.used("Shell", Effect::Execute, None, input, Way::No))
    }

    fn mcp(&self) -> Result<Use, Unheard> {
        let tool = heard::name("tool_name", self.tool_name.clone())?;
        let tool = if tool.starts_with("MCP:") { tool } else { format!("MCP:{tool}") };
        Ok(self.used(&tool, Effect::Execute, None, unwrapped(self.tool_input), Way::No))
    }

    fn file(&self, tool: &str, effect: Effect) -> Result<Use, Unheard> {
        let path = self.file_path.as_ref().ok_or(Unheard::Missing("file_path"))?;
        let edits: Option<Value> = self.edits.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let mut input = serde_json::json!({ "file_path": path });
        if let Some(input) = input.as_object_mut() {
            input.extend(self.content.iter().map(|content| ("content".to_owned(), content.clone().into())));
            input.extend(edits.map(|edits| ("edits".to_owned(), edits)));
        }
        Ok(self.used(tool, effect, None, input.to_string().into_bytes(), Way::No))
    }

    /// Where there is no id for the use, the turn and the arguments are one: see `open::request_id`.
    fn used(&self, tool: &str, effect: Effect, call_id: Option<String>, input: Vec<u8>, way: Way) -> Use {
        let named = tool::named(Client::Cursor, tool);
        let uri = tool::uri(&named, &input);
        Use { server: named.server, name: named.name, mcp: named.mcp, effect, uri, call_id, input, way }
    }

    fn done(&self, output: Option<&RawValue>) -> End {
        let mcp = self.tool_name.as_deref().is_some_and(|tool| tool.starts_with("MCP:"));
        End {
            status: OutcomeStatus::Success,
            code: None,
            part: "result",
            output: output.map(|_| unwrapped(output)),
            duration_us: heard::micros(self.duration),
            // Of its own tools Cursor shows the model what they gave, whatever a hook says.
            way: if mcp { Way::Replace } else { Way::No },
        }
    }

    fn said(&self, output: Option<&str>) -> End {
        let output = output.map(|text| Value::from(text).to_string().into_bytes());
        End { output, way: Way::No, ..self.done(None) }
    }

    fn failed(&self) -> End {
        let (status, code) = match (self.is_interrupt, self.failure_type.as_deref()) {
            (Some(true), _) => (OutcomeStatus::Cancelled, "interrupted"),
            (_, Some("timeout")) => (OutcomeStatus::Timeout, "tool_timeout"),
            (_, Some("permission_denied")) => (OutcomeStatus::Denied, "permission_denied"),
            _ => (OutcomeStatus::Failure, "tool_failed"),
        };
        End { status, code: Some(code), part: "error", ..self.said(self.error_message.as_deref()) }
    }

    fn note(&self, event: &str) -> Note {
        let said = |part, text: &Option<String>| {
            text.as_ref().filter(|text| !text.is_empty()).map(|text| (part, text.clone()))
        };
        match event {
            "sessionStart" => Note::new(EventType::AgentStart, "session"),
            "sessionEnd" => Note {
                ends_session: true,
                said: said("error", &self.error_message),
                ..Note::new(EventType::AgentStop, "session")
            },
            "subagentStart" => Note::new(EventType::AgentStart, "subagent"),
            "subagentStop" => Note::new(EventType::AgentStop, "subagent"),
            "stop" => Note::new(EventType::AgentStop, "turn"),
            "beforeSubmitPrompt" => Note {
                status: Some(OutcomeStatus::Success),
                said: said("prompt", &self.prompt),
                ..Note::new(EventType::ActionExecuted, "prompt")
            },
            "afterAgentResponse" | "afterAgentThought" => Note {
                status: Some(OutcomeStatus::Success),
                said: said("completion", &self.text),
                ..Note::new(EventType::ActionExecuted, "answer")
            },
            _ => {
                Note { status: Some(OutcomeStatus::Success), ..Note::new(EventType::ActionExecuted, "event") }
            }
        }
    }
}

/// Arguments and results come as JSON, or as JSON in a string: the JSON itself.
fn unwrapped(raw: Option<&RawValue>) -> Vec<u8> {
    let raw = raw.map_or("{}", RawValue::get);
    let inner = serde_json::from_str::<String>(raw).ok().filter(|text| json::check(text.as_bytes()).is_ok());
    inner.unwrap_or_else(|| raw.to_owned()).into_bytes()
}
