//! What a client's tools are to policies and to the record: a name, a server, an effect and what is acted on.

use greffier_event::Effect;
use serde_json::Value;

use crate::hook::Client;

/// Longest URI kept of an argument.
const MAX_URI: usize = 1_024;

/// A tool, as policies name it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) server: String,
    pub(crate) name: String,
    pub(crate) mcp: bool,
}

/// `Bash` is `claude-code:Bash` in `claude-code`; `mcp__crm__search` is `crm:search` in `crm`. An agent of one's own
/// says it as policies do.
pub(crate) fn named(client: Client, tool: &str) -> Named {
    if client == Client::Agent
        && let Some((server, name)) = tool.split_once(':')
        && !server.is_empty()
        && !name.is_empty()
    {
        return Named { server: server.to_owned(), name: tool.to_owned(), mcp: false };
    }
    let mcp = match client {
        Client::ClaudeCode | Client::Codex => {
            tool.strip_prefix("mcp__").and_then(|rest| rest.split_once("__"))
        }
        Client::Cursor => tool.strip_prefix("MCP:").and_then(|rest| rest.split_once(':')),
        Client::Agent => None,
    };
    match mcp {
        Some((server, tool)) if !server.is_empty() && !tool.is_empty() => {
            Named { server: server.to_owned(), name: format!("{server}:{tool}"), mcp: true }
        }
        _ => Named {
            server: client.name().to_owned(),
            name: format!("{}:{tool}", client.name()),
            mcp: tool.starts_with("mcp__") || tool.starts_with("MCP:"),
        },
    }
}

/// Whether its arguments are a command for a shell: a mark in one is no placeholder but a redirection, and what ran
/// would be another command than the one that was asked for.
pub(crate) fn is_shell(tool: &str) -> bool {
    matches!(tool, "Bash" | "PowerShell" | "Shell" | "Monitor" | "shell" | "exec_command" | "local_shell")
}

/// What a tool does, by its name. Of one that is not known the most is assumed.
pub(crate) fn effect(tool: &str) -> Effect {
    match tool {
        "Read"
        | "NotebookRead"
        | "Grep"
        | "Glob"
        | "LS"
        | "WebFetch"
        | "WebSearch"
        | "web_search"
        | "BashOutput"
        | "TaskOutput"
        | "TodoRead"
        | "ToolSearch"
        | "ListMcpResources"
        | "ListMcpResourcesTool"
        | "ReadMcpResource"
        | "ReadMcpResourceTool"
        | "ListDir"
        | "SemanticSearch"
        | "ReadLints"
        | "view_image"
        | "read_file"
        | "list_dir"
        | "grep_files" => Effect::Read,
        "Write" => Effect::Create,
        "Edit" | "MultiEdit" | "NotebookEdit" | "apply_patch" | "StrReplace" | "EditNotebook"
        | "TodoWrite" | "update_plan" => Effect::Update,
        "Delete" => Effect::Delete,
        _ => Effect::Execute,
    }
}

/// What it acts on, where its arguments say so: a file, or an address without its query.
pub(crate) fn uri(named: &Named, input: &[u8]) -> Option<String> {
    if named.mcp {
        return Some(format!("mcp://{}", escaped(&named.name.replacen(':', "/", 1))));
    }
    let arguments: Value = serde_json::from_slice(input).ok()?;
    let text = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| arguments.get(*key)?.as_str());
        found.filter(|text| !text.is_empty() && text.len() <= MAX_URI)
    };
    if let Some(path) = text(&["file_path", "notebook_path", "path"]) {
        return Some(format!("file://{}", escaped(path)));
    }
    let url = text(&["url"])?;
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let web = url.starts_with("http://") || url.starts_with("https://");
    // What stands before an `@` may be a password.
    let bare = !url.split('/').nth(2).unwrap_or_default().contains('@');
    (web && bare).then(|| escaped(url))
}

/// Without what no URI of a record may hold.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() || matches!(c, '?' | '#') {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |client, tool: &str| {
            let named = named(client, tool);
            format!("{} in {}{}", named.name, named.server, if named.mcp { " (mcp)" } else { "" })
        };
        insta::assert_snapshot!(check(Client::ClaudeCode, "Bash"), @"claude-code:Bash in claude-code");
        insta::assert_snapshot!(check(Client::ClaudeCode, "mcp__crm__search"), @"crm:search in crm (mcp)");
        insta::assert_snapshot!(check(Client::Codex, "mcp__crm__a__b"), @"crm:a__b in crm (mcp)");
        insta::assert_snapshot!(check(Client::Codex, "mcp__"), @"codex:mcp__ in codex (mcp)");
        insta::assert_snapshot!(check(Client::Cursor, "Shell"), @"cursor:Shell in cursor");
        insta::assert_snapshot!(check(Client::Cursor, "MCP:crm:search"), @"crm:search in crm (mcp)");
        insta::assert_snapshot!(check(Client::Cursor, "MCP:search"), @"cursor:MCP:search in cursor (mcp)");
        insta::assert_snapshot!(check(Client::Agent, "crm:contacts:search"), @"crm:contacts:search in crm");
        insta::assert_snapshot!(check(Client::Agent, "search"), @"agent:search in agent");
        insta::assert_snapshot!(check(Client::Agent, ":x"), @"agent::x in agent");
    }

    #[test]
    fn resources() {
        let check = |tool: &str, input: &str| {
            uri(&named(Client::ClaudeCode, tool), input.as_bytes()).unwrap_or_default()
        };
        insta::assert_snapshot!(check("Read", r#"{"file_path":"/a b/c?.rs"}"#), @"file:///a%20b/c%3F.rs");
        insta::assert_snapshot!(check("Grep", r#"{"pattern":"x","path":"src"}"#), @"file://src");
        insta::assert_snapshot!(check("WebFetch", r#"{"url":"https://a.example/x?token=1#y"}"#), @"https://a.example/x");
        insta::assert_snapshot!(check("WebFetch", r#"{"url":"https://u:p@a.example/x"}"#), @"");
        insta::assert_snapshot!(check("WebFetch", r#"{"url":"audit://node"}"#), @"");
        insta::assert_snapshot!(check("Bash", r#"{"command":"ls"}"#), @"");
        insta::assert_snapshot!(check("mcp__crm__search", r#"{"path":"/x"}"#), @"mcp://crm/search");
    }
}
