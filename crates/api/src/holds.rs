//! Legal holds: what may neither be erased nor expire until it is released. Each one, and each release, is an
//! event with its reason.

use greffier_event::{Draft, Effect, Timestamp};
use greffier_ledger::{Held, Scope};
use greffier_policy::AdminAction;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::admit::Wish;
use crate::api::{Api, Request};
use crate::erasures::{answer, blocking, body, in_trail};
use crate::lookup;
use crate::refuse::Refused;
use crate::visit::Body;

/// What to hold, as a caller names it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Named {
    /// Everything of the caller's tenant.
    Tenant(bool),
    User(String),
    Subject(String),
    Event(String),
    Recorded {
        #[serde(default)]
        from: Option<Timestamp>,
        #[serde(default)]
        until: Option<Timestamp>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    scope: Named,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Released {
    reason: String,
}

/// `POST /api/v1/holds`.
pub(crate) async fn add(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let asked: Asked = body(&request)?;
    let reason = reason(asked.reason)?;
    let (eraser, tenant) = (api.eraser()?.clone(), request.caller()?.tenant.clone());
    let scope = match asked.scope {
        Named::Tenant(true) => Scope::Tenant,
        Named::Tenant(false) => return Err(Refused::bad_parameter("nothing is held that way")),
        Named::User(sub) => Scope::User(eraser.user(&tenant, &api.subject(&tenant, &sub))),
        Named::Subject(value) => Scope::Subject(api.subject_reference(&eraser, &tenant, &value)?),
        Named::Event(id) => Scope::Event(lookup::event_id(&id)?),
        Named::Recorded { from, until } => Scope::Recorded { from, until },
    };
    place(api, &request, "hold", None, &scope, &reason, StatusCode::CREATED).await
}

/// `POST /api/v1/holds/{id}/release`.
pub(crate) async fn release(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let asked: Released = body(&request)?;
    let reason = reason(asked.reason)?;
    let (eraser, tenant) = (api.eraser()?.clone(), request.caller()?.tenant.clone());
    let id = request.matched.capture("id").to_owned();
    let holds = blocking(move || eraser.holds(&tenant)).await?;
    let held = holds.into_iter().find(|held| held.id == id);
    let held = held.ok_or_else(|| Refused::not_found("no hold of this tenant has this id"))?;
    place(api, &request, "release", Some(held.id), &held.scope, &reason, StatusCode::OK).await
}

/// Records a hold or its release; it counts before it is answered.
async fn place(
    api: &Api,
    request: &Request,
    name: &'static str,
    id: Option<String>,
    scope: &Scope,
    reason: &str,
    status: StatusCode,
) -> Result<Response<Body>, Refused> {
    let tenant = request.caller()?.tenant.clone();
    let uri = scope.uri(&tenant);
    let wish = Wish {
        action: AdminAction::Erase,
        name,
        place: in_trail(&uri, &tenant),
        asked: Some(json!({ "reason": reason })),
    };
    let (mut event, parts) = api.act(request, &wish, &[AdminAction::Erase]).await?;
    let id = id.unwrap_or_else(|| event.id.to_string());
    event.request_id = Some(id.clone());
    event.resource.get_or_insert_default().uri = Some(uri.clone());
    if let Some(action) = &mut event.action {
        action.effect = Some(Effect::Update);
    }
    let receipt = api.eraser()?.hold(Draft { event, parts }).await?;
    let state = if name == "hold" { "held" } else { "released" };
    let document = json!({ "id": id, "scope": uri, "state": state, "by": receipt.index });
    answer(request, status, &document, Some(receipt.to_string()))
}

/// `GET /api/v1/holds`.
pub(crate) async fn list(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let wish =
        Wish { action: AdminAction::ReadTrail, name: "hold:list", place: "holds".to_owned(), asked: None };
    let eraser = api.eraser()?.clone();
    let admitted = api.admit(&request.visit, request.caller()?, None, wish).await?;
    let trail = admitted.trail().clone();
    let holds = blocking(move || eraser.holds(&trail)).await?;
    let shown = |held: Held| {
        json!({
            "id": held.id, "scope": held.scope.uri(admitted.trail()), "by": held.index,
            "placed_by": held.by, "time": held.time,
        })
    };
    let holds: Vec<_> = holds.into_iter().map(shown).collect();
    answer(&request, StatusCode::OK, &json!({ "holds": holds }), admitted.receipt())
}

fn reason(text: String) -> Result<String, Refused> {
    /// For people; longer texts belong into the case's own file.
    const MAX: usize = 4_000;
    match text.trim().chars().count() {
        0 => Err(Refused::bad_parameter("`reason` is missing")),
        count if count > MAX => Err(Refused::bad_parameter("`reason` is too long")),
        _ => Ok(text),
    }
}
