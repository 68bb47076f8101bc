//! Admit: whoever wants to read is authorised, and written down, before anything is read.
//!
//! Only [`Api::admit`] makes an [`Admitted`], and the handlers take the trail that they read from one.

use greffier_event::{
    Action, ActionKind, Actor, Agent, Decision, DecisionKind, Draft, Effect, Event, EventType, Outcome,
    OutcomeStatus, Part, PolicyRecord, Principal, Resource, Source, Tenant, User, limits,
};
use greffier_ledger::AppendError;
use greffier_merkle::Receipt;
use greffier_policy::{AdminAction, AdminQuestion};
use greffier_query::Search;
use greffier_safety::json;
use serde_json::Value;

use crate::api::Api;
use crate::refuse::Refused;
use crate::visit::{Visit, event_id};

/// Longest reason kept in an entry, in characters; policies' own texts are shorter.
const MAX_REASON: usize = 500;
/// Roles and scopes kept in an entry: a token with more is recorded with the first ones.
const MAX_NAMES: usize = 64;

/// What somebody wants to do with a trail.
pub(crate) struct Wish {
    pub(crate) action: AdminAction,
    /// `trail:search`, `trail:sql`, `trail:export`, …
    pub(crate) name: &'static str,
    /// Behind `audit://<tenant>/`.
    pub(crate) place: String,
    /// What was asked, word for word: a part.
    pub(crate) asked: Option<Value>,
}

/// Somebody who may read a trail, and of whom that is on record.
pub(crate) struct Admitted {
    trail: Tenant,
    receipt: Option<Receipt>,
}

impl Admitted {
    /// The trail that may be read; no other.
    pub(crate) fn trail(&self) -> &Tenant {
        &self.trail
    }

    /// The receipt of the event that says so.
    pub(crate) fn receipt(&self) -> Option<String> {
        self.receipt.as_ref().map(Receipt::to_string)
    }
}

impl Api {
    /// Authorises a read of the caller's own trail, or of the node's, and records it.
    pub(crate) async fn admit(
        &self,
        visit: &Visit,
        caller: &Principal,
        named: Option<&str>,
        wish: Wish,
    ) -> Result<Admitted, Refused> {
        let (trail, decision) = self.decide(visit, caller, named, wish.action)?;
        if decision.kind != DecisionKind::Allow {
            return Err(self.deny(visit, caller, &trail, &wish, &decision).await);
        }
        let event = self.event(visit, caller, &trail, &wish, &decision, EventType::DataAccess);
        let mut asked = wish.asked;
        if trail != caller.tenant {
            // The node's trail is read by many: whose reader it was stands nowhere else.
            let mut known = asked.unwrap_or_else(|| serde_json::json!({}));
            if let Some(members) = known.as_object_mut() {
                members.insert("reader_tenant".to_owned(), caller.tenant.as_str().into());
            }
            asked = Some(known);
        }
        let parts = asked.as_ref().map(|asked| self.asked(asked)).into_iter().collect();
        let receipt = self.record(Draft { event, parts }).await?;
        Ok(Admitted { trail, receipt: Some(receipt) })
    }

    /// Authorises what records itself, an ingest: only a denial is an event.
    pub(crate) async fn admit_unrecorded(
        &self,
        visit: &Visit,
        caller: &Principal,
        wish: Wish,
    ) -> Result<Admitted, Refused> {
        let (trail, decision) = self.decide(visit, caller, None, wish.action)?;
        if decision.kind != DecisionKind::Allow {
            return Err(self.deny(visit, caller, &trail, &wish, &decision).await);
        }
        Ok(Admitted { trail, receipt: None })
    }

    /// Whether the caller may read the node's trail; nothing is read yet, so nothing is recorded.
    pub(crate) fn may_read_node(&self, visit: &Visit, caller: &Principal) -> bool {
        let decision = self.decide(visit, caller, Some(Tenant::NODE), AdminAction::ReadTrail);
        decision.is_ok_and(|(_, decision)| decision.kind == DecisionKind::Allow)
    }

    pub(crate) fn decide(
        &self,
        visit: &Visit,
        caller: &Principal,
        named: Option<&str>,
        action: AdminAction,
    ) -> Result<(Tenant, Decision), Refused> {
        let trail = match named {
            None => caller.tenant.clone(),
            Some(name) => Tenant::new(name).map_err(|error| Refused::bad_parameter(error.to_string()))?,
        };
        // Not a matter of policy: whatever is written there, a token speaks for its own tenant.
        if trail != caller.tenant && trail.as_str() != Tenant::NODE {
            let decision = Decision {
                kind: DecisionKind::Deny,
                rule: None,
                reasons: vec![format!("a caller of another tenant cannot reach the trail {trail}")],
                version: visit.policies.digest().to_owned(),
            };
            return Ok((trail, decision));
        }
        let ip = visit.ip();
        let question = AdminQuestion { action, trail: &trail, ip: Some(&ip), now: visit.now };
        let decision = visit.policies.authorise_admin(caller, &question);
        Ok((trail, decision))
    }

    /// Records a denial, on the trail of whoever was denied: nobody writes to a trail they may not touch.
    pub(crate) async fn deny(
        &self,
        visit: &Visit,
        caller: &Principal,
        trail: &Tenant,
        wish: &Wish,
        decision: &Decision,
    ) -> Refused {
        let mut event = self.event(visit, caller, trail, wish, decision, EventType::PermissionDenied);
        event.tenant = caller.tenant.clone();
        event.outcome = Some(outcome(OutcomeStatus::Denied, None));
        let parts = wish.asked.as_ref().map(|asked| self.asked(asked)).into_iter().collect();
        match self.record(Draft { event, parts }).await {
            Ok(receipt) => {
                let message = format!("not permitted: {}", decision.reasons.join("; "));
                Refused::new(403, "denied_by_policy", message).receipt(&receipt.to_string())
            }
            Err(refused) => refused,
        }
    }

    /// Makes one of our own events durable.
    pub(crate) async fn record(&self, draft: Draft) -> Result<Receipt, Refused> {
        self.appender.append(draft).await.map_err(|error: AppendError| {
            tracing::error!(%error, "cannot record a use of the read API");
            Refused::not_recording()
        })
    }

    /// An act of Greffier for a caller.
    pub(crate) fn event(
        &self,
        visit: &Visit,
        caller: &Principal,
        trail: &Tenant,
        wish: &Wish,
        decision: &Decision,
        kind: EventType,
    ) -> Event {
        let short = |text: &str| self.short(text);
        let mut event = Event::new(event_id(visit.now), kind, trail.clone(), visit.now);
        event.recorded_at = Some(visit.now);
        event.request_id = Some(visit.request_id.clone());
        event.session_id = caller.session.as_deref().map(short);
        event.user = caller.user.as_deref().map(|sub| User {
            iss: Some(caller.issuer.clone()),
            roles: caller.roles.iter().take(MAX_NAMES).map(|role| short(role)).collect(),
            sub: self.subject(&caller.tenant, sub),
            verified: caller.verified,
        });
        event.agent = Some(self.agent(caller));
        event.action = Some(Action {
            effect: Some(if wish.action == AdminAction::Ingest { Effect::Create } else { Effect::Read }),
            kind: Some(ActionKind::Admin),
            name: wish.name.to_owned(),
            ..Action::default()
        });
        let uri = self.scanner.leaf_uri(&format!("audit://{trail}/{}", wish.place));
        event.resource = Some(Resource {
            uri: Some(uri.chars().take(limits::RESOURCE_URI.max).collect()),
            ..Resource::default()
        });
        event.policy = Some(PolicyRecord {
            decision: decision.kind,
            reason: (decision.kind == DecisionKind::Deny)
                .then(|| self.scanner.leaf(&decision.reasons.join("; ")).chars().take(MAX_REASON).collect()),
            rule: decision.rule.clone(),
            scopes: caller.scopes.iter().take(MAX_NAMES).map(|scope| short(scope)).collect(),
            version: Some(decision.version.clone()),
        });
        event.source = Some(Source {
            channel: "gateway".to_owned(),
            client: visit.header(http::header::USER_AGENT).map(short).filter(|client| !client.is_empty()),
            ip: Some(visit.ip()),
            node: Some(self.node.to_string()),
            oauth_client: caller.client_id.as_deref().map(short),
            protocol: Some("api".to_owned()),
            token: caller.token.clone(),
            ..Source::default()
        });
        event
    }

    /// Greffier acts, for the caller's software: that stands first among the earlier actors.
    fn agent(&self, caller: &Principal) -> Agent {
        let asking =
            Actor { iss: Some(caller.issuer.clone()), sub: self.subject(&caller.tenant, &caller.agent) };
        let earlier = caller
            .via
            .iter()
            .map(|actor| Actor { iss: actor.iss.clone(), sub: self.subject(&caller.tenant, &actor.sub) });
        let mut via: Vec<Actor> = std::iter::once(asking).chain(earlier).collect();
        let dropped = via.len().saturating_sub(limits::AGENT_VIA.max) as u64 + caller.via_dropped;
        via.truncate(limits::AGENT_VIA.max);
        Agent {
            id: Tenant::NODE.to_owned(),
            verified: true,
            via,
            via_dropped: (dropped > 0).then_some(dropped),
            ..Agent::default()
        }
    }

    /// A string fit for a leaf, and short.
    pub(crate) fn short(&self, text: &str) -> String {
        self.scanner.leaf(text).chars().take(128).collect()
    }

    /// A subject as a leaf may carry it: a personal one becomes a keyed reference.
    pub(crate) fn subject(&self, tenant: &Tenant, sub: &str) -> String {
        if self.scanner.is_personal(sub) {
            self.appender.keys().reference(tenant, "user", sub)
        } else {
            sub.to_owned()
        }
    }

    /// A search that finds people and subjects under the references that the trail has instead of their names, too.
    pub(crate) fn referring(&self, trail: &Tenant, search: Search) -> Search {
        // Who is not personal by name is there by name.
        search.referring(|kind, name| {
            let may = kind == "subject" || self.scanner.is_personal(name);
            may.then(|| self.appender.keys().reference(trail, kind, name))
        })
    }

    /// What was asked, without what it holds of sensitive data: who searches for a card number must not leave
    /// one behind.
    pub(crate) fn asked(&self, asked: &Value) -> Part {
        let text = asked.to_string().into_bytes();
        let content = match json::inspect(&text, &self.scanner) {
            Ok(found) => found.redact(&text, |_| true),
            Err(_) => b"{}".to_vec(),
        };
        Part { name: "parameters".to_owned(), media: "application/json".to_owned(), content }
    }
}

/// How something of ours ended.
pub(crate) fn outcome(status: OutcomeStatus, error: Option<&str>) -> Outcome {
    Outcome { attempts: Vec::new(), code: None, duration_us: None, error: error.map(str::to_owned), status }
}
