//! Where requests come in, and where calls may go.

use greffier_event::Target;
use http::{HeaderMap, Method};

use crate::adapt::Protocol;
use crate::adapt::gemini::Address;
use crate::hook::Client;
use crate::mcp::WELL_KNOWN;
use crate::settings::{ToolServer, Upstream, UpstreamKind};
use crate::stored::Stored;
use crate::tools;
use crate::wire::Wire;

/// A governed entrance of the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A question to a model, which the body names.
    Chat(Protocol),
    /// A question to a Gemini model, which the path names.
    Gemini(Address),
    /// `GET /v1/models`, `GET /v1beta/models`.
    Models(UpstreamKind),
    /// `GET /v1/models/{id}`, `GET /v1beta/models/{id}`: what a provider says of one model.
    Model {
        /// Whose API it is.
        kind: UpstreamKind,
        /// The model, as the path has it.
        id: String,
    },
    /// A response that the provider keeps: `/v1/responses/{id}`.
    Stored(Stored),
    /// `/tools/{name}/{path}`.
    Tool {
        /// The configured name.
        name: String,
        /// The path behind it, as sent, with its leading slash.
        path: String,
    },
    /// `/hooks/{client}`: what an agent's own software is about to do, or did.
    Hook(Client),
    /// `/mcp/{server}`.
    Mcp {
        /// The configured name.
        server: String,
    },
}

impl Route {
    /// All providers list their models under one path; what their SDKs send with it tells them apart.
    fn models_of(headers: &HeaderMap) -> UpstreamKind {
        if headers.contains_key("anthropic-version") {
            UpstreamKind::Anthropic
        } else if headers.contains_key("x-goog-api-key") {
            UpstreamKind::Gemini
        } else {
            UpstreamKind::OpenAi
        }
    }

    /// The protocol of a model's reply.
    pub(crate) fn model_protocol(&self) -> Option<Protocol> {
        match self {
            Route::Chat(protocol) => Some(*protocol),
            Route::Gemini(address) => Some(address.protocol),
            Route::Stored(_) => Some(Protocol::OpenAiResponses),
            Route::Models(_)
            | Route::Model { .. }
            | Route::Tool { .. }
            | Route::Hook(_)
            | Route::Mcp { .. } => None,
        }
    }

    /// The API of a model provider that it belongs to.
    pub(crate) fn kind(&self) -> Option<UpstreamKind> {
        match self {
            Route::Models(kind) | Route::Model { kind, .. } => Some(*kind),
            _ => self.model_protocol().map(Protocol::kind),
        }
    }

    /// The wire format the caller expects errors in.
    pub(crate) fn wire(&self) -> Wire {
        match self {
            Route::Mcp { .. } => Wire::Mcp,
            _ => self.kind().map_or(Wire::Plain, UpstreamKind::wire),
        }
    }

    /// The protocol's name, as events and metrics carry it.
    pub(crate) fn protocol(&self) -> &'static str {
        match self {
            Route::Chat(protocol) => protocol.name(),
            Route::Gemini(address) => address.protocol.name(),
            Route::Stored(_) => Protocol::OpenAiResponses.name(),
            Route::Models(kind) | Route::Model { kind, .. } => match kind {
                UpstreamKind::OpenAi => "openai.models",
                UpstreamKind::Anthropic => "anthropic.models",
                UpstreamKind::Gemini => "gemini.models",
            },
            Route::Tool { .. } => "http.tool",
            Route::Hook(client) => client.protocol(),
            Route::Mcp { .. } => "mcp",
        }
    }
}

/// The wire format for errors before a route is known.
pub(crate) fn wire(path: &str) -> Wire {
    match path {
        path if path.starts_with("/v1/messages") => Wire::Anthropic,
        path if path.starts_with("/v1beta/") || Address::parse(path).is_some() => Wire::Gemini,
        path if path.starts_with("/v1/") => Wire::OpenAi,
        path if path.starts_with("/mcp/") => Wire::Mcp,
        _ => Wire::Plain,
    }
}

/// What a path of the listener is.
pub(crate) enum Entrance {
    Governed(Route),
    Health,
    Ready,
    Metrics,
    /// What OAuth clients need to know about an MCP server's entrance.
    ResourceMetadata(String),
    /// A path of ours, with a method it does not take.
    WrongMethod(Wire),
    Unknown,
}

/// Finds the entrance for a path as it was sent: not decoded, so that what is inspected is what travels on.
pub(crate) fn entrance(method: &Method, path: &str, headers: &HeaderMap) -> Entrance {
    let post = *method == Method::POST;
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let (route, taken) = match path {
        "/v1/chat/completions" => (Route::Chat(Protocol::OpenAiChat), post),
        "/v1/responses" => (Route::Chat(Protocol::OpenAiResponses), post),
        "/v1/completions" => (Route::Chat(Protocol::OpenAiCompletions), post),
        "/v1/embeddings" => (Route::Chat(Protocol::OpenAiEmbeddings), post),
        "/v1/moderations" => (Route::Chat(Protocol::OpenAiModerations), post),
        "/v1/messages" => (Route::Chat(Protocol::AnthropicMessages), post),
        "/v1/messages/count_tokens" => (Route::Chat(Protocol::AnthropicCountTokens), post),
        "/v1/responses/input_tokens" => (Route::Chat(Protocol::OpenAiInputTokens), post),
        "/v1/responses/compact" => (Route::Chat(Protocol::OpenAiCompaction), post),
        "/v1/models" => (Route::Models(Route::models_of(headers)), *method == Method::GET),
        "/v1beta/models" => (Route::Models(UpstreamKind::Gemini), *method == Method::GET),
        "/healthz" if reads => return Entrance::Health,
        "/readyz" if reads => return Entrance::Ready,
        "/metrics" if reads => return Entrance::Metrics,
        "/healthz" | "/readyz" | "/metrics" => return Entrance::WrongMethod(Wire::Plain),
        _ if path.starts_with("/v1/responses/") => {
            let Some((stored, taken)) = Stored::parse(method, path) else { return Entrance::Unknown };
            (Route::Stored(stored), taken)
        }
        _ if path.starts_with("/v1") => match (Address::parse(path), model_of(path, headers)) {
            (Some(address), _) => (Route::Gemini(address), post),
            (None, Some(model)) => (model, *method == Method::GET),
            (None, None) => return Entrance::Unknown,
        },
        "/hooks/claude-code" => (Route::Hook(Client::ClaudeCode), post),
        "/hooks/codex" => (Route::Hook(Client::Codex), post),
        "/hooks/cursor" => (Route::Hook(Client::Cursor), post),
        "/hooks/agent" => (Route::Hook(Client::Agent), post),
        _ if path.starts_with("/mcp/") || path.starts_with(WELL_KNOWN) => {
            let described = path.strip_prefix(WELL_KNOWN);
            let server = described.unwrap_or(path).strip_prefix("/mcp/").filter(|server| is_name(server));
            let Some(server) = server.map(str::to_owned) else { return Entrance::Unknown };
            match described {
                Some(_) if reads => return Entrance::ResourceMetadata(server),
                Some(_) => return Entrance::WrongMethod(Wire::Plain),
                None => (Route::Mcp { server }, post || matches!(*method, Method::GET | Method::DELETE)),
            }
        }
        _ => {
            let Some(rest) = path.strip_prefix("/tools/") else { return Entrance::Unknown };
            let (name, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if !is_name(name) {
                return Entrance::Unknown;
            }
            let methods =
                [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
            (Route::Tool { name: name.to_owned(), path: path.to_owned() }, methods.contains(method))
        }
    };
    if taken { Entrance::Governed(route) } else { Entrance::WrongMethod(route.wire()) }
}

/// Longest name of a model in a path.
const MAX_MODEL: usize = 256;

/// The question about one model that a path is. Names that need an escape are not taken: they stand in no URL of a record.
fn model_of(path: &str, headers: &HeaderMap) -> Option<Route> {
    let (kind, id) = match path.strip_prefix("/v1/models/") {
        Some(id) => (Route::models_of(headers), id),
        None => (UpstreamKind::Gemini, path.strip_prefix("/v1beta/models/")?),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':' | b'@');
    let named = (1..=MAX_MODEL).contains(&id.len())
        && id.bytes().all(plain)
        && id.starts_with(|c: char| c.is_ascii_alphanumeric());
    named.then(|| Route::Model { kind, id: id.to_owned() })
}

/// Whether a tool or server may be configured under this name.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Where a permitted call goes.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// To a model provider.
    Model(Upstream),
    /// To a tool.
    Tool(ToolServer),
    /// Nowhere: the caller acts itself, and asked before.
    Caller,
    /// To an MCP server, or from one to the caller's client.
    Mcp,
}

/// Why a call cannot go anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoDestination {
    /// No upstream of this kind serves the model.
    Model,
    /// The upstream that serves it has no API key.
    Key,
    /// No tool of that name.
    Tool,
    /// The tool's definition is not the pinned one.
    Changed,
    /// A subscription names a resource that policies do not permit.
    Watched,
    /// The tool's document has no such operation.
    Operation,
}

impl NoDestination {
    /// The reason, for the record and for the caller.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            NoDestination::Model => "no configured upstream serves this model",
            NoDestination::Key => "the upstream that serves this model has no API key configured",
            NoDestination::Tool => "no tool of this name is configured",
            NoDestination::Changed => {
                "the tool's definition changed since it was first seen; somebody has to accept it"
            }
            NoDestination::Watched => "no policy permits one of the resources that the subscription names",
            NoDestination::Operation => "the tool's document has no such operation",
        }
    }
}

/// Chooses where a call goes: the first upstream of the protocol's kind one of whose globs fits the model.
pub(crate) fn destination(
    route: &Route,
    method: &Method,
    target: &Target,
    upstreams: &[Upstream],
    servers: &[ToolServer],
) -> Result<Destination, NoDestination> {
    let model = match target {
        Target::Model { name } => name.as_str(),
        Target::Tool { server, .. } => {
            let tool = servers.iter().find(|tool| tool.name == *server).ok_or(NoDestination::Tool)?;
            if let Route::Tool { path, .. } = route
                && !tools::is_listed(tool, method, path)
            {
                return Err(NoDestination::Operation);
            }
            return Ok(Destination::Tool(tool.clone()));
        }
        // The MCP entrance knows its own servers.
        Target::Resource { .. } | Target::Session { .. } => return Err(NoDestination::Tool),
    };
    let Some(kind) = route.kind() else { return Err(NoDestination::Tool) };
    // A list of models asks no model, and a stored response may be of any: the first upstream of the kind it is.
    let listing = matches!(route, Route::Models(_)) || (matches!(route, Route::Stored(_)) && model == "*");
    let upstream = upstreams
        .iter()
        .filter(|upstream| upstream.kind == kind)
        .find(|upstream| listing || upstream.models.iter().any(|glob| matches(glob, model)))
        .ok_or(NoDestination::Model)?;
    if upstream.api_key.is_none() {
        return Err(NoDestination::Key);
    }
    Ok(Destination::Model(upstream.clone()))
}

/// Most upstreams that are asked in the place of one: each may take its own time.
const MAX_OTHERS: usize = 3;

/// Who may be asked next about a model, in the order of the configuration: those behind the one it goes to, if its
/// terms say so.
pub(crate) fn others<'a>(
    destination: &Destination,
    target: &Target,
    upstreams: &'a [Upstream],
) -> impl Iterator<Item = &'a Upstream> + use<'a> {
    let asked = match (destination, target) {
        (Destination::Model(first), Target::Model { name }) if first.reach.terms().fallback => {
            Some((first.name.clone(), first.kind, name.clone()))
        }
        _ => None,
    };
    asked.into_iter().flat_map(move |(first, kind, model)| {
        let behind = upstreams.iter().skip_while(move |upstream| upstream.name != first).skip(1);
        behind
            .filter(move |other| other.kind == kind && other.api_key.is_some())
            .filter(move |other| other.models.iter().any(|glob| matches(glob, &model)))
            .take(MAX_OTHERS)
    })
}

/// Whether a glob (`*` stands for any run of characters) fits a whole name; linear in both.
pub(crate) fn matches(glob: &str, name: &str) -> bool {
    let mut pieces = glob.split('*');
    let Some(first) = pieces.next() else { return false };
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{Route, matches, model_of};

    #[test]
    fn models_in_paths() {
        let check = |path: &str| match model_of(path, &HeaderMap::new()) {
            Some(Route::Model { kind, id }) => format!("{} {id}", kind.provider()),
            _ => "-".to_owned(),
        };
        assert_eq!(check("/v1/models/gpt-4o"), "openai gpt-4o");
        assert_eq!(check("/v1/models/ft:gpt-4o-mini:acme::B1c2"), "openai ft:gpt-4o-mini:acme::B1c2");
        assert_eq!(check("/v1beta/models/gemini-2.5-flash"), "gemini gemini-2.5-flash");
        for other in ["/v1/models/", "/v1/models/..", "/v1/models/a/b", "/v1/models/a%2fb", "/v1/model/a"] {
            assert_eq!(check(other), "-", "{other}");
        }
    }

    #[test]
    fn globs() {
        let check = |glob: &str, name: &str, expected: bool| {
            assert_eq!(matches(glob, name), expected, "{glob} against {name}");
        };
        check("gpt-4o", "gpt-4o", true);
        check("gpt-4o", "gpt-4o-mini", false);
        check("gpt-*", "gpt-4o", true);
        check("gpt-*", "xgpt-4o", false);
        check("*", "", true);
        check("*-mini", "gpt-4o-mini", true);
        check("*-mini", "gpt-4o-minimal", false);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("ab*ba", "aba", false);
    }
}
