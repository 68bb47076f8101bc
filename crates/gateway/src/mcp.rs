//! MCP: one entrance for each configured server, both live eras of the protocol, over HTTP and to commands.
//!
//! A message becomes a [`Call`] and goes the way of every call (`pipeline.rs`): decided on its parsed body, on record
//! before the server sees it, and its result on record before the caller does. What a server asks of its client is a call
//! the other way round. Pure are `rpc`, `era`, `ask`, `blob`, `lists`; state is in `sessions` and `pins`; effects are in
//! `upstream`, `process` and `passage`.

pub(crate) mod ask;
mod blob;
mod door;
pub mod era;
mod lists;
mod notes;
mod passage;
mod pins;
mod process;
pub mod rpc;
mod server;
mod sessions;
mod upstream;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use greffier_event::{Call, Content, DecisionKind, OutcomeStatus, Place};
use greffier_policy::Question;
use http::{HeaderValue, Method, Response, StatusCode};
use tokio_util::sync::CancellationToken;

pub(crate) use door::{Door, WELL_KNOWN};
pub use pins::{Pin, accept_definition, fingerprint, pinned_definitions};
pub use server::{Launch, McpServer, McpSettings, OnChange, Transport};

use crate::body::{self, Body};
use crate::gateway::Gateway;
use crate::pipeline::{self, Caller};
use crate::read::{self, Head};
use crate::record::{Ending, part};
use crate::refuse::{self, Refused, Rpc};
use crate::route::{Destination, NoDestination, Route};
use era::Era;
use passage::{AskedClient, Passage, Suspended, outcome};
use pins::Pins;
use process::Process;
use rpc::{Id, Message};
use sessions::{Key, Left, Owner, Sessions};
use upstream::{Envelope, Heard, LAST_EVENT, SESSION};

/// What policies find among a call's findings when its tool is not what it was.
pub(crate) const CHANGED: &str = "TOOL_DEFINITION_CHANGED";

/// What all MCP calls share.
pub(crate) struct Mcp {
    servers: Vec<Arc<McpServer>>,
    pub(crate) sessions: Sessions<AskedClient, Suspended>,
    pub(crate) pins: Arc<Pins>,
    pub(crate) door: Door,
    /// Held while a process is started: calls that come at once must not start one each.
    starting: Mutex<()>,
}

impl Mcp {
    /// `local`: whether the listener is on loopback; `issuers`: where callers get their tokens.
    pub(crate) fn new(settings: McpSettings, local: bool, issuers: Vec<String>) -> io::Result<Mcp> {
        let door = Door::new(&settings, local, issuers);
        let names: Vec<String> = settings.servers.iter().map(|server| server.name.clone()).collect();
        let pins = Arc::new(Pins::open(settings.pins, &names)?);
        let servers = settings.servers.into_iter().map(Arc::new).collect();
        Ok(Mcp { servers, sessions: Sessions::default(), pins, door, starting: Mutex::default() })
    }

    fn server(&self, name: &str) -> Option<&Arc<McpServer>> {
        self.servers.iter().find(|server| server.name == name)
    }

    /// Servers over HTTP, by name, and how they are reached.
    pub(crate) fn reaches(&self) -> impl Iterator<Item = (&str, &crate::reach::Reach)> {
        self.servers.iter().filter_map(|server| match &server.transport {
            Transport::Http { reach, .. } => Some((server.name.as_str(), reach)),
            Transport::Command(_) => None,
        })
    }

    /// Whether a server of this name is configured.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.server(name).is_some()
    }

    /// A session is open; what had to end for it is closed.
    pub(crate) fn opened(&self, gateway: &Arc<Gateway>, key: &Key) {
        dispose(gateway, self.sessions.open(key));
    }

    /// A session is over.
    pub(crate) fn ended(&self, gateway: &Arc<Gateway>, key: &Key) {
        dispose(gateway, self.sessions.close(key));
    }

    /// What waited for too long; with `all`, everything: the gateway stops. And what somebody did to the pins.
    pub(crate) async fn settle(&self, gateway: &Gateway, all: bool) {
        close(gateway, self.sessions.settle(Instant::now(), all)).await;
        let pins = Arc::clone(&self.pins);
        for (server, tools) in tokio::task::spawn_blocking(move || pins.edited()).await.unwrap_or_default() {
            notes::edited(gateway, &server, &tools).await;
        }
    }
}

fn dispose(gateway: &Arc<Gateway>, left: Left<AskedClient, Suspended>) {
    let closing = Arc::clone(gateway);
    gateway.calls.spawn(async move { close(&closing, left).await });
}

async fn close(gateway: &Gateway, left: Left<AskedClient, Suspended>) {
    for process in left.processes {
        process.stop();
    }
    for asked in left.asked {
        passage::unanswered(gateway, asked).await;
    }
    for suspended in left.suspended {
        passage::give_up(suspended).await;
    }
}

/// What is known of a request before its sender is.
#[derive(Default)]
pub(crate) struct AtTheDoor {
    /// Whom a token may be made out to, beside the gateway itself.
    pub(crate) audience: Option<String>,
    /// Where a caller without a good token learns where to get one.
    metadata_url: Option<String>,
}

pub(crate) fn at_the_door(gateway: &Arc<Gateway>, head: &Head) -> AtTheDoor {
    let Route::Mcp { server } = &head.route else { return AtTheDoor::default() };
    let door = &gateway.mcp.door;
    AtTheDoor {
        audience: door.audience(server),
        metadata_url: Some(door.metadata_url(server, &head.headers)),
    }
}

impl AtTheDoor {
    /// A refusal that says which token would do.
    pub(crate) fn challenging(&self, mut refused: Refused) -> Refused {
        let Some(url) = &self.metadata_url else { return refused };
        let error = match (refused.status, refused.code) {
            (401, "missing_token") => None,
            (401, _) => Some("invalid_token"),
            (403, _) if refused.lacks_permit => Some("insufficient_scope"),
            _ => return refused,
        };
        refused.challenge = Some(door::challenge(url, error));
        refused
    }
}

/// A refusal in JSON-RPC.
pub(crate) fn error_body(refused: &Refused, request_id: &str) -> Vec<u8> {
    let id = refused.rpc.as_ref().and_then(|rpc| rpc.id.as_deref());
    let id = id.and_then(|id| Id::read(crate::adapt::view::View::parse(id).ok()?));
    passage::rpc_error(id.as_ref(), refused, request_id).into_bytes()
}

/// A request at the entrance, whose sender is known.
pub(crate) struct Visit<'a> {
    pub(crate) gateway: &'a Arc<Gateway>,
    pub(crate) head: &'a Head,
    pub(crate) name: &'a str,
    pub(crate) caller: Caller,
    pub(crate) request_id: &'a str,
    pub(crate) arrived: Instant,
    pub(crate) gone: &'a CancellationToken,
}

/// Answers a request at `/mcp/{server}`.
pub(crate) async fn answer(visit: Visit<'_>, bytes: Bytes) -> Result<Response<Body>, Refused> {
    let sender = visit.caller.principal.clone();
    read::check_headers(&visit.head.headers).map_err(|refused| refused.sent_by(&sender))?;
    let (id, said) = match &visit.head.method {
        &Method::POST => match rpc::read(&bytes) {
            Err(error) => {
                let refused = Refused::bad_request(error.to_string()).sent_by(&sender);
                return Err(refused.in_rpc(Rpc { code: Some(error.code()), ..Rpc::default() }));
            }
            Ok(Message::Request { id, method, params }) => (Some(id), Some((method, params))),
            Ok(Message::Notification { method, params }) => (None, Some((method, params))),
            Ok(Message::Response { id, outcome }) => return answer_server(visit, id, outcome).await,
        },
        method => (None, Some((method.as_str().to_owned(), None))),
    };
    let Some((method, params)) = said else { return Err(Refused::wrong_method()) };
    let rpc = Rpc { id: id.as_ref().map(|id| id.as_json().to_owned()), ..Rpc::default() };
    ask(visit, id, method, params).await.map_err(|mut refused| {
        let Rpc { code, data, .. } = refused.rpc.take().map(|rpc| *rpc).unwrap_or_default();
        refused.in_rpc(Rpc { code, data, ..rpc })
    })
}

/// A request or notification of the caller's.
async fn ask(
    visit: Visit<'_>,
    id: Option<Id>,
    method: String,
    params: Option<&str>,
) -> Result<Response<Body>, Refused> {
    let Visit { gateway, head, name, caller, request_id, arrived, gone } = visit;
    let posts = head.method == Method::POST;
    let bad = |message: &str| Refused::bad_request(message).sent_by(&caller.principal);

    // Of which era it is, and whether its headers say what its body says.
    let era = era::era(&head.headers, posts.then_some(method.as_str()), params).map_err(|mismatch| {
        let rpc = Rpc { code: Some(mismatch.code()), data: mismatch.data(), ..Rpc::default() };
        bad(&mismatch.to_string()).in_rpc(rpc)
    })?;
    if era == Era::Stateless && !posts {
        return Err(Refused::wrong_method());
    }

    // Whose session it is of.
    let server = gateway.mcp.server(name).cloned();
    let key = session(gateway, head, &caller, name, era)?;
    let is_command = server.as_ref().is_some_and(|server| matches!(server.transport, Transport::Command(_)));
    let opens = method == "initialize";
    let key = match (is_command && opens, is_command && era == Era::Sessions && key.id().is_none()) {
        (true, _) => {
            Key::new(name, Owner::of(&caller.principal), Some(&gateway.clock.event_id().to_string()))
        }
        (false, true) => {
            return Err(bad("this server needs the session that `initialize` opened: send `Mcp-Session-Id`"));
        }
        (false, false) => key,
    };

    // What it asks, of what.
    let asked = ask::of_server(name, &method, params)
        .map_err(|message| bad(message).in_rpc(Rpc { code: Some(rpc::INVALID_PARAMS), ..Rpc::default() }))?;
    let mut resource = asked.resource;
    if let Some(server) = &server {
        resource.classification.clone_from(&server.classification);
    }
    let origin = read::origin(head, &gateway.node, era.protocol());
    let mut call = Call {
        request_id: request_id.to_owned(),
        time: gateway.clock.now(),
        action: asked.action,
        resource,
        target: asked.target,
        // Found by the chain, over all that the call says.
        session_id: None,
        session_link: None,
        trace: read::trace(&head.headers).or_else(|| meta_trace(params)),
        source: origin.clone(),
        contents: contents(head, params),
    };
    // Which chain it belongs to; its reply offers nothing that a later call could be known by.
    gateway.chains.place(&mut call, &head.headers, &caller.principal, || gateway.clock.session_id());

    // Where it would go, and what speaks against that.
    let has_changed = asked.tool.as_deref().is_some_and(|tool| gateway.mcp.pins.has_changed(name, tool));
    let destination = match &server {
        None => Err(NoDestination::Tool),
        Some(server) if has_changed && server.on_change == OnChange::Block => Err(NoDestination::Changed),
        Some(_) if !asked.watched.is_empty() && !all_permitted(gateway, &caller, &call, &asked.watched) => {
            Err(NoDestination::Watched)
        }
        Some(_) => Ok(Destination::Mcp),
    };
    let notes: &[&'static str] = if has_changed { &[CHANGED] } else { &[] };

    // From here on the way of every call: inspected, decided, on record.
    let principal = caller.principal.clone();
    let (cleared, handling) =
        Box::pin(pipeline::clear(gateway, caller, call, destination, notes, arrived)).await?;
    let Some(server) = server else { return Err(Refused::new(404, "tool_not_found", "no such server")) };

    // The act: sent on, to a process of its own where the server is a command.
    if key.id().is_none() || (is_command && opens) {
        gateway.mcp.opened(gateway, &key);
    }
    let process = process(gateway, &server, &key, opens || era == Era::Stateless);
    if is_command && opens && process.is_none() {
        // Nobody will ever use it, and it must not crowd out others.
        gateway.mcp.ended(gateway, &key);
    }
    let receipt = cleared.receipt();
    let envelope = Envelope {
        http: head.method.clone(),
        id,
        method,
        era,
        version: head.headers.get(era::VERSION).cloned(),
        session: key.id().filter(|_| !is_command).map(str::to_owned),
        last_event: head.headers.get(LAST_EVENT).cloned().filter(|_| head.method == Method::GET),
    };
    let limit = gateway.limits.body;
    let (open, heard) = upstream::forward(cleared, &server, process.as_ref(), &envelope, limit, gone).await;

    // The way back, which ends only when its outcome is durable.
    let Heard { answer, attempts, place } = heard;
    let closes =
        head.method == Method::DELETE && answer.as_ref().is_ok_and(|answer| answer.status.is_success());
    let passage = Passage {
        gateway: Arc::clone(gateway),
        server,
        principal,
        origin,
        request_id: request_id.to_owned(),
        receipt: receipt.clone(),
        handling,
        envelope,
        key: key.clone(),
        earlier: attempts,
        place,
    };
    // Boxed: beside the way there it would be held twice.
    let replied = Box::pin(passage.reply(open, answer, gone)).await;
    let replied = replied.map_err(|refused| refused.with_receipt(receipt));
    if closes {
        gateway.mcp.ended(gateway, &key);
    }
    replied
}

/// What a client answers to a server: the result of a call that the server made, recorded before the server gets it.
async fn answer_server(
    visit: Visit<'_>,
    id: Option<Id>,
    result: Result<&str, &str>,
) -> Result<Response<Body>, Refused> {
    let Visit { gateway, head, name, caller, request_id, .. } = visit;
    let bad = |message: &str| Refused::bad_request(message).sent_by(&caller.principal);
    let era = era::era(&head.headers, None, None).map_err(|mismatch| bad(&mismatch.to_string()))?;
    let key = session(gateway, head, &caller, name, era)?;
    let server = gateway.mcp.server(name).cloned();
    let asked = id.as_ref().and_then(|id| gateway.mcp.sessions.answered(&key, id));
    let (Some(server), Some(asked), Some(id)) = (server, asked, id) else {
        return Err(bad("nothing was asked under this id"));
    };
    let AskedClient { open, handling, .. } = asked;
    let (Ok(text) | Err(text)) = result;
    let Some(passed) = passage::inspect(gateway, &handling, text) else {
        let ended = outcome(OutcomeStatus::Failure, None, Some("reply_unreadable"));
        drop(Box::pin(gateway.recorder.outcome(open, passage::without_result(ended, Vec::new()))).await);
        return Err(bad("the answer could not be inspected"));
    };
    let blocked = passed.blocked();
    let ended = match (blocked, result) {
        (Some(_), _) => outcome(OutcomeStatus::Denied, None, Some("reply_blocked")),
        (None, Ok(_)) => outcome(OutcomeStatus::Success, None, None),
        (None, Err(_)) => outcome(OutcomeStatus::Failure, None, Some("client_error")),
    };
    let media = "application/json".to_owned();
    let recorded = Content { place: Place::Body, media, bytes: passed.record.into_bytes() };
    let parts = vec![part(if result.is_ok() { "result" } else { "error" }, &recorded)];
    let ending = Ending {
        outcome: ended,
        usage: None,
        response_id: None,
        findings: passed.findings,
        parts,
        inspected: true,
    };
    Box::pin(gateway.recorder.outcome(open, ending)).await.map_err(|_| Refused::outcome_unrecorded())?;

    let message = match (blocked, result) {
        (Some(entity), _) => {
            let message = format!("the answer contains {entity}, which the rules block");
            passage::rpc_error(Some(&id), &Refused::new(403, "content_blocked", message), request_id)
        }
        (None, Ok(_)) => rpc::answer(Some(&id), Ok(&passed.forward)),
        (None, Err(_)) => rpc::answer(Some(&id), Err(&passed.forward)),
    };
    let envelope = Envelope {
        http: Method::POST,
        id: None,
        method: String::new(),
        era,
        version: head.headers.get(era::VERSION).cloned(),
        session: key.id().map(str::to_owned),
        last_event: None,
    };
    let process = gateway.mcp.sessions.process(&key);
    upstream::give_back(&server, process.as_ref(), &envelope, message)
        .await
        .map_err(|_| Refused::new(502, "upstream_unreachable", "the server could not be reached"))?;
    let mut response = Response::new(body::whole(Bytes::new()));
    *response.status_mut() = StatusCode::ACCEPTED;
    refuse::mark(response.headers_mut(), request_id, None);
    Ok(response)
}

/// The session that a request names, if it is its sender's.
fn session(
    gateway: &Arc<Gateway>,
    head: &Head,
    caller: &Caller,
    name: &str,
    era: Era,
) -> Result<Key, Refused> {
    let named = head.headers.get(SESSION).filter(|_| era == Era::Sessions);
    let id = match named.map(HeaderValue::to_str) {
        None => None,
        Some(Ok(id)) if upstream::is_session(id) => Some(id),
        Some(_) => {
            return Err(
                Refused::bad_request("`Mcp-Session-Id` must be visible ASCII").sent_by(&caller.principal)
            );
        }
    };
    let key = Key::new(name, Owner::of(&caller.principal), id);
    let is_command =
        gateway.mcp.server(name).is_some_and(|server| matches!(server.transport, Transport::Command(_)));
    // Its process was its memory: only a session that is no more makes a client open another.
    if id.is_some() && is_command && gateway.mcp.sessions.process(&key).is_none() {
        gateway.mcp.ended(gateway, &key);
    }
    if id.is_some() && !gateway.mcp.sessions.knows(&key) {
        let message = "no such session: open one with `initialize`";
        return Err(Refused::new(404, "session_not_found", message).sent_by(&caller.principal));
    }
    Ok(key)
}

/// The process behind a session, started if it may be.
fn process(gateway: &Arc<Gateway>, server: &McpServer, key: &Key, starts: bool) -> Option<Arc<Process>> {
    let Transport::Command(launch) = &server.transport else { return None };
    let _alone = gateway.mcp.starting.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(process) = gateway.mcp.sessions.process(key) {
        return Some(process);
    }
    if !starts {
        return None;
    }
    if gateway.mcp.sessions.processes(&server.name) >= launch.processes {
        tracing::warn!(
            server = server.name,
            most = launch.processes,
            "no further process is started for an MCP server"
        );
        return None;
    }
    let inspector = gateway.inspector.clone();
    let clean = move |line: &str| inspector.leaf(line);
    let process = Process::start(&server.name, launch, gateway.limits.body, clean).ok()?;
    gateway.mcp.sessions.attach(key, Arc::clone(&process));
    Some(process)
}

/// Whether policies let the caller have all of these.
fn all_permitted(
    gateway: &Gateway,
    caller: &Caller,
    call: &Call,
    targets: &[greffier_event::Target],
) -> bool {
    let policies = gateway.policies.load();
    targets.iter().all(|target| {
        let question = Question {
            channel: "gateway",
            target,
            findings: &[],
            parameters: None,
            ip: call.source.ip.as_deref(),
            now: call.time,
        };
        policies.authorise(&caller.principal, &question).kind == DecisionKind::Allow
    })
}

/// What is inspected of a message: its parameters, and the headers that repeat some of them.
fn contents(head: &Head, said: Option<&str>) -> Vec<Content> {
    let mut contents: Vec<Content> = said.map(params).into_iter().collect();
    for (name, value) in &head.headers {
        if name.as_str().starts_with(era::PARAM) {
            let place = Place::Header(name.as_str().to_owned());
            contents.push(Content {
                place,
                media: "text/plain".to_owned(),
                bytes: value.as_bytes().to_vec(),
            });
        }
    }
    contents
}

fn params(text: &str) -> Content {
    Content { place: Place::Body, media: "application/json".to_owned(), bytes: text.as_bytes().to_vec() }
}

/// The trace that the parameters name.
fn meta_trace(params: Option<&str>) -> Option<greffier_event::Trace> {
    let params = crate::adapt::view::View::parse(params?).ok()?;
    read::traceparent(&params.get("_meta")?.get("traceparent")?.string()?)
}

#[cfg(test)]
mod tests;
