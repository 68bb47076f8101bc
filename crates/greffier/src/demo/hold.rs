//! Holds the script against the trail: every call must be there, as the call of whoever made it, decided by the
//! rule that was meant to decide it, and ended as it was meant to end.

use std::collections::BTreeMap;

use super::ask::{Call, Trail};
use super::people::Caller;
use super::play::Played;
use super::script::{Ask, End, Step};
use crate::exit::Failure;

/// Checks the calls that belong to this trail.
pub(super) async fn script_and_trail(trail: &Trail<'_>, played: &[Played]) -> anyhow::Result<()> {
    let calls: BTreeMap<String, Call> = trail
        .calls()
        .await?
        .into_iter()
        .filter_map(|call| Some((call.decision.request_id.clone()?, call)))
        .collect();
    let ours = played.iter().filter(|played| played.step.caller.tenant() == trail.tenant.as_str());
    for Played { step, request_id } in ours.filter(|played| !matches!(played.step.ask, Ask::Report(_))) {
        let fault = match calls.get(request_id) {
            None => Some("it is not on the trail".to_owned()),
            Some(call) => fault(step, call),
        };
        if let Some(fault) = fault {
            let message = format!("{request_id} ({}): {fault}", step.ask.path());
            return Err(Failure::new("demo", message).into());
        }
    }
    Ok(())
}

/// What the trail says otherwise than the script.
fn fault(step: &Step, call: &Call) -> Option<String> {
    let (who, agent) = match step.caller {
        Caller::For(person, agent) => (Some(person.sub), agent.id),
        Caller::Alone(service) => (None, service.id),
    };
    let expected = match step.end {
        End::Done(rule) => ("allow", rule, "success", None),
        End::Redacted(rule) => ("redact", rule, "success", None),
        End::Denied(rule) => ("deny", rule, "denied", None),
        End::Failed(rule, code) => ("allow", rule, "failure", Some(i64::from(code))),
        End::Recorded => return None,
    };
    let Call { decision, outcome, .. } = call;
    let policy = decision.policy.as_ref();
    let ended = outcome.as_ref().unwrap_or(decision).outcome.as_ref();
    let code = expected.3.and(ended.and_then(|outcome| outcome.code));
    let found = (
        policy.map_or("", |policy| policy.decision.as_str()),
        policy.and_then(|policy| policy.rule.as_deref()).unwrap_or_default(),
        ended.map_or("", |outcome| outcome.status.as_str()),
        code,
    );
    let user = decision.user.as_ref();
    let verified = user.map(|user| user.verified).or(decision.agent.as_ref().map(|agent| agent.verified));
    if user.map(|user| user.sub.as_str()) != who {
        Some("it is recorded as somebody else's".to_owned())
    } else if decision.agent.as_ref().map(|agent| agent.id.as_str()) != Some(agent) || verified != Some(true)
    {
        Some(format!("it is not recorded as the verified agent {agent}'s"))
    } else if found != expected {
        Some(format!("the trail has {found:?}, the script {expected:?}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use greffier_event::{
        Agent, DecisionKind, Event, EventId, EventType, Outcome, OutcomeStatus, PolicyRecord, Tenant,
        Timestamp, User,
    };

    use super::*;
    use crate::demo::script;

    /// The first denial of the script, as the trail should have it, changed.
    fn check(change: impl FnOnce(&mut Event)) -> String {
        let step = script::week().into_iter().find(|step| matches!(step.end, End::Denied(_))).unwrap();
        let tenant = Tenant::new(step.caller.tenant()).unwrap();
        let id = EventId(uuid::Uuid::nil());
        let mut decision = Event::new(id, EventType::ActionDenied, tenant, Timestamp::from_micros(0));
        decision.user = Some(User { sub: "moreau".to_owned(), verified: true, ..User::default() });
        decision.agent =
            Some(Agent { id: "billing-assistant".to_owned(), verified: true, ..Agent::default() });
        decision.policy = Some(PolicyRecord {
            decision: DecisionKind::Deny,
            reason: None,
            rule: Some("billing clerks may not open records".to_owned()),
            scopes: Vec::new(),
            version: None,
        });
        let status = OutcomeStatus::Denied;
        decision.outcome =
            Some(Outcome { attempts: Vec::new(), code: None, duration_us: None, error: None, status });
        change(&mut decision);
        fault(&step, &Call { decision, index: 0, outcome: None })
            .unwrap_or_else(|| "as it should be".to_owned())
    }

    #[test]
    fn what_the_trail_says_otherwise_is_found() {
        insta::assert_snapshot!(check(|_| {}), @"as it should be");
        insta::assert_snapshot!(
            check(|event| event.user.as_mut().unwrap().sub = "okafor".to_owned()), @"it is recorded as somebody else's");
        insta::assert_snapshot!(
            check(|event| event.user.as_mut().unwrap().verified = false), @"it is not recorded as the verified agent billing-assistant's");
        insta::assert_snapshot!(
            check(|event| event.policy.as_mut().unwrap().rule = None), @r#"the trail has ("deny", "", "denied", None), the script ("deny", "billing clerks may not open records", "denied", None)"#);
        insta::assert_snapshot!(
            check(|event| event.policy.as_mut().unwrap().decision = DecisionKind::Allow), @r#"the trail has ("allow", "billing clerks may not open records", "denied", None), the script ("deny", "billing clerks may not open records", "denied", None)"#);
    }
}
