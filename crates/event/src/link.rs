//! How it is known which session an event belongs to: because somebody said so, or because it follows.

use serde::{Deserialize, Serialize};

/// What ties an event to its session. The first word says whether anybody declared it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SessionLink {
    /// Our own header, `greffier-session-id`.
    #[serde(rename = "declared:header")]
    Header,
    /// What the agent itself calls its session.
    #[serde(rename = "declared:agent")]
    Agent,
    /// The conversation that the provider keeps under this name.
    #[serde(rename = "declared:conversation")]
    Conversation,
    /// A claim of the caller's token.
    #[serde(rename = "declared:token")]
    Token,
    /// The caller's trace context.
    #[serde(rename = "declared:trace")]
    Trace,
    /// The MCP session it came in.
    #[serde(rename = "declared:mcp")]
    Mcp,
    /// It goes on from a reply of this session.
    #[serde(rename = "inferred:response")]
    Response,
    /// It brings the result of a tool call that a model of this session asked for.
    #[serde(rename = "inferred:tool_result")]
    ToolResult,
    /// It is the tool call that a model of this session, and of no other, asked for.
    #[serde(rename = "inferred:tool_call")]
    ToolCall,
    /// It begins with what was asked and answered in this session.
    #[serde(rename = "inferred:history")]
    History,
    /// Nothing links it: the session begins with it.
    #[serde(rename = "inferred:start")]
    Start,
}

impl SessionLink {
    /// All of them.
    pub const ALL: [SessionLink; 11] = [
        SessionLink::Header,
        SessionLink::Agent,
        SessionLink::Conversation,
        SessionLink::Token,
        SessionLink::Trace,
        SessionLink::Mcp,
        SessionLink::Response,
        SessionLink::ToolResult,
        SessionLink::ToolCall,
        SessionLink::History,
        SessionLink::Start,
    ];

    /// Its name, as records carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            SessionLink::Header => "declared:header",
            SessionLink::Agent => "declared:agent",
            SessionLink::Conversation => "declared:conversation",
            SessionLink::Token => "declared:token",
            SessionLink::Trace => "declared:trace",
            SessionLink::Mcp => "declared:mcp",
            SessionLink::Response => "inferred:response",
            SessionLink::ToolResult => "inferred:tool_result",
            SessionLink::ToolCall => "inferred:tool_call",
            SessionLink::History => "inferred:history",
            SessionLink::Start => "inferred:start",
        }
    }

    /// Whether nobody declared it.
    pub fn is_inferred(self) -> bool {
        self.as_str().starts_with("inferred:")
    }
}
