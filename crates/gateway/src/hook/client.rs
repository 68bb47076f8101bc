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
}

impl Client {
    /// All of them.
    pub const ALL: [Client; 3] = [Client::ClaudeCode, Client::Codex, Client::Cursor];

    /// Its name: the last segment of its path, and the server of its own tools.
    pub fn name(self) -> &'static str {
        match self {
            Client::ClaudeCode => "claude-code",
            Client::Codex => "codex",
            Client::Cursor => "cursor",
        }
    }

    /// The protocol's name, as events and metrics carry it.
    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Client::ClaudeCode => "claude-code.hooks",
            Client::Codex => "codex.hooks",
            Client::Cursor => "cursor.hooks",
        }
    }

    /// Reads one event.
    pub(crate) fn read(self, body: &[u8]) -> Result<Heard, Unheard> {
        match self {
            Client::ClaudeCode | Client::Codex => agents::read(self, body),
            Client::Cursor => cursor::read(body),
        }
    }

    /// Whether an event stands before an act, so that the client should not act without an answer to it.
    pub fn asks(self, event: &str) -> bool {
        match self {
            Client::ClaudeCode | Client::Codex => matches!(event, "PreToolUse" | "UserPromptSubmit"),
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
