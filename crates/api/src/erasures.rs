//! Erasures: one person asks, another approves, and what was approved is carried out before it is answered.
//!
//! All of it stands on the tenant's trail, joined by the erasure's id: `action.request`, then `action.approved` (the
//! order itself) or `action.denied`, then `action.executed`. What is pending is read from there, so that it
//! outlives the process.

use greffier_event::{DecisionKind, Draft, Effect, Event, EventType, Outcome, OutcomeStatus, Tenant};
use greffier_ledger::{EraseError, Eraser, Plan, State, Target};
use greffier_policy::AdminAction;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::admit::{Admitted, Wish};
use crate::api::{Api, Request};
use crate::lookup;
use crate::refuse::Refused;
use crate::respond;
use crate::visit::{Body, event_id};

/// Longest text of a basis or a reason, in characters: they are for people.
const MAX_WORDS: usize = 4_000;

/// Whose or which parts, as a caller names them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum Named {
    User(String),
    Subject(String),
    Event(String),
    Part { event: String, name: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    target: Named,
    #[serde(default)]
    legal_basis: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    dry_run: bool,
}

/// What an erasure would take, or took.
#[derive(Serialize)]
struct Figures {
    trail: String,
    target: String,
    events: u64,
    parts: u64,
    bytes: u64,
    /// The holds that refuse it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    held: Vec<String>,
}

impl From<&Plan> for Figures {
    fn from(plan: &Plan) -> Figures {
        let Plan { tenant, target, events, parts, bytes, held, .. } = plan;
        let (events, parts, bytes) = (*events, *parts, *bytes);
        let target = target.uri(tenant);
        Figures { trail: tenant.to_string(), target, events, parts, bytes, held: held.clone() }
    }
}

/// An erasure as answers show it.
#[derive(Serialize)]
struct Shown {
    id: String,
    target: String,
    state: &'static str,
    /// The entry that ordered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<u64>,
    asked: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    time: String,
}

impl Shown {
    fn of(tenant: &Tenant, request: greffier_ledger::Request) -> Shown {
        let (state, by) = match request.state {
            State::Pending => ("pending", None),
            State::Denied => ("denied", None),
            State::Ordered { by } => ("ordered", Some(by)),
            State::Done { by } => ("done", Some(by)),
            State::Failed => ("failed", None),
        };
        Shown {
            id: request.id,
            target: request.target.uri(tenant),
            state,
            by,
            asked: request.asked,
            asked_by: request.asked_by,
            decided_by: request.decided_by,
            time: request.time.to_string(),
        }
    }
}

/// `POST /api/v1/erasures`.
pub(crate) async fn ask(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let asked: Asked = body(&request)?;
    let words = |text: &str, what: &str| match text.trim().chars().count() {
        0 if !asked.dry_run => Err(Refused::bad_parameter(format!("`{what}` is missing"))),
        count if count > MAX_WORDS => Err(Refused::bad_parameter(format!("`{what}` is too long"))),
        _ => Ok(()),
    };
    words(&asked.legal_basis, "legal_basis")?;
    words(&asked.reason, "reason")?;
    let (caller, eraser) = (request.caller()?, api.eraser()?.clone());
    let tenant = caller.tenant.clone();
    let target = api.target(&eraser, &tenant, &asked.target)?;
    let why = json!({ "legal_basis": asked.legal_basis, "reason": asked.reason });
    let place = in_trail(&target.uri(&tenant), &tenant);
    if asked.dry_run {
        let wish = Wish { action: AdminAction::Erase, name: "erase:plan", place, asked: None };
        let admitted = api.admit(&request.visit, caller, None, wish).await?;
        let plan = plan(&eraser, &tenant, &target).await?;
        return answer(&request, StatusCode::OK, &Figures::from(&plan), admitted.receipt());
    }
    let wish = Wish { action: AdminAction::Erase, name: "erase", place, asked: Some(why) };
    let (mut event, parts) = api.act(&request, &wish, &[AdminAction::Erase]).await?;
    let plan = plan(&eraser, &tenant, &target).await?;
    let id = event.id.to_string();
    event.request_id = Some(id.clone());
    event.resource.get_or_insert_default().uri = Some(target.uri(&tenant));
    if !plan.held.is_empty() {
        let message = EraseError::Held(plan.held).to_string();
        deny(&mut event, &message);
        let receipt = api.record(Draft { event, parts }).await?;
        return Err(Refused::new(409, "held", message).receipt(&receipt.to_string()));
    }
    event.kind = EventType::ActionRequest;
    event.policy.iter_mut().for_each(|policy| policy.decision = DecisionKind::Pending);
    event.outcome = Some(ended(OutcomeStatus::Pending));
    let receipt = api.record(Draft { event, parts }).await?.to_string();
    let document = json!({ "id": id, "state": "pending", "plan": Figures::from(&plan) });
    answer(&request, StatusCode::ACCEPTED, &document, Some(receipt))
}

/// `POST /api/v1/erasures/{id}/approve`: by another person than the one who asked.
pub(crate) async fn approve(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let (event, eraser, _) = decide(api, &request).await?;
    let draft = Draft { event, parts: Vec::new() };
    let erased = eraser.erase(draft).await?;
    let document = json!({
        "id": request.matched.capture("id"), "state": "done", "by": erased.order.index,
        "erased": Figures::from(&erased.plan),
    });
    answer(&request, StatusCode::OK, &document, Some(erased.order.to_string()))
}

/// `POST /api/v1/erasures/{id}/deny`.
pub(crate) async fn deny_request(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let (mut event, _, parts) = decide(api, &request).await?;
    deny(&mut event, "a second person said no");
    let receipt = api.record(Draft { event, parts }).await?.to_string();
    let document = json!({ "id": request.matched.capture("id"), "state": "denied" });
    answer(&request, StatusCode::OK, &document, Some(receipt))
}

/// The event of a second person's decision, on a request that waits for one.
async fn decide(api: &Api, request: &Request) -> Result<(Event, Eraser, Vec<greffier_event::Part>), Refused> {
    let id = request.matched.capture("id").to_owned();
    let asked: Option<Value> = if request.visit.body.is_empty() { None } else { Some(body(request)?) };
    let (caller, eraser) = (request.caller()?, api.eraser()?.clone());
    let tenant = caller.tenant.clone();
    let place = format!("erasures/{}", lookup::encoded(&id));
    let wish = Wish { action: AdminAction::Approve, name: "erase", place, asked };
    let both = [AdminAction::Approve, AdminAction::Erase];
    let (mut event, parts) = api.act(request, &wish, &both).await?;
    let found = requests(&eraser, &tenant).await?.into_iter().find(|known| known.id == id);
    let found = found.ok_or_else(|| Refused::not_found("no erasure of this tenant has this id"))?;
    if found.state != State::Pending {
        return Err(Refused::new(409, "decided", "this erasure is decided already"));
    }
    let who = event.user.as_ref().map(|user| user.sub.clone());
    let second = match (&who, &found.asked_by) {
        (None, _) => Err("a person must decide, not a service"),
        (Some(who), Some(asked)) if who == asked => Err("another person than the one who asked must decide"),
        _ => Ok(()),
    };
    if let Err(why) = second {
        return Err(api.refuse_person(request, &wish, why).await);
    }
    event.kind = EventType::ActionApproved;
    event.request_id = Some(id);
    event.resource.get_or_insert_default().uri = Some(found.target.uri(&tenant));
    event.outcome = Some(ended(OutcomeStatus::Pending));
    Ok((event, eraser, parts))
}

/// `GET /api/v1/erasures`.
pub(crate) async fn list(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let (admitted, all) = known(api, &request, "erasures".to_owned()).await?;
    let all: Vec<Shown> = all.into_iter().rev().map(|found| Shown::of(admitted.trail(), found)).collect();
    answer(&request, StatusCode::OK, &json!({ "erasures": all }), admitted.receipt())
}

/// `GET /api/v1/erasures/{id}`.
pub(crate) async fn one(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let id = request.matched.capture("id").to_owned();
    let (admitted, all) = known(api, &request, format!("erasures/{}", lookup::encoded(&id))).await?;
    let found = all.into_iter().find(|known| known.id == id);
    let found = found.ok_or_else(|| Refused::not_found("no erasure of this tenant has this id"))?;
    answer(&request, StatusCode::OK, &Shown::of(admitted.trail(), found), admitted.receipt())
}

async fn known(
    api: &Api,
    request: &Request,
    place: String,
) -> Result<(Admitted, Vec<greffier_ledger::Request>), Refused> {
    let eraser = api.eraser()?.clone();
    let wish = Wish { action: AdminAction::ReadTrail, name: "erase:list", place, asked: None };
    let admitted = api.admit(&request.visit, request.caller()?, None, wish).await?;
    let all = requests(&eraser, admitted.trail()).await?;
    Ok((admitted, all))
}

async fn requests(eraser: &Eraser, tenant: &Tenant) -> Result<Vec<greffier_ledger::Request>, Refused> {
    let (eraser, tenant) = (eraser.clone(), tenant.clone());
    blocking(move || eraser.requests(&tenant)).await
}

async fn plan(eraser: &Eraser, tenant: &Tenant, target: &Target) -> Result<Plan, Refused> {
    let (eraser, tenant, target) = (eraser.clone(), tenant.clone(), target.clone());
    blocking(move || eraser.plan(&tenant, &target)).await
}

/// Where a step waits for the disk without holding up others.
pub(crate) async fn blocking<T: Send + 'static>(
    step: impl FnOnce() -> Result<T, EraseError> + Send + 'static,
) -> Result<T, Refused> {
    let done = tokio::task::spawn_blocking(step).await;
    Ok(done.map_err(|error| Refused::internal("reading the ledger", &error))??)
}

impl Api {
    /// Whoever erases; a reader of files alone has none.
    pub(crate) fn eraser(&self) -> Result<&Eraser, Refused> {
        self.eraser.as_ref().ok_or_else(|| Refused::not_found("this node does not erase"))
    }

    /// What a caller names, as the trail does: people by keyed references.
    pub(crate) fn target(&self, eraser: &Eraser, tenant: &Tenant, named: &Named) -> Result<Target, Refused> {
        let event = |id: &str| lookup::event_id(id);
        Ok(match named {
            Named::User(sub) => Target::User(eraser.user(tenant, &self.subject(tenant, sub))),
            Named::Subject(value) => Target::Subject(self.subject_reference(eraser, tenant, value)?),
            Named::Event(id) => Target::Event(event(id)?),
            Named::Part { event: id, name } => Target::Part(event(id)?, part_name(name)?),
        })
    }

    /// A reference that stands in entries must be one of ours: what a caller makes up may say anything.
    pub(crate) fn subject_reference(
        &self,
        eraser: &Eraser,
        tenant: &Tenant,
        value: &str,
    ) -> Result<String, Refused> {
        let reference = eraser.subject(tenant, value);
        let ours = reference.strip_prefix("ref:").is_some_and(|hex| {
            hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        if value.is_empty() || !(ours || self.scanner.leaf(&reference) == reference) {
            return Err(Refused::bad_parameter(
                "the subject is empty, or a reference that holds sensitive data",
            ));
        }
        Ok(reference)
    }

    /// The event of an act, once the policies permit all of `actions`; a denial is on record.
    pub(crate) async fn act(
        &self,
        request: &Request,
        wish: &Wish,
        actions: &[AdminAction],
    ) -> Result<(Event, Vec<greffier_event::Part>), Refused> {
        let (visit, caller) = (&request.visit, request.caller()?);
        let mut allowed = None;
        for action in actions {
            let (trail, decision) = self.decide(visit, caller, None, *action)?;
            if decision.kind != DecisionKind::Allow {
                return Err(self.deny(visit, caller, &trail, wish, &decision).await);
            }
            allowed.get_or_insert((trail, decision));
        }
        let (trail, decision) = allowed.ok_or_else(|| Refused::not_found("nothing is asked"))?;
        let mut event = self.event(visit, caller, &trail, wish, &decision, EventType::DataModify);
        event.id = event_id(visit.now);
        if let Some(action) = &mut event.action {
            action.effect = Some(Effect::Delete);
        }
        Ok((event, wish.asked.iter().map(|asked| self.asked(asked)).collect()))
    }

    /// Records that this caller may not be the one.
    pub(crate) async fn refuse_person(&self, request: &Request, wish: &Wish, why: &str) -> Refused {
        let Ok(caller) = request.caller() else { return Refused::not_found("nobody asks") };
        let decision = greffier_event::Decision {
            kind: DecisionKind::Deny,
            rule: None,
            reasons: vec![why.to_owned()],
            version: request.visit.policies.digest().to_owned(),
        };
        self.deny(&request.visit, caller, &caller.tenant, wish, &decision).await
    }
}

/// The name of a part, as events name them.
fn part_name(name: &str) -> Result<String, Refused> {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(word) {
        Ok(name.to_owned())
    } else {
        Err(Refused::bad_parameter("a part's name is as in `prompt` or `result`"))
    }
}

fn deny(event: &mut Event, why: &str) {
    event.kind = EventType::ActionDenied;
    event.outcome = Some(ended(OutcomeStatus::Denied));
    if let Some(policy) = &mut event.policy {
        policy.decision = DecisionKind::Deny;
        policy.reason = Some(why.chars().take(greffier_event::limits::POLICY_REASON.max).collect());
    }
}

fn ended(status: OutcomeStatus) -> Outcome {
    crate::admit::outcome(status, None)
}

/// Behind `audit://<tenant>/`.
pub(crate) fn in_trail(uri: &str, tenant: &Tenant) -> String {
    uri.strip_prefix(&format!("audit://{tenant}/")).unwrap_or(uri).to_owned()
}

/// A JSON body.
pub(crate) fn body<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, Refused> {
    serde_json::from_slice(&request.visit.body)
        .map_err(|error| Refused::new(400, "bad_body", format!("the body is not what is asked for: {error}")))
}

pub(crate) fn answer(
    request: &Request,
    status: StatusCode,
    document: &impl Serialize,
    receipt: Option<String>,
) -> Result<Response<Body>, Refused> {
    let mut response = respond::json(document)?;
    *response.status_mut() = status;
    respond::mark(response.headers_mut(), &request.visit.request_id, receipt.as_deref());
    Ok(response)
}

impl From<EraseError> for Refused {
    fn from(error: EraseError) -> Refused {
        let message = error.to_string();
        match error {
            EraseError::Held(_) => Refused::new(409, "held", message),
            EraseError::Decided => Refused::new(409, "decided", message),
            EraseError::Unfinished { .. } => Refused::new(503, "unfinished", message),
            EraseError::Read(error) => error.into(),
            EraseError::Append(error) => {
                tracing::error!(%error, "cannot record an order to erase");
                Refused::not_recording()
            }
            EraseError::Closed => Refused::not_recording(),
            error @ EraseError::NotAnOrder => Refused::internal("ordering an erasure", &error),
        }
    }
}
