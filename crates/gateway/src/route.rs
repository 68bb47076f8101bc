//! Where requests come in, and where calls may go.

use greffier_event::Target;
use http::{HeaderMap, Method};

use crate::adapt::Protocol;
use crate::settings::{ToolServer, Upstream, UpstreamKind};
use crate::tools;
use crate::wire::Wire;

/// A governed entrance of the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A chat with a model.
    Chat(Protocol),
    /// `GET /v1/models`.
    Models(UpstreamKind),
    /// `/tools/{name}/{path}`.
    Tool {
        /// The configured name.
        name: String,
        /// The path behind it, as sent, with its leading slash.
        path: String,
    },
}

impl Route {
    /// Both providers list their models under one path; Anthropic's SDKs say so in a header.
    pub(crate) fn models(headers: &HeaderMap) -> Route {
        let anthropic = headers.contains_key("anthropic-version");
        Route::Models(if anthropic { UpstreamKind::Anthropic } else { UpstreamKind::OpenAi })
    }

    /// The wire format the caller expects errors in.
    pub(crate) fn wire(&self) -> Wire {
        match self {
            Route::Chat(Protocol::OpenAiChat) | Route::Models(UpstreamKind::OpenAi) => Wire::OpenAi,
            Route::Chat(Protocol::AnthropicMessages) | Route::Models(UpstreamKind::Anthropic) => {
                Wire::Anthropic
            }
            Route::Tool { .. } => Wire::Plain,
        }
    }

    /// The protocol's name, as events and metrics carry it.
    pub(crate) fn protocol(&self) -> &'static str {
        match self {
            Route::Chat(protocol) => protocol.name(),
            Route::Models(UpstreamKind::OpenAi) => "openai.models",
            Route::Models(UpstreamKind::Anthropic) => "anthropic.models",
            Route::Tool { .. } => "http.tool",
        }
    }
}

/// The wire format for errors before a route is known.
pub(crate) fn wire(path: &str) -> Wire {
    match path {
        "/v1/messages" => Wire::Anthropic,
        path if path.starts_with("/v1/") => Wire::OpenAi,
        _ => Wire::Plain,
    }
}

/// What a path of the listener is.
pub(crate) enum Entrance {
    Governed(Route),
    Health,
    Ready,
    Metrics,
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
        "/v1/messages" => (Route::Chat(Protocol::AnthropicMessages), post),
        "/v1/models" => (Route::models(headers), *method == Method::GET),
        "/healthz" if reads => return Entrance::Health,
        "/readyz" if reads => return Entrance::Ready,
        "/metrics" if reads => return Entrance::Metrics,
        "/healthz" | "/readyz" | "/metrics" => return Entrance::WrongMethod(Wire::Plain),
        _ => {
            let Some(rest) = path.strip_prefix("/tools/") else { return Entrance::Unknown };
            let (name, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let named = !name.is_empty()
                && name.len() <= 64
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
            if !named {
                return Entrance::Unknown;
            }
            let methods =
                [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
            (Route::Tool { name: name.to_owned(), path: path.to_owned() }, methods.contains(method))
        }
    };
    if taken { Entrance::Governed(route) } else { Entrance::WrongMethod(route.wire()) }
}

/// Where a permitted call goes.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// To a model provider.
    Model(Upstream),
    /// To a tool.
    Tool(ToolServer),
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
    };
    let kind = match route {
        Route::Chat(Protocol::OpenAiChat) => UpstreamKind::OpenAi,
        Route::Chat(Protocol::AnthropicMessages) => UpstreamKind::Anthropic,
        Route::Models(kind) => *kind,
        Route::Tool { .. } => return Err(NoDestination::Tool),
    };
    // A list of models asks no model: any upstream of the kind will do.
    let listing = matches!(route, Route::Models(_));
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
    use super::matches;

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
