//! A client's settings with our hooks in them, or without. Only the member `hooks` is written anew, and in it only
//! what is ours: the rest of the file stays byte for byte, in its order. Pure.

use greffier_gateway::HookClient;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Seconds that a client waits for an answer.
const TIMEOUT: u64 = 30;
/// Environment variable with the token.
const TOKEN: &str = "GREFFIER_TOKEN";

/// How a client reaches the server.
#[derive(Clone, Debug)]
pub(super) enum Reach {
    /// By itself, at this URL.
    Http(String),
    /// By running this.
    Command(String),
}

/// Why settings cannot be changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unmergeable {
    #[error("it is not a JSON object ({0}): put that right first, nothing was changed")]
    Syntax(String),
    #[error("its `hooks` are not of the form that {0} reads: put that right first, nothing was changed")]
    Shape(&'static str),
}

/// What is recorded, by event; and whether the client is to stand still where that fails.
fn events(client: HookClient) -> &'static [(&'static str, bool)] {
    match client {
        HookClient::ClaudeCode => &[
            ("SessionStart", false),
            ("UserPromptSubmit", true),
            ("PreToolUse", true),
            ("PermissionDenied", false),
            ("PostToolUse", true),
            ("PostToolUseFailure", false),
            ("SubagentStart", false),
            ("SubagentStop", false),
            ("Stop", false),
            ("SessionEnd", false),
        ],
        HookClient::Codex => &[
            ("SessionStart", false),
            ("UserPromptSubmit", true),
            ("PreToolUse", true),
            ("PostToolUse", true),
            ("Stop", false),
        ],
        HookClient::Cursor => &[
            ("sessionStart", false),
            ("beforeSubmitPrompt", true),
            ("preToolUse", true),
            ("postToolUse", false),
            ("postToolUseFailure", false),
            ("subagentStart", false),
            ("subagentStop", false),
            ("stop", false),
            ("sessionEnd", false),
        ],
        // Our SDK has no settings.
        HookClient::Agent => &[],
    }
}

/// The settings with our hooks, each in the place of an older one of ours.
pub(super) fn installed(text: &str, client: HookClient, reach: &Reach) -> Result<String, Unmergeable> {
    let found = Found::new(text, client)?;
    let mut hooks = found.hooks.clone();
    for (event, blocks) in events(client) {
        let entry = entry(client, event, *blocks, reach);
        let list = hooks.entry((*event).to_owned()).or_insert_with(|| Value::Array(Vec::new()));
        let list = list.as_array_mut().ok_or(Unmergeable::Shape(client.name()))?;
        match list.iter_mut().find(|entry| is_ours_alone(entry, client)) {
            Some(ours) => *ours = entry,
            None => list.push(entry),
        }
    }
    Ok(found.with(Some(hooks), client))
}

/// The settings without hooks of ours.
pub(super) fn uninstalled(text: &str, client: HookClient) -> Result<String, Unmergeable> {
    let found = Found::new(text, client)?;
    let mut hooks = found.hooks.clone();
    let mut changed = false;
    for (_, list) in &mut hooks {
        let Some(list) = list.as_array_mut() else { continue };
        for entry in list.iter_mut() {
            if let Some(inner) = entry.get_mut("hooks").and_then(Value::as_array_mut) {
                let before = inner.len();
                inner.retain(|hook| !is_ours(hook, client));
                changed |= inner.len() != before;
            }
        }
        let before = list.len();
        list.retain(|entry| !is_ours(entry, client) && !is_emptied(entry));
        changed |= list.len() != before;
    }
    if !changed {
        return Ok(text.to_owned());
    }
    hooks.retain(|_, list| list.as_array().is_none_or(|list| !list.is_empty()));
    Ok(found.with((!hooks.is_empty()).then_some(hooks), client))
}

/// One hook of ours, in the client's form.
fn entry(client: HookClient, event: &str, blocks: bool, reach: &Reach) -> Value {
    // At the start of a session Claude Code takes commands only.
    let command = match reach {
        Reach::Http(url) if event != "SessionStart" => {
            let mut hook = json!({
                "type": "http",
                "url": format!("{}/hooks/{}", url.trim_end_matches('/'), client.name()),
                "headers": { "Authorization": format!("Bearer ${TOKEN}") },
                "allowedEnvVars": [TOKEN],
                "timeout": TIMEOUT,
            });
            add_block(&mut hook, blocks, "onFailure", "block".into());
            return group(event, hook);
        }
        Reach::Http(url) => format!("greffier hook {} --server {url}", client.name()),
        Reach::Command(command) => command.clone(),
    };
    match client {
        HookClient::Cursor => {
            let mut hook = json!({ "command": command, "timeout": TIMEOUT });
            add_block(&mut hook, blocks, "failClosed", true.into());
            hook
        }
        HookClient::ClaudeCode => {
            let mut hook = json!({ "type": "command", "command": command, "timeout": TIMEOUT });
            add_block(&mut hook, blocks, "onFailure", "block".into());
            group(event, hook)
        }
        HookClient::Codex | HookClient::Agent => {
            group(event, json!({ "type": "command", "command": command, "timeout": TIMEOUT }))
        }
    }
}

fn add_block(hook: &mut Value, blocks: bool, name: &str, value: Value) {
    if let Some(hook) = hook.as_object_mut().filter(|_| blocks) {
        hook.insert(name.to_owned(), value);
    }
}

/// Tools are matched by name; other events have none.
fn group(event: &str, hook: Value) -> Value {
    if event.contains("Tool") || event.starts_with("Permission") {
        json!({ "matcher": "*", "hooks": [hook] })
    } else {
        json!({ "hooks": [hook] })
    }
}

/// Whether a hook was written by us: by where it posts, or what it runs.
fn is_ours(hook: &Value, client: HookClient) -> bool {
    let text = |name: &str| hook.get(name).and_then(Value::as_str).unwrap_or_default();
    let posts = text("url").ends_with(&format!("/hooks/{}", client.name()));
    let mut words = text("command").split_whitespace();
    let program = words.next().unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default();
    let runs = matches!(program, "greffier" | "greffier.exe")
        && words.next() == Some("hook")
        && words.next() == Some(client.name());
    posts || runs
}

fn is_ours_alone(entry: &Value, client: HookClient) -> bool {
    let inner = entry.get("hooks").and_then(Value::as_array);
    inner.map_or_else(
        || is_ours(entry, client),
        |inner| !inner.is_empty() && inner.iter().all(|hook| is_ours(hook, client)),
    )
}

fn is_emptied(entry: &Value) -> bool {
    entry.get("hooks").and_then(Value::as_array).is_some_and(Vec::is_empty)
}

/// Settings, and where in them the hooks are.
struct Found<'a> {
    text: &'a str,
    /// Where the value stands, if there is one.
    place: Option<std::ops::Range<usize>>,
    hooks: Map<String, Value>,
}

#[derive(Deserialize)]
struct Top<'a> {
    #[serde(borrow)]
    hooks: Option<&'a RawValue>,
}

impl<'a> Found<'a> {
    fn new(text: &'a str, client: HookClient) -> Result<Found<'a>, Unmergeable> {
        if text.trim().is_empty() {
            return Ok(Found { text: "{}\n", place: None, hooks: Map::new() });
        }
        let syntax = |error: serde_json::Error| Unmergeable::Syntax(error.to_string());
        // Checked whole first: a second `hooks` would be the one that counts.
        if !text.trim_start().starts_with('{') {
            return Err(Unmergeable::Syntax("it begins with something else".to_owned()));
        }
        let top: Top<'a> = serde_json::from_str(text).map_err(syntax)?;
        let Some(raw) = top.hooks else { return Ok(Found { text, place: None, hooks: Map::new() }) };
        let hooks = serde_json::from_str(raw.get()).map_err(|_| Unmergeable::Shape(client.name()))?;
        // The raw value is a piece of the text itself.
        let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
        Ok(Found { text, place: Some(start..start + raw.get().len()), hooks })
    }

    /// The settings with other hooks, or none.
    fn with(&self, hooks: Option<Map<String, Value>>, client: HookClient) -> String {
        let cut = |from: usize, to: usize| self.text.get(from..to).unwrap_or_default();
        let end = self.text.len();
        match (&self.place, hooks) {
            (Some(place), Some(hooks)) => {
                format!("{}{}{}", cut(0, place.start), rendered(hooks), cut(place.end, end))
            }
            (Some(place), None) => {
                // The member goes with one of its commas.
                let before = cut(0, place.start).trim_end().trim_end_matches(':').trim_end();
                let after = cut(place.end, end);
                let Some(before) = before.strip_suffix("\"hooks\"").map(str::trim_end) else {
                    // Its name is spelled in another way: an empty value says the same.
                    return format!("{}{{}}{after}", cut(0, place.start));
                };
                match before.strip_suffix(',') {
                    Some(before) => format!("{before}{after}"),
                    None => {
                        let rest = after.trim_start();
                        let rest = rest.strip_prefix(',').map_or(after, |rest| rest);
                        format!("{before}{rest}")
                    }
                }
            }
            (None, Some(hooks)) => {
                let close = self.text.rfind('}').unwrap_or(0);
                let before = cut(0, close).trim_end();
                let comma = if before.ends_with('{') { "" } else { "," };
                // Cursor asks for the version of its format.
                let version =
                    if client == HookClient::Cursor && comma.is_empty() { "\n  \"version\": 1," } else { "" };
                format!("{before}{comma}{version}\n  \"hooks\": {}\n{}", rendered(hooks), cut(close, end))
            }
            (None, None) => self.text.to_owned(),
        }
    }
}

/// In the clients' own style: two spaces, one level in.
fn rendered(hooks: Map<String, Value>) -> String {
    let pretty = serde_json::to_string_pretty(&Value::Object(hooks)).unwrap_or_default();
    pretty.replace('\n', "\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http() -> Reach {
        Reach::Http("http://127.0.0.1:4180".to_owned())
    }

    /// Installs twice, which must be as good as once, and takes it out again.
    fn check(client: HookClient, text: &str, reach: &Reach) -> String {
        let once = installed(text, client, reach).unwrap();
        assert_eq!(installed(&once, client, reach).unwrap(), once);
        let value: Value = serde_json::from_str(&once).unwrap();
        for (event, _) in events(client) {
            assert!(value["hooks"][event].is_array(), "{event}");
        }
        uninstalled(&once, client).unwrap()
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        // Odd spacing, a number no parser keeps, members around ours, somebody else's hook.
        let text = "{\"z\" : 1.10,\n   \"hooks\": {\n    \"PreToolUse\": [\n      {\n        \"matcher\": \"Bash\",\n        \"hooks\": [\n          {\n            \"type\": \"command\",\n            \"command\": \"mine\"\n          }\n        ]\n      }\n    ]\n  },\n\t\"a\":[ ]}\n";
        assert_eq!(check(HookClient::ClaudeCode, text, &http()), text);
        let once = installed(text, HookClient::ClaudeCode, &http()).unwrap();
        assert!(once.starts_with("{\"z\" : 1.10,\n   \"hooks\": {") && once.ends_with(",\n\t\"a\":[ ]}\n"));
        assert!(once.find("mine") < once.find("/hooks/claude-code"));
    }

    #[test]
    fn files_without_hooks_come_back() {
        for text in ["{}\n", "{\n  \"model\": \"opus\"\n}\n", "{\"a\": {\"hooks\": {}}}"] {
            let back = check(HookClient::ClaudeCode, text, &http());
            let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(value(&back), value(text), "{back}");
        }
        assert_eq!(check(HookClient::Codex, "", &http()).trim(), "{\n}");
    }

    #[test]
    fn the_forms() {
        let shown = |client, event: &str, reach: &Reach| {
            let text = installed("", client, reach).unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            value["hooks"][event].to_string()
        };
        insta::assert_snapshot!(shown(HookClient::ClaudeCode, "PreToolUse", &http()), @r#"[{"matcher":"*","hooks":[{"type":"http","url":"http://127.0.0.1:4180/hooks/claude-code","headers":{"Authorization":"Bearer $GREFFIER_TOKEN"},"allowedEnvVars":["GREFFIER_TOKEN"],"timeout":30,"onFailure":"block"}]}]"#);
        insta::assert_snapshot!(shown(HookClient::ClaudeCode, "SessionStart", &http()), @r#"[{"hooks":[{"type":"command","command":"greffier hook claude-code --server http://127.0.0.1:4180","timeout":30}]}]"#);
        let command = Reach::Command("greffier hook codex".to_owned());
        insta::assert_snapshot!(shown(HookClient::Codex, "PreToolUse", &command), @r#"[{"matcher":"*","hooks":[{"type":"command","command":"greffier hook codex","timeout":30}]}]"#);
        let command = Reach::Command("greffier hook cursor".to_owned());
        insta::assert_snapshot!(shown(HookClient::Cursor, "preToolUse", &command), @r#"[{"command":"greffier hook cursor","timeout":30,"failClosed":true}]"#);
        assert!(installed("", HookClient::Cursor, &command).unwrap().contains("\"version\": 1"));
    }

    #[test]
    fn what_is_ours_is_replaced_in_its_place() {
        let old = Reach::Command("/opt/bin/greffier hook claude-code --server http://old".to_owned());
        let before = installed("{}", HookClient::ClaudeCode, &old).unwrap();
        let after = installed(&before, HookClient::ClaudeCode, &http()).unwrap();
        assert!(!after.contains("http://old"));
        assert_eq!(after, installed("{}", HookClient::ClaudeCode, &http()).unwrap());
    }

    #[test]
    fn what_cannot_be_read_is_left_alone() {
        let check = |text: &str| installed(text, HookClient::ClaudeCode, &http()).unwrap_err().to_string();
        for text in [
            "[]",
            "{\"hooks\": 7}",
            "{\"hooks\": {\"PreToolUse\": {}}}",
            "{ // words\n}",
            "{\"hooks\":{},\"hooks\":{}}",
        ] {
            assert!(check(text).contains("nothing was changed"), "{text}");
        }
    }
}
