//! Chains: which calls belong together, also those of a client that says nothing of it.
//!
//! A session is found from, in order: our header, the name the agent itself sends, the provider's conversation, the
//! token; then from what the call has in common with earlier ones (its trace, the reply it goes on from, the tool calls
//! whose results it brings, the conversation it resends; for a tool call, that one model asked for just this); then it
//! is named by its MCP session or its trace; and a call to a model that nothing links begins a session. The event says
//! how it was found.
//!
//! Pure: values in, a name out. `named`, `asked` and `called` read a request, `heard` a reply, `index` remembers.

mod asked;
mod called;
mod digests;
mod heard;
mod index;
mod named;

use std::sync::{Arc, Mutex, PoisonError};

use greffier_event::{Call, Effect, Place, Principal, SessionLink, Target, Tenant, Timestamp};
use http::HeaderMap;

use asked::{Asked, Question};
use called::Called;
use digests::Digests;
pub(crate) use heard::Heard;
use index::{Index, Kind, Lead, Mark, Owner, only};

use crate::tools::is_id;

/// SDKs say so when they send the same request again.
const RETRY: &str = "x-stainless-retry-count";

/// What is known of the calls of the last hour.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    digests: Digests,
    index: Mutex<Index>,
}

/// Where a call stands: what its reply offers is offered to whoever comes next in the same session.
#[derive(Debug)]
pub(crate) struct Chain {
    tenant: Tenant,
    owner: Arc<Owner>,
    /// `None` for a call without a session, or whose reply offers nothing.
    session: Option<Arc<str>>,
    question: Question,
}

impl Chains {
    /// Finds the session of a call, and enters it and how it was found. `begin` names a new one.
    pub(crate) fn place(
        &self,
        call: &mut Call,
        headers: &HeaderMap,
        principal: &Principal,
        begin: impl FnOnce() -> String,
    ) -> Chain {
        let is_model = matches!(call.target, Target::Model { .. });
        let body = call.contents.iter().find(|content| content.place == Place::Body && is_model);
        let asked = body.map(|body| Asked::read(&body.bytes, &self.digests)).unwrap_or_default();
        let marks = Marks::of(call, headers, &asked, &self.digests);
        let scope =
            Scope { tenant: &principal.tenant, owner: Arc::new(Owner::of(principal)), now: call.time };
        let asks = is_model && call.action.effect == Some(Effect::Execute);

        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let found = declared(call, headers, principal, &asked)
            .or_else(|| marks.follow(&index, &scope, &asked))
            .or_else(|| Some((named::by_mcp(headers)?, SessionLink::Mcp)))
            .or_else(|| Some((call.trace.as_ref()?.trace_id.clone(), SessionLink::Trace)))
            .or_else(|| asks.then(|| (begin(), SessionLink::Start)));
        (call.session_id, call.session_link) = found.unzip();
        let session: Option<Arc<str>> = call.session_id.as_deref().map(Arc::from);
        if let Some(session) = &session {
            marks.leave(&mut index, &scope, &asked, session);
        }
        Chain {
            tenant: principal.tenant.clone(),
            owner: scope.owner,
            session: session.filter(|_| is_model),
            question: asked.question,
        }
    }

    /// Takes a whole reply, as the caller gets it.
    pub(crate) fn heard(&self, chain: &Chain, reply: &[u8], now: Timestamp) {
        if chain.session.is_none() {
            return;
        }
        let mut heard = Heard::default();
        heard.whole(reply, &self.digests);
        self.over(chain, heard, now);
    }

    /// Takes the next piece of a streamed reply, as the caller gets it.
    pub(crate) fn listen(&self, chain: &Chain, heard: &mut Heard, piece: &[u8], now: Timestamp) {
        if chain.session.is_some() {
            heard.listen(piece, &self.digests);
            self.learn(chain, heard, now);
        }
    }

    /// The reply is over: the conversation now has this answer.
    pub(crate) fn over(&self, chain: &Chain, mut heard: Heard, now: Timestamp) {
        let Some(session) = &chain.session else { return };
        let answers = heard.over(&self.digests);
        self.learn(chain, &mut heard, now);
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        for mark in answers.iter().filter_map(|said| chain.question.answered(said, &self.digests)) {
            index.keep(&chain.tenant, &chain.owner, mark, Lead::to(session), now);
        }
    }

    fn learn(&self, chain: &Chain, heard: &mut Heard, now: Timestamp) {
        let Some(session) = &chain.session else { return };
        let news = heard.news();
        if news.reply.is_none() && news.wishes.is_empty() {
            return;
        }
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keep = |mark, lead| index.keep(&chain.tenant, &chain.owner, mark, lead, now);
        if let Some(id) = &news.reply {
            keep(self.digests.mark(Kind::Response, &[id.as_bytes()]), Lead::to(session));
        }
        for wish in news.wishes {
            let (id, with) = (wish.id.unwrap_or(0), wish.with.unwrap_or(0));
            if wish.id.is_some() {
                keep(Mark { kind: Kind::CallId, digest: id }, Lead { other: with, ..Lead::to(session) });
            }
            if wish.with.is_some() {
                let lead = Lead { name: wish.name, other: id, ..Lead::to(session) };
                keep(Mark { kind: Kind::Asked, digest: with }, lead);
            }
        }
    }
}

/// The session that the call itself names, or its caller's token.
fn declared(
    call: &Call,
    headers: &HeaderMap,
    principal: &Principal,
    asked: &Asked,
) -> Option<(String, SessionLink)> {
    let named = |name: &Option<String>, link| Some((name.clone()?, link));
    // An adapter that found it where only its protocol has it.
    named(&call.session_id, call.session_link.unwrap_or(SessionLink::Agent))
        .or_else(|| named::by_header(headers))
        .or_else(|| named(&asked.session, SessionLink::Agent))
        .or_else(|| named(&asked.conversation, SessionLink::Conversation))
        .or_else(|| Some((named::by_baggage(headers)?, SessionLink::Conversation)))
        .or_else(|| named(&principal.session, SessionLink::Token))
}

/// Among whose calls, and when.
struct Scope<'a> {
    tenant: &'a Tenant,
    owner: Arc<Owner>,
    now: Timestamp,
}

/// What a call may have in common with others.
struct Marks {
    trace: Option<Mark>,
    /// The reply it goes on from.
    previous: Option<Mark>,
    /// What it asks; and whether it is sent again.
    question: Option<Mark>,
    is_retry: bool,
    called: Option<Called>,
}

impl Marks {
    fn of(call: &Call, headers: &HeaderMap, asked: &Asked, digests: &Digests) -> Marks {
        let mark = |kind, text: &str| digests.mark(kind, &[text.as_bytes()]);
        Marks {
            trace: call.trace.as_ref().map(|trace| mark(Kind::Trace, &trace.trace_id)),
            previous: asked.previous.as_deref().map(|id| mark(Kind::Response, id)),
            question: asked.question.is_asked.then(|| asked.question.mark(digests)),
            is_retry: headers.get(RETRY).is_some_and(|count| count != "0"),
            called: Called::read(call, digests, is_id),
        }
    }

    /// The session of the calls that left them, the surest link first, the latest of its kind first.
    fn follow(&self, index: &Index, scope: &Scope<'_>, asked: &Asked) -> Option<(String, SessionLink)> {
        let known = |mark: Mark| index.session(scope.tenant, &scope.owner, mark, scope.now);
        let call_id = |(digest, _): &(u64, bool)| known(Mark { kind: Kind::CallId, digest: *digest });
        let linked = |session: Option<Arc<str>>, link| Some((session?.to_string(), link));
        linked(self.trace.and_then(known), SessionLink::Trace)
            .or_else(|| linked(self.previous.and_then(known), SessionLink::Response))
            .or_else(|| linked(asked.calls.iter().rev().find_map(call_id), SessionLink::ToolResult))
            .or_else(|| {
                let answered = asked.answers.iter().rev().find_map(|mark| known(*mark));
                linked(answered, SessionLink::History)
            })
            .or_else(|| {
                let again = self.question.filter(|_| self.is_retry);
                linked(again.and_then(known), SessionLink::History)
            })
            .or_else(|| linked(wished_for(index, scope, self.called.as_ref()?), SessionLink::ToolCall))
    }

    /// Leaves them for the calls to come, and takes away the wishes that have their results.
    fn leave(&self, index: &mut Index, scope: &Scope<'_>, asked: &Asked, session: &Arc<str>) {
        for mark in [self.trace, self.previous, self.question].into_iter().flatten() {
            index.keep(scope.tenant, &scope.owner, mark, Lead::to(session), scope.now);
        }
        for (id, _) in asked.calls.iter().filter(|(_, is_result)| *is_result) {
            index.answered(scope.tenant, &scope.owner, *id, scope.now);
        }
    }
}

/// The one session in which a model wished for this call, and has no result of it yet. Where the name fits, too, only
/// those count; a call without any value is known by its name alone.
fn wished_for(index: &Index, scope: &Scope<'_>, called: &Called) -> Option<Arc<str>> {
    called.with.iter().enumerate().find_map(|(at, &digest)| {
        let wish = Mark { kind: Kind::Asked, digest };
        let leads = index.leads(scope.tenant, &scope.owner, wish, scope.now);
        let by_name = || leads.iter().filter(|lead| called.names.contains(&lead.name));
        let has_values = called.has_values || at > 0;
        if by_name().next().is_some() { only(by_name()) } else { only(leads.iter().filter(|_| has_values)) }
    })
}

#[cfg(test)]
mod tests;
