//! What a message asks, of what: from method and parameters to the words of policies and records.
//!
//! Pure. A tool is `crm:search`; what is no tool has `method:` in its name, so that no server can offer a tool that
//! passes for it.

use greffier_event::{Action, ActionKind, Effect, Resource, Target};

use super::rpc::Members;
use crate::adapt::view::View;

/// What stands between a server's name and a method.
const METHOD: &str = "method:";
/// Longest name of a tool or prompt; the specification says 128.
const MAX_NAME: usize = 160;
/// Longest URI; what an event can hold.
const MAX_URI: usize = 2_048;
/// Resources one subscription may name.
const MAX_WATCHED: usize = 64;

/// What a message asks.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) action: Action,
    pub(crate) resource: Resource,
    pub(crate) target: Target,
    /// The tool's own name.
    pub(crate) tool: Option<String>,
    /// Resources that a subscription names: each has to be permitted.
    pub(crate) watched: Vec<Target>,
}

/// What a caller asks of `server`.
///
/// # Errors
/// What is wrong with the parameters.
pub(crate) fn of_server(server: &str, method: &str, params: Option<&str>) -> Result<Asked, &'static str> {
    let known = ["name", "uri", "arguments", "ref", "notifications", "_meta"];
    let params = params.and_then(|params| View::parse(params).ok());
    let params = match params {
        Some(params) => Some(Members::of(params, &known).ok_or("a parameter stands twice")?),
        None => None,
    };
    let text = |name: &str| params.as_ref().and_then(|params| params.get(name)).and_then(View::string);
    let name =
        || text("name").filter(|name| is_name(name)).ok_or("`name` must be a name of at most 160 characters");
    let uri =
        || text("uri").filter(|uri| is_uri(uri)).ok_or("`uri` must be a URI of at most 2048 characters");
    let ask = Asking { server, method };
    Ok(match method {
        "tools/call" => ask.tool(name()?),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => ask.resource(uri()?),
        "prompts/get" => ask.prompt(&name()?),
        "completion/complete" => {
            let reference = params.as_ref().and_then(|params| params.get("ref")).ok_or("`ref` is missing")?;
            let reference =
                Members::of(reference, &["type", "name", "uri"]).ok_or("a member of `ref` stands twice")?;
            let text = |name: &str| reference.get(name).and_then(View::string);
            match text("type").as_deref() {
                Some("ref/prompt") => ask.prompt(&text("name").filter(|name| is_name(name)).ok_or("`name`")?),
                Some("ref/resource") => {
                    ask.resource(text("uri").filter(|uri| is_uri(uri)).ok_or("`uri` of `ref`")?)
                }
                _ => return Err("`ref` must be a prompt or a resource"),
            }
        }
        "subscriptions/listen" => {
            let filter = params.as_ref().and_then(|params| params.get("notifications"));
            let uris = filter.and_then(|filter| filter.get("resourceSubscriptions"));
            let uris: Vec<Option<String>> =
                uris.map(View::items).unwrap_or_default().into_iter().map(View::string).collect();
            let uris: Option<Vec<String>> = uris.into_iter().collect();
            let uris = uris.filter(|uris| uris.len() <= MAX_WATCHED && uris.iter().all(|uri| is_uri(uri)));
            let uris = uris.ok_or("`resourceSubscriptions` must be at most 64 URIs")?;
            let watched =
                uris.into_iter().map(|uri| Target::Resource { server: server.to_owned(), uri }).collect();
            Asked { watched, ..ask.session(Effect::Read) }
        }
        "tools/list"
        | "resources/list"
        | "resources/templates/list"
        | "prompts/list"
        | "server/discover"
        | "ping"
        | "GET" => ask.session(Effect::Read),
        "initialize" | "logging/setLevel" | "DELETE" => ask.session(Effect::Execute),
        method if method.starts_with("notifications/") => ask.session(Effect::Execute),
        // Whatever else a server understands is asked for like a tool: silence of the policies is a denial.
        _ => ask.method(ActionKind::Tool),
    })
}

/// What `server` asks of the caller's client.
pub(crate) fn by_server(server: &str, method: &str) -> Asked {
    let ask = Asking { server, method };
    match method {
        "ping" | "roots/list" => ask.session(Effect::Read),
        "sampling/createMessage" => ask.method(ActionKind::Llm),
        _ => ask.method(ActionKind::Tool),
    }
}

/// Whether a call of this name brings the contents of a resource.
pub(crate) fn reads_resource(name: &str) -> bool {
    name.strip_suffix("resources/read").and_then(|before| before.strip_suffix(METHOD)).is_some()
}

/// A tool as policies name it.
pub(crate) fn tool(server: &str, name: &str) -> Target {
    Target::Tool { server: server.to_owned(), name: format!("{server}:{name}") }
}

/// A prompt as policies name it.
pub(crate) fn prompt(server: &str, name: &str) -> Target {
    Target::Resource { server: server.to_owned(), uri: format!("prompt://{server}/{name}") }
}

/// Whether a tool or prompt may be called so: on one line, and not like one of our own names.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().count() <= MAX_NAME
        && !name.chars().any(char::is_control)
        && !name.starts_with(METHOD)
}

/// Resources that are Greffier's own: no server has them.
const OWN_SCHEMES: [&str; 3] = ["audit:", "policy:", "key:"];

fn is_uri(uri: &str) -> bool {
    let lower = uri.to_ascii_lowercase();
    !OWN_SCHEMES.iter().any(|own| lower.starts_with(own))
        && !uri.is_empty()
        && uri.len() <= MAX_URI
        && !uri.chars().any(|c| c.is_control() || c.is_whitespace())
}

struct Asking<'a> {
    server: &'a str,
    method: &'a str,
}

impl Asking<'_> {
    fn tool(&self, name: String) -> Asked {
        let target = tool(self.server, &name);
        let full = format!("{}:{name}", self.server);
        let uri = format!("mcp://{}/tools/{name}", self.server);
        Asked { tool: Some(name), ..self.asked(full, ActionKind::Tool, Effect::Execute, uri, target) }
    }

    fn resource(&self, uri: String) -> Asked {
        // Queries never enter a leaf; the policies see the whole.
        let recorded = uri.split(['?', '#']).next().unwrap_or_default().to_owned();
        let target = Target::Resource { server: self.server.to_owned(), uri };
        self.asked(self.named(), ActionKind::Data, Effect::Read, recorded, target)
    }

    fn prompt(&self, name: &str) -> Asked {
        let target = prompt(self.server, name);
        let uri = format!("prompt://{}/{name}", self.server);
        self.asked(self.named(), ActionKind::Data, Effect::Read, uri, target)
    }

    fn session(&self, effect: Effect) -> Asked {
        let target = Target::Session { server: self.server.to_owned(), name: self.named() };
        self.asked(self.named(), ActionKind::Agent, effect, format!("mcp://{}", self.server), target)
    }

    fn method(&self, kind: ActionKind) -> Asked {
        let target = Target::Tool { server: self.server.to_owned(), name: self.named() };
        self.asked(self.named(), kind, Effect::Execute, format!("mcp://{}", self.server), target)
    }

    fn named(&self) -> String {
        format!("{}:{METHOD}{}", self.server, self.method)
    }

    fn asked(&self, name: String, kind: ActionKind, effect: Effect, uri: String, target: Target) -> Asked {
        let action = Action {
            call_id: None,
            effect: Some(effect),
            kind: Some(kind),
            method: Some(self.method.chars().take(64).collect()),
            name,
        };
        let resource = Resource { classification: Vec::new(), subjects: Vec::new(), uri: Some(uri) };
        Asked { action, resource, target, tool: None, watched: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, params: &str) -> String {
        match of_server("crm", method, Some(params)) {
            Err(error) => format!("{method}: {error}"),
            Ok(asked) => {
                let uri = asked.resource.uri.unwrap_or_default();
                let watched: Vec<String> =
                    asked.watched.iter().map(|target| format!(" and {target:?}")).collect();
                format!("{method}: {} of {uri}, {:?}{}", asked.action.name, asked.target, watched.concat())
            }
        }
    }

    #[test]
    fn every_method_has_its_words() {
        let rows = [
            check("tools/call", r#"{"name":"search","arguments":{}}"#),
            check("resources/read", r#"{"uri":"crm://people?ssn=1"}"#),
            check("prompts/get", r#"{"name":"summary"}"#),
            check("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"summary"}}"#),
            check("completion/complete", r#"{"ref":{"type":"ref/resource","uri":"crm://{id}"}}"#),
            check("tools/list", "{}"),
            check("notifications/initialized", "{}"),
            check("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":["crm://a"]}}"#),
            check("tasks/result", r#"{"taskId":"1"}"#),
        ];
        insta::assert_snapshot!(rows.join("\n"), @r#"
        tools/call: crm:search of mcp://crm/tools/search, Tool { server: "crm", name: "crm:search" }
        resources/read: crm:method:resources/read of crm://people, Resource { server: "crm", uri: "crm://people?ssn=1" }
        prompts/get: crm:method:prompts/get of prompt://crm/summary, Resource { server: "crm", uri: "prompt://crm/summary" }
        completion/complete: crm:method:completion/complete of prompt://crm/summary, Resource { server: "crm", uri: "prompt://crm/summary" }
        completion/complete: crm:method:completion/complete of crm://{id}, Resource { server: "crm", uri: "crm://{id}" }
        tools/list: crm:method:tools/list of mcp://crm, Session { server: "crm", name: "crm:method:tools/list" }
        notifications/initialized: crm:method:notifications/initialized of mcp://crm, Session { server: "crm", name: "crm:method:notifications/initialized" }
        subscriptions/listen: crm:method:subscriptions/listen of mcp://crm, Session { server: "crm", name: "crm:method:subscriptions/listen" } and Resource { server: "crm", uri: "crm://a" }
        tasks/result: crm:method:tasks/result of mcp://crm, Tool { server: "crm", name: "crm:method:tasks/result" }
        "#);
    }

    #[test]
    fn what_could_be_read_twice_is_refused() {
        let rows = [
            check("tools/call", r#"{"name":"search","name":"drop"}"#),
            check("tools/call", r#"{"name":"search","Name":"drop"}"#),
            check("tools/call", r#"{"name":"method:tasks/result"}"#),
            check("tools/call", r#"{"name":7}"#),
            check("tools/call", "{}"),
            check("resources/read", r#"{"uri":"a b"}"#),
            check("resources/read", r#"{"uri":"Audit://node"}"#),
            check("completion/complete", r#"{"ref":{"type":"ref/other","name":"x"}}"#),
            check("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":[1]}}"#),
        ];
        insta::assert_snapshot!(rows.join("\n"), @"
        tools/call: a parameter stands twice
        tools/call: a parameter stands twice
        tools/call: `name` must be a name of at most 160 characters
        tools/call: `name` must be a name of at most 160 characters
        tools/call: `name` must be a name of at most 160 characters
        resources/read: `uri` must be a URI of at most 2048 characters
        resources/read: `uri` must be a URI of at most 2048 characters
        completion/complete: `ref` must be a prompt or a resource
        subscriptions/listen: `resourceSubscriptions` must be at most 64 URIs
        ");
    }
}
