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

use crate::read::is_id;
use asked::{Asked, Question};
use called::Called;
use digests::Digests;
pub(crate) use heard::Heard;
use index::{Index, Kind, Lead, Mark, Owner, only};

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
        let owner = Arc::new(Owner::of(principal));
        let (tenant, now) = (&principal.tenant, call.time);
        let is_model = matches!(call.target, Target::Model { .. });
        let body = call.contents.iter().find(|content| content.place == Place::Body && is_model);
        let asked = body.map(|body| Asked::read(&body.bytes, &self.digests)).unwrap_or_default();
        let called = Called::read(call, &self.digests, is_id);
        let trace = call.trace.as_ref().map(|trace| trace.trace_id.clone());
        let mark = |kind, text: &str| self.digests.mark(kind, &[text.as_bytes()]);
        let trace_mark = trace.as_deref().map(|trace| mark(Kind::Trace, trace));
        let previous = asked.previous.as_deref().map(|id| mark(Kind::Response, id));
        let question = asked.question.is_asked.then(|| asked.question.mark(&self.digests));
        let is_retry = headers.get(RETRY).is_some_and(|count| count != "0");

        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |mark: Mark| index.session(tenant, &owner, mark, now);
        let follows = || {
            let by = |mark: Option<Mark>, link| Some((known(mark?)?.to_string(), link));
            let call_id = |(id, _): &(u64, bool)| known(Mark { kind: Kind::CallId, digest: *id });
            let as_link = |session: Arc<str>, link| (session.to_string(), link);
            by(trace_mark, SessionLink::Trace)
                .or_else(|| by(previous, SessionLink::Response))
                .or_else(|| {
                    Some(as_link(asked.calls.iter().rev().find_map(call_id)?, SessionLink::ToolResult))
                })
                .or_else(|| {
                    let session = asked.answers.iter().rev().find_map(|mark| known(*mark))?;
                    Some(as_link(session, SessionLink::History))
                })
                .or_else(|| by(question.filter(|_| is_retry), SessionLink::History))
                .or_else(|| {
                    let session = asked_for(&index, tenant, &owner, called.as_ref()?, now)?;
                    Some(as_link(session, SessionLink::ToolCall))
                })
        };
        let given = |name: Option<&String>, link| Some((name?.clone(), link));
        let found = given(call.session_id.as_ref(), call.session_link.unwrap_or(SessionLink::Agent))
            .or_else(|| named::by_header(headers))
            .or_else(|| given(asked.session.as_ref(), SessionLink::Agent))
            .or_else(|| given(asked.conversation.as_ref(), SessionLink::Conversation))
            .or_else(|| Some((named::by_baggage(headers)?, SessionLink::Conversation)))
            .or_else(|| given(principal.session.as_ref(), SessionLink::Token))
            .or_else(follows)
            .or_else(|| Some((named::by_mcp(headers)?, SessionLink::Mcp)))
            .or_else(|| given(trace.as_ref(), SessionLink::Trace))
            .or_else(|| {
                let asks = is_model && call.action.effect == Some(Effect::Execute);
                asks.then(|| (begin(), SessionLink::Start))
            });
        let (session_id, session_link) = found.unzip();

        let session: Option<Arc<str>> = session_id.as_deref().map(Arc::from);
        if let Some(session) = &session {
            for mark in [trace_mark, previous, question].into_iter().flatten() {
                index.keep(tenant, &owner, mark, Lead::to(session), now);
            }
            for (id, _) in asked.calls.iter().filter(|(_, is_result)| *is_result) {
                index.answered(tenant, &owner, *id, now);
            }
        }
        drop(index);
        (call.session_id, call.session_link) = (session_id, session_link);
        Chain {
            tenant: tenant.clone(),
            owner,
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

/// The one session in which a model asked for this call, and has no result of it yet. Where the name fits, too, only
/// those count; a call without any value is known by its name alone.
fn asked_for(
    index: &Index,
    tenant: &Tenant,
    owner: &Arc<Owner>,
    called: &Called,
    now: Timestamp,
) -> Option<Arc<str>> {
    called.with.iter().enumerate().find_map(|(at, &with)| {
        let leads = index.leads(tenant, owner, Mark { kind: Kind::Asked, digest: with }, now);
        let by_name = || leads.iter().filter(|lead| called.names.contains(&lead.name));
        let has_values = called.has_values || at > 0;
        if by_name().next().is_some() { only(by_name()) } else { only(leads.iter().filter(|_| has_values)) }
    })
}

#[cfg(test)]
mod tests;
