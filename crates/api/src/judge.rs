//! What people make of findings: acknowledged, muted, unmuted; each an event with its reason.

use greffier_event::{Draft, Effect, EventId, EventType, OutcomeStatus};
use greffier_policy::AdminAction;
use greffier_query::findings;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::admit::{Wish, outcome};
use crate::api::{Api, Request};
use crate::erasures::{answer, body};
use crate::refuse::Refused;
use crate::visit::Body;

/// Longest reason, in characters: it is for people.
const MAX_REASON: usize = 4_000;

/// What somebody says of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Acknowledge,
    Mute,
    Unmute,
}

impl Word {
    fn action(self) -> &'static str {
        match self {
            Word::Acknowledge => findings::ACKNOWLEDGE,
            Word::Mute => findings::MUTE,
            Word::Unmute => findings::UNMUTE,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    reason: String,
}

/// `POST /api/v1/findings/{id}/acknowledge`, `…/mute`, `…/unmute`.
pub(crate) async fn judge(api: &Api, request: Request, word: Word) -> Result<Response<Body>, Refused> {
    let said: Said = body(&request)?;
    match said.reason.trim().chars().count() {
        0 => return Err(Refused::bad_parameter("`reason` is missing")),
        count if count > MAX_REASON => return Err(Refused::bad_parameter("`reason` is too long")),
        _ => {}
    }
    let none = || Refused::not_found("no finding of this tenant has this id");
    let id = request.matched.capture("id").parse().map(EventId).map_err(|_| none())?;
    let tenant = request.caller()?.tenant.clone();
    let wish = Wish {
        action: AdminAction::Approve,
        name: word.action(),
        place: format!("findings/{id}"),
        asked: Some(json!({ "reason": said.reason })),
    };
    // Whoever may not say it learns nothing of what there is.
    let (mut event, parts) = api.act(&request, &wish, &[AdminAction::Approve]).await?;
    let finding = api.watch.finding(&tenant, id).await?.ok_or_else(none)?;
    let uri = format!("audit://{tenant}/{}", findings::place(&finding));
    event.kind = EventType::ActionExecuted;
    event.outcome = Some(outcome(OutcomeStatus::Success, None));
    event.resource.get_or_insert_default().uri = Some(uri);
    if let Some(action) = &mut event.action {
        action.effect = Some(Effect::Update);
    }
    let receipt = api.record(Draft { event, parts }).await?;
    let finding = api.watch.finding(&tenant, id).await?.ok_or_else(none)?;
    answer(&request, StatusCode::OK, &finding, Some(receipt.to_string()))
}
