//! The way back: each message of a server inspected, cut down to what its caller may use, and on record before it is seen.

mod asked;
mod streamed;
mod whole;

use std::sync::Arc;

use greffier_event::{
    Attempt, Content, Finding, Outcome, OutcomeStatus, Place, RedactionAction, Source as Origin, Stage,
    Target,
};
use greffier_policy::Question;
use http::StatusCode;

pub(crate) use streamed::{give_up, unanswered};

use super::blob;
use super::era::Era;
use super::lists::{self, Kind};
use super::pins::Seen;
use super::rpc::{self, Id};
use super::server::{McpServer, OnChange};
use super::sessions::Key;
use super::upstream::Envelope;
use super::{ask, notes};
use crate::adapt::view::View;
use crate::bound;
use crate::gateway::Gateway;
use crate::handling::Handling;
use crate::record::{Ending, Open, part};
use crate::refuse::Refused;

/// What the way back of one call needs to know.
pub(crate) struct Passage {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) server: Arc<McpServer>,
    pub(crate) principal: greffier_event::Principal,
    /// How the call reached us; what the server asks in its course came the same way.
    pub(crate) origin: Origin,
    pub(crate) request_id: String,
    pub(crate) receipt: String,
    pub(crate) handling: Handling,
    pub(crate) envelope: Envelope,
    pub(crate) key: Key,
    /// The attempts before the one that was answered.
    pub(crate) earlier: Vec<Attempt>,
    /// Its place at the server, until its outcome is on record.
    pub(crate) place: Option<bound::Place>,
}

/// What was asked of a client and waits for its answer.
pub(crate) struct AskedClient {
    pub(crate) open: Open,
    pub(crate) handling: Handling,
    pub(crate) method: String,
}

/// A call whose stream broke off: its result may come in another one.
pub(crate) struct Suspended {
    pub(crate) passage: Passage,
    pub(crate) open: Open,
    pub(crate) findings: Vec<Finding>,
}

/// One text after inspection.
pub(crate) struct Passed {
    /// What travels on.
    pub(crate) forward: String,
    /// What may be recorded.
    pub(crate) record: String,
    pub(crate) findings: Vec<Finding>,
}

impl Passed {
    /// What the rules block, if anything.
    pub(crate) fn blocked(&self) -> Option<&'static str> {
        blocked(&self.findings)
    }
}

pub(crate) fn blocked(findings: &[Finding]) -> Option<&'static str> {
    findings.iter().find(|finding| finding.action == RedactionAction::Block).map(|finding| finding.entity)
}

/// Inspects a JSON text of a server or a client on its way out, its blobs aside.
pub(crate) fn inspect(gateway: &Gateway, handling: &Handling, text: &str) -> Option<Passed> {
    let lifted = blob::lift(text);
    let content = Content {
        place: Place::Body,
        media: "application/json".to_owned(),
        bytes: lifted.text.clone().into_bytes(),
    };
    let inspected = gateway.inspector.content(&content, handling, Stage::Output).ok()?;
    let forward = handling.restored("application/json", inspected.forward);
    Some(Passed {
        forward: lifted.restore(String::from_utf8(forward).ok()?),
        record: lifted.summarise(String::from_utf8(inspected.record).ok()?),
        findings: inspected.findings,
    })
}

/// An outcome with a status, and the code of HTTP or JSON-RPC.
pub(crate) fn outcome(status: OutcomeStatus, code: Option<i64>, error: Option<&str>) -> Outcome {
    Outcome {
        attempts: vec![Attempt { code, upstream_request_id: None }],
        code,
        duration_us: None,
        error: error.map(str::to_owned),
        status,
    }
}

/// An ending without a result.
pub(crate) fn without_result(outcome: Outcome, findings: Vec<Finding>) -> Ending {
    let inspected = !findings.is_empty();
    Ending { outcome, usage: None, response_id: None, findings, parts: Vec::new(), inspected }
}

impl Passage {
    /// Closes the call without a result.
    async fn close(&self, open: Open, outcome: Outcome, findings: Vec<Finding>) -> Result<(), Refused> {
        let ending = without_result(self.with_earlier(outcome), findings);
        let closed = Box::pin(self.gateway.recorder.outcome(open, ending)).await;
        closed.map_err(|_| Refused::outcome_unrecorded())
    }

    /// An outcome with the attempts before it.
    fn with_earlier(&self, mut outcome: Outcome) -> Outcome {
        outcome.attempts.splice(0..0, self.earlier.iter().cloned());
        outcome
    }

    /// Brings the result home: filtered, inspected, on record; only then it is given on.
    async fn conclude(
        &self,
        open: Open,
        status: StatusCode,
        result: Result<&str, &str>,
        mut findings: Vec<Finding>,
    ) -> Result<String, Refused> {
        let method = self.envelope.method.as_str();
        let filtered = match (result, Kind::of(method)) {
            (Ok(text), Some(kind)) => Box::pin(self.cut_down(kind, text)).await.map(Ok),
            (result, _) => Some(result.map(str::to_owned).map_err(str::to_owned)),
        };
        // What it asks within its result is decided first: only what may be asked is looked at as a result.
        let filtered = match filtered {
            Some(Ok(text)) if self.envelope.era == Era::Stateless => {
                match Box::pin(self.inputs(&text)).await {
                    Ok(text) => Some(Ok(text)),
                    Err(refused) => {
                        let denied = outcome(OutcomeStatus::Denied, None, Some("input_refused"));
                        self.close(open, denied, findings).await?;
                        return Err(refused);
                    }
                }
            }
            filtered => filtered,
        };
        let passed = filtered.as_ref().and_then(|result| match result {
            Ok(text) | Err(text) => inspect(&self.gateway, &self.handling, text),
        });
        let (Some(filtered), Some(passed)) = (filtered, passed) else {
            self.close(open, outcome(OutcomeStatus::Failure, None, Some("reply_unreadable")), findings)
                .await?;
            return Err(Refused::new(502, "reply_unreadable", "the server's reply could not be read"));
        };
        let blocked = passed.blocked();
        let ended = match (&filtered, blocked) {
            (_, Some(_)) => outcome(OutcomeStatus::Denied, None, Some("reply_blocked")),
            (Err(error), _) => {
                let code = View::parse(error).ok().and_then(|error| error.get("code")?.text().parse().ok());
                outcome(OutcomeStatus::Failure, code, Some("server_error"))
            }
            (Ok(result), _) if says_error(result) => {
                outcome(OutcomeStatus::Failure, Some(i64::from(status.as_u16())), Some("tool_error"))
            }
            _ => outcome(OutcomeStatus::Success, Some(i64::from(status.as_u16())), None),
        };
        let name = if filtered.is_ok() { "result" } else { "error" };
        let media = "application/json".to_owned();
        let recorded = Content { place: Place::Body, media, bytes: passed.record.into_bytes() };
        findings.extend(passed.findings);
        let parts = vec![part(name, &recorded)];
        let outcome = self.with_earlier(ended);
        let ending = Ending { outcome, usage: None, response_id: None, findings, parts, inspected: true };
        // Boxed: two events are made in it.
        let closed = Box::pin(self.gateway.recorder.outcome(open, ending)).await;
        closed.map_err(|_| Refused::outcome_unrecorded())?;
        if let Some(entity) = blocked {
            let message = format!("the reply contains {entity}, which the rules block");
            return Err(Refused::new(403, "content_blocked", message));
        }
        let forward = passed.forward.as_str();
        let result = if filtered.is_ok() { Ok(forward) } else { Err(forward) };
        Ok(rpc::answer(self.envelope.id.as_ref(), result))
    }

    /// A list with only what the caller may use; definitions of tools are held against their pins first.
    async fn cut_down(&self, kind: Kind, result: &str) -> Option<String> {
        let offers = lists::offers(kind, result)?;
        let server = self.server.name.as_str();
        let mut changed = vec![false; offers.len()];
        if kind == Kind::Tools {
            let definitions: Vec<(&str, &str)> =
                offers.iter().map(|offer| (offer.name.as_str(), offer.text)).collect();
            let seen = self.gateway.mcp.pins.look(server, &definitions);
            Box::pin(notes::say(&self.gateway, server, &definitions, &seen)).await;
            changed = seen.iter().map(|seen| matches!(seen, Seen::Changed | Seen::StillChanged)).collect();
        }
        let hides = self.server.on_change == OnChange::Block;
        let policies = self.gateway.policies.load();
        let stays: Vec<bool> = offers
            .iter()
            .zip(changed)
            .map(|(offer, changed)| {
                let target = match kind {
                    Kind::Tools if !ask::is_name(&offer.name) || (changed && hides) => return false,
                    Kind::Tools => ask::tool(server, &offer.name),
                    Kind::Prompts => ask::prompt(server, &offer.name),
                    Kind::Resources | Kind::Templates => {
                        Target::Resource { server: server.to_owned(), uri: offer.name.clone() }
                    }
                };
                let found: &[&str] = if changed { &[super::CHANGED] } else { &[] };
                self.may(&policies, &target, found)
            })
            .collect();
        Some(lists::keep(result, &offers, &stays))
    }

    /// Whether policies would let the caller have this.
    fn may(&self, policies: &greffier_policy::Policies, target: &Target, findings: &[&str]) -> bool {
        let question = Question {
            channel: "gateway",
            target,
            findings,
            parameters: None,
            ip: self.origin.ip.as_deref(),
            now: self.gateway.clock.now(),
        };
        policies.authorise(&self.principal, &question).kind == greffier_event::DecisionKind::Allow
    }

    /// An error in the place of a result.
    fn refusal(&self, refused: &Refused) -> String {
        rpc_error(self.envelope.id.as_ref(), refused, &self.request_id)
    }
}

/// A refusal as JSON-RPC has it.
pub(crate) fn rpc_error(id: Option<&Id>, refused: &Refused, request_id: &str) -> String {
    let code = refused.rpc.as_ref().and_then(|rpc| rpc.code).unwrap_or(match refused.status {
        403 => rpc::DENIED,
        400..500 => rpc::INVALID_REQUEST,
        _ => rpc::INTERNAL_ERROR,
    });
    let mut data = serde_json::json!({ "code": refused.code, "request_id": request_id });
    if let (Some(data), Some(more)) =
        (data.as_object_mut(), refused.rpc.as_ref().and_then(|rpc| rpc.data.as_ref()))
    {
        data.extend(
            more.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())),
        );
    }
    rpc::answer(id, Err(&rpc::error(code, &refused.message, &data)))
}

/// Whether a tool says of its own result that it failed.
fn says_error(result: &str) -> bool {
    View::parse(result).ok().and_then(|result| result.get("isError")?.boolean()).unwrap_or(false)
}
