//! Decide: policy says whether this principal may, content safety whether this content may.

use greffier_event::{Call, Decision, DecisionKind, Place, Principal, RedactionAction, Target};
use greffier_policy::{Policies, Question};

use crate::inspect::{Redacted, is_json};
use crate::remote::OnFailure;
use crate::route::{Destination, NoDestination};

/// A call that policy and content safety allow. Only [`decide`] makes one.
#[derive(Debug)]
pub(crate) struct Permitted<R> {
    inner: R,
    verdict: Verdict,
    destination: Destination,
}

/// A call that must not happen, with what to tell the caller.
#[derive(Debug)]
pub(crate) struct Denied<R> {
    pub(crate) inner: R,
    pub(crate) verdict: Verdict,
    pub(crate) refusal: Denial,
}

/// Who asked and what was decided.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) principal: Principal,
    pub(crate) decision: Decision,
}

/// The kinds of denial, as callers are told of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// Policy does not permit it.
    Policy,
    /// Another analyser had to say what it holds, and did not.
    Analyser,
    /// Content safety blocks it.
    Content,
    /// Nothing is configured that it could go to.
    Destination(NoDestination),
}

impl Permitted<Redacted<Call>> {
    pub(crate) fn redacted(&self) -> &Redacted<Call> {
        &self.inner
    }

    pub(crate) fn redacted_mut(&mut self) -> &mut Redacted<Call> {
        &mut self.inner
    }

    pub(crate) fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    pub(crate) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The same call, denied: what the rules ask for cannot be done where it would happen.
    pub(crate) fn denied(self, rule: &str, reason: String) -> Box<Denied<Redacted<Call>>> {
        let Permitted { inner, mut verdict, .. } = self;
        verdict.decision.kind = DecisionKind::Deny;
        verdict.decision.rule = Some(rule.to_owned());
        verdict.decision.reasons = vec![reason];
        Box::new(Denied { inner, verdict, refusal: Denial::Content })
    }
}

/// Decides a call; `notes` are findings that are not about its contents. Every denial keeps the call, because it is
/// recorded all the same.
pub(crate) fn decide(
    policies: &Policies,
    principal: Principal,
    redacted: Redacted<Call>,
    destination: Result<Destination, NoDestination>,
    notes: &[&'static str],
) -> Result<Permitted<Redacted<Call>>, Box<Denied<Redacted<Call>>>> {
    let call = redacted.call();
    let mut found: Vec<&str> = redacted.findings().iter().map(|finding| finding.entity).collect();
    // Beside what was found, which media the request holds: a policy may forbid `media:image`.
    found.extend(redacted.media());
    found.extend_from_slice(notes);
    found.sort_unstable();
    found.dedup();
    let parameters = parameters(&redacted, destination.as_ref().ok());
    let mut decision = policies.authorise(
        &principal,
        &Question {
            target: &call.target,
            findings: &found,
            parameters: parameters.as_ref(),
            ip: call.source.ip.as_deref(),
            channel: &call.source.channel,
            now: call.time,
        },
    );
    let blocked: Vec<&str> = redacted
        .findings()
        .iter()
        .filter(|finding| finding.action == RedactionAction::Block)
        .map(|finding| finding.entity)
        .collect();
    let refusal = if decision.kind != DecisionKind::Allow {
        Some(Denial::Policy)
    } else if let Some((error, OnFailure::Deny)) = redacted.unanswered() {
        decision.rule = Some("content safety needs the other analyser".to_owned());
        decision.reasons = vec![format!("the other analyser did not answer: {error}")];
        Some(Denial::Analyser)
    } else if let Some(entity) = blocked.first() {
        decision.rule = Some(format!("content safety blocks {entity}"));
        decision.reasons = vec![format!("the request contains {entity}, which the rules block")];
        Some(Denial::Content)
    } else if let Err(missing) = &destination {
        decision.rule = None;
        decision.reasons = vec![missing.reason().to_owned()];
        Some(Denial::Destination(*missing))
    } else {
        None
    };
    match (refusal, destination) {
        (None, Ok(destination)) => {
            if redacted.findings().iter().any(|finding| finding.action.hides()) {
                decision.kind = DecisionKind::Redact;
            }
            Ok(Permitted { inner: redacted, verdict: Verdict { principal, decision }, destination })
        }
        (refusal, _) => {
            decision.kind = DecisionKind::Deny;
            Err(Box::new(Denied {
                inner: redacted,
                verdict: Verdict { principal, decision },
                refusal: refusal.unwrap_or(Denial::Policy),
            }))
        }
    }
}

/// What policies may look at in a tool's arguments, as it would be recorded: its JSON body, and what its document calls
/// parameters of the path and the query.
fn parameters(redacted: &Redacted<Call>, destination: Option<&Destination>) -> Option<serde_json::Value> {
    if !matches!(redacted.call().target, Target::Tool { .. }) {
        return None;
    }
    let at = |place: Place| redacted.record().iter().find(move |content| content.place == place);
    let body = at(Place::Body)
        .filter(|content| is_json(&content.media))
        .and_then(|content| serde_json::from_slice(&content.bytes).ok())
        .and_then(|document: serde_json::Value| match redacted.call().action.method.as_deref() {
            // A message's parameters name the tool and hold its arguments.
            Some("tools/call") => document.get("arguments").cloned(),
            _ => Some(document),
        });
    let text = |place| at(place).and_then(|content| std::str::from_utf8(&content.bytes).ok());
    let named = match destination {
        Some(Destination::Tool(tool)) => {
            let method = redacted.call().action.method.as_deref().and_then(|method| method.parse().ok())?;
            let path = text(Place::Path).unwrap_or_default();
            tool.api.parameters(&method, path, text(Place::Query))
        }
        _ => serde_json::Map::new(),
    };
    match body {
        body if named.is_empty() => body,
        // Nothing in a body stands for what the path and the query say.
        Some(serde_json::Value::Object(mut members)) => {
            members.extend(named);
            Some(members.into())
        }
        _ => Some(named.into()),
    }
}
