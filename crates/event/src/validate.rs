//! What makes an event valid. Whoever reads a trail can rely on every rule here, for every entry.

use std::collections::HashSet;

use crate::invalid::at;
use crate::limits::{self, INTEGER};
use crate::{
    Action, Agent, ContentSafety, DecisionKind, Event, EventType, InvalidEvent, Outcome, OutcomeStatus,
    PartRef, PolicyRecord, Resource, Source, Tenant, Usage, User,
};

/// URI schemes of what belongs to Greffier itself. Only Greffier speaks of them.
pub const RESERVED_SCHEMES: [&str; 3] = ["audit", "policy", "key"];

/// Whether an agent's id is the one under which Greffier records its own acts.
pub fn is_reserved_agent(id: &str) -> bool {
    id.trim().eq_ignore_ascii_case(Tenant::NODE)
}

/// Whether a URI names something of Greffier itself.
pub fn is_reserved_uri(uri: &str) -> bool {
    uri.trim_start().split_once("://").is_some_and(|(scheme, _)| {
        RESERVED_SCHEMES.iter().any(|reserved| scheme.eq_ignore_ascii_case(reserved))
    })
}

impl Event {
    /// Checks every rule; the error names the first field that breaks one.
    pub fn validate(&self) -> Result<(), InvalidEvent> {
        ensure(self.v == Event::VERSION, "v", "must be 1")?;
        limits::REQUEST_ID.check_some(self.request_id.as_deref())?;
        limits::SESSION_ID.check_some(self.session_id.as_deref())?;
        ensure(
            self.session_link.is_none() || self.session_id.is_some(),
            "session_link",
            "must not be there without a session_id",
        )?;
        limits::PARTS_ROOT.check_some(self.parts_root.as_deref())?;
        if let Some(trace) = &self.trace {
            limits::TRACE_ID.check(&trace.trace_id)?;
            limits::SPAN_ID.check_some(trace.span_id.as_deref())?;
        }
        each(self.action.as_ref(), action)?;
        each(self.agent.as_ref(), agent)?;
        each(self.content_safety.as_ref(), content_safety)?;
        each(self.outcome.as_ref(), outcome)?;
        each(self.policy.as_ref(), policy)?;
        each(self.resource.as_ref(), resource)?;
        each(self.source.as_ref(), source)?;
        each(self.usage.as_ref(), usage)?;
        each(self.user.as_ref(), user)?;
        parts(&self.parts)?;
        ensure(
            self.parts.is_empty() == self.parts_root.is_none(),
            "parts_root",
            "must be there exactly when there are parts",
        )?;
        self.validate_type()?;
        self.validate_standing()
    }

    /// What the type of an event promises about its decision and its outcome.
    fn validate_type(&self) -> Result<(), InvalidEvent> {
        use EventType::{
            ActionApproved, ActionDenied, ActionExecuted, ActionFailed, ActionRequest, PermissionDenied,
        };
        let decision = self.policy.as_ref().map(|policy| policy.decision);
        let status = self.outcome.as_ref().map(|outcome| outcome.status);
        let decided = |allowed: &[DecisionKind], problem| {
            ensure(decision.is_none_or(|kind| allowed.contains(&kind)), "policy.decision", problem)
        };
        let ended = |holds: fn(OutcomeStatus) -> bool, problem| {
            ensure(status.is_none_or(holds), "outcome.status", problem)
        };
        match self.kind {
            ActionRequest => {
                decided(&[DecisionKind::Pending], "of an action.request must be pending")?;
                ended(|s| s == OutcomeStatus::Pending, "of an action.request must be pending")?;
            }
            ActionApproved => {
                decided(
                    &[DecisionKind::Allow, DecisionKind::Redact],
                    "of an action.approved must be allow or redact",
                )?;
                ended(|s| s == OutcomeStatus::Pending, "of an action.approved must be pending")?;
            }
            ActionDenied | PermissionDenied => {
                decided(&[DecisionKind::Deny], "of a denial must be deny")?;
                ended(|s| s == OutcomeStatus::Denied, "of a denial must be denied")?;
            }
            ActionExecuted => {
                ended(|s| s == OutcomeStatus::Success, "of an action.executed must be success")?
            }
            ActionFailed => {
                ended(|s| s != OutcomeStatus::Success, "of an action.failed must not be success")?
            }
            _ => {}
        }
        ensure(
            decision != Some(DecisionKind::Deny) || status != Some(OutcomeStatus::Success),
            "outcome.status",
            "must not be success where the policy denied",
        )
    }

    /// What the channel promises: the gateway's own records are complete, and nobody else speaks as Greffier.
    fn validate_standing(&self) -> Result<(), InvalidEvent> {
        use EventType::{
            ActionApproved, ActionDenied, ActionExecuted, ActionFailed, ActionRequest, PermissionDenied,
        };
        match self.source.as_ref().map(|source| source.channel.as_str()) {
            Some("gateway") => {
                let call = matches!(
                    self.kind,
                    ActionRequest | ActionApproved | ActionDenied | ActionExecuted | ActionFailed
                );
                ensure(
                    !call || self.request_id.is_some(),
                    "request_id",
                    "is missing: it joins the events of a call",
                )?;
                let decision =
                    matches!(self.kind, ActionRequest | ActionApproved | ActionDenied | PermissionDenied);
                ensure(
                    !decision || self.policy.is_some(),
                    "policy",
                    "is missing: the event records a decision",
                )?;
                let denied = self.policy.as_ref().filter(|policy| policy.decision == DecisionKind::Deny);
                ensure(
                    denied.is_none_or(|policy| policy.reason.is_some()),
                    "policy.reason",
                    "is missing: a denial gives its reason",
                )?;
                let end = matches!(self.kind, ActionExecuted | ActionFailed);
                ensure(!end || self.outcome.is_some(), "outcome", "is missing: the event records an outcome")
            }
            // An import may bring back what Greffier wrote; whether it did is judged where it is read.
            Some("import") | None => Ok(()),
            Some(_) => {
                let agent = self.agent.as_ref().is_some_and(|agent| is_reserved_agent(&agent.id));
                ensure(!agent, "agent.id", "is reserved for Greffier's own acts")?;
                let uri = self.resource.as_ref().and_then(|resource| resource.uri.as_deref());
                ensure(
                    !uri.is_some_and(is_reserved_uri),
                    "resource.uri",
                    "has a scheme reserved for Greffier itself",
                )
            }
        }
    }
}

fn ensure(holds: bool, field: &'static str, problem: &'static str) -> Result<(), InvalidEvent> {
    if holds { Ok(()) } else { Err(InvalidEvent::new(field, problem)) }
}

fn each<T>(value: Option<&T>, check: fn(&T) -> Result<(), InvalidEvent>) -> Result<(), InvalidEvent> {
    value.map_or(Ok(()), check)
}

fn integer(value: Option<u64>, field: &'static str) -> Result<(), InvalidEvent> {
    ensure(value.is_none_or(|value| value <= INTEGER), field, "must be at most 2^53 - 1")
}

fn code(value: Option<i64>, name: impl Fn() -> String) -> Result<(), InvalidEvent> {
    match value {
        Some(value) if value.unsigned_abs() > INTEGER => {
            Err(InvalidEvent::new(name(), "must be within 2^53 - 1 of zero"))
        }
        _ => Ok(()),
    }
}

fn action(action: &Action) -> Result<(), InvalidEvent> {
    limits::ACTION_NAME.check(&action.name)?;
    limits::ACTION_METHOD.check_some(action.method.as_deref())?;
    limits::ACTION_CALL_ID.check_some(action.call_id.as_deref())
}

fn agent(agent: &Agent) -> Result<(), InvalidEvent> {
    limits::AGENT_ID.check(&agent.id)?;
    limits::AGENT_TIER.check_some(agent.tier.as_deref())?;
    limits::AGENT_VERSION.check_some(agent.version.as_deref())?;
    limits::AGENT_VIA.check_len(agent.via.len())?;
    for (index, actor) in agent.via.iter().enumerate() {
        let name = |field| move || format!("agent.via.{index}.{field}");
        limits::AGENT_VIA_SUB.check_named(&actor.sub, name("sub"))?;
        if let Some(iss) = &actor.iss {
            limits::AGENT_VIA_ISS.check_named(iss, name("iss"))?;
        }
    }
    ensure(agent.via_dropped != Some(0), "agent.via_dropped", "must not be 0; leave it out instead")?;
    integer(agent.via_dropped, "agent.via_dropped")
}

fn content_safety(safety: &ContentSafety) -> Result<(), InvalidEvent> {
    limits::REDACTIONS.check_len(safety.redactions.len())?;
    for (index, redaction) in safety.redactions.iter().enumerate() {
        let name = |field| move || format!("content_safety.redactions.{index}.{field}");
        limits::REDACTION_TYPE.check_named(&redaction.entity, name("type"))?;
        if let Some(path) = &redaction.path {
            limits::REDACTION_PATH.check_named(path, name("path"))?;
        }
        if !(1..=INTEGER).contains(&redaction.count) {
            return Err(InvalidEvent::new(name("count")(), "must be between 1 and 2^53 - 1"));
        }
    }
    ensure(
        safety.pii_detected || safety.redactions.is_empty(),
        "content_safety.pii_detected",
        "must be true where findings are listed",
    )
}

fn outcome(outcome: &Outcome) -> Result<(), InvalidEvent> {
    limits::OUTCOME_ERROR.check_some(outcome.error.as_deref())?;
    code(outcome.code, || "outcome.code".to_owned())?;
    integer(outcome.duration_us, "outcome.duration_us")?;
    limits::ATTEMPTS.check_len(outcome.attempts.len())?;
    for (index, attempt) in outcome.attempts.iter().enumerate() {
        let name = |field| move || format!("outcome.attempts.{index}.{field}");
        code(attempt.code, name("code"))?;
        if let Some(id) = &attempt.upstream_request_id {
            limits::ATTEMPT_UPSTREAM_ID.check_named(id, name("upstream_request_id"))?;
        }
    }
    Ok(())
}

fn parts(parts: &[PartRef]) -> Result<(), InvalidEvent> {
    limits::PARTS.check_len(parts.len())?;
    let mut names = HashSet::new();
    for (index, part) in parts.iter().enumerate() {
        let name = |field| move || format!("parts.{index}.{field}");
        part_labels(index, &part.name, &part.media)?;
        if !names.insert(part.name.as_str()) {
            return Err(InvalidEvent::new(name("name")(), "must not name two parts of one event"));
        }
        if part.bytes > INTEGER {
            return Err(InvalidEvent::new(name("bytes")(), "must be at most 2^53 - 1"));
        }
        if let Some(digest) = &part.digest {
            limits::PART_DIGEST.check_named(digest, name("digest"))?;
        }
        if part.digest.is_some() != part.truncated {
            return Err(InvalidEvent::new(
                name("digest")(),
                "must be there exactly when the part is truncated",
            ));
        }
    }
    Ok(())
}

/// Checks the name and the media type of the part at `index`.
pub(crate) fn part_labels(index: usize, name: &str, media: &str) -> Result<(), InvalidEvent> {
    let part = at("parts", index);
    limits::PART_NAME.check_named(name, || at(&part, "name"))?;
    limits::PART_MEDIA.check_named(media, || at(&part, "media"))
}

fn policy(policy: &PolicyRecord) -> Result<(), InvalidEvent> {
    limits::POLICY_REASON.check_some(policy.reason.as_deref())?;
    limits::POLICY_RULE.check_some(policy.rule.as_deref())?;
    limits::POLICY_VERSION.check_some(policy.version.as_deref())?;
    limits::POLICY_SCOPES.check_texts(&policy.scopes, &limits::POLICY_SCOPE)
}

fn resource(resource: &Resource) -> Result<(), InvalidEvent> {
    limits::RESOURCE_URI.check_some(resource.uri.as_deref())?;
    limits::RESOURCE_CLASSES.check_texts(&resource.classification, &limits::RESOURCE_CLASS)?;
    limits::RESOURCE_SUBJECTS.check_texts(&resource.subjects, &limits::RESOURCE_SUBJECT)
}

fn source(source: &Source) -> Result<(), InvalidEvent> {
    limits::SOURCE_CHANNEL.check(&source.channel)?;
    limits::SOURCE_CLIENT.check_some(source.client.as_deref())?;
    limits::SOURCE_DIGEST.check_some(source.digest.as_deref())?;
    limits::SOURCE_IP.check_some(source.ip.as_deref())?;
    limits::SOURCE_NODE.check_some(source.node.as_deref())?;
    limits::SOURCE_OAUTH_CLIENT.check_some(source.oauth_client.as_deref())?;
    limits::SOURCE_PRODUCER.check_some(source.producer.as_deref())?;
    limits::SOURCE_PROTOCOL.check_some(source.protocol.as_deref())?;
    integer(source.sequence, "source.sequence")?;
    ensure(
        source.sequence.is_none() || source.producer.is_some(),
        "source.sequence",
        "must not be there without a source.producer",
    )?;
    code(source.skew_us, || "source.skew_us".to_owned())?;
    limits::SOURCE_TOKEN.check_some(source.token.as_deref())
}

fn usage(usage: &Usage) -> Result<(), InvalidEvent> {
    limits::USAGE_MODEL.check_some(usage.model.as_deref())?;
    limits::USAGE_PROVIDER.check_some(usage.provider.as_deref())?;
    integer(usage.cache_read_tokens, "usage.cache_read_tokens")?;
    integer(usage.cache_write_tokens, "usage.cache_write_tokens")?;
    integer(usage.cost_micros, "usage.cost_micros")?;
    integer(usage.input_tokens, "usage.input_tokens")?;
    integer(usage.output_tokens, "usage.output_tokens")?;
    integer(usage.reasoning_tokens, "usage.reasoning_tokens")
}

fn user(user: &User) -> Result<(), InvalidEvent> {
    limits::USER_SUB.check(&user.sub)?;
    limits::USER_ISS.check_some(user.iss.as_deref())?;
    limits::USER_ROLES.check_texts(&user.roles, &limits::USER_ROLE)
}
