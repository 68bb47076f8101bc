//! Attestations: a person puts on the trail that a period was reviewed, that access was, that emergency access was taken
//! or looked at, that new policies are approved. Reports count them; nothing here changes what may be done.

use greffier_event::{Draft, Effect, EventType, OutcomeStatus};
use greffier_policy::AdminAction;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admit::{Wish, outcome};
use crate::api::{Api, Request};
use crate::erasures::{answer, body};
use crate::lookup::event_id;
use crate::refuse::Refused;
use crate::report::ReportOrder;
use crate::visit::Body;

/// Longest note, in characters: it is for people.
const MAX_NOTE: usize = 4_000;

/// What a person says.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Said {
    /// A report's records were reviewed.
    SignOff {
        standard: String,
        from: String,
        to: String,
        #[serde(default)]
        tz: Option<String>,
        /// SHA-256 of the report that was looked at.
        #[serde(default)]
        digest: Option<String>,
        note: String,
    },
    /// Who may do what was reviewed.
    AccessReview { note: String },
    /// Emergency access is taken.
    BreakGlass { note: String },
    /// Emergency access that somebody else took was looked at.
    BreakGlassReview { event: String, note: String },
    /// Policies are approved.
    Policies { digest: String, note: String },
}

/// What an attestation leaves: its name, its place, and which event it answers to.
struct Left {
    name: &'static str,
    place: String,
    answers: Option<String>,
}

impl Said {
    fn note(&self) -> &str {
        match self {
            Said::SignOff { note, .. }
            | Said::AccessReview { note }
            | Said::BreakGlass { note }
            | Said::BreakGlassReview { note, .. }
            | Said::Policies { note, .. } => note,
        }
    }

    fn left(&self) -> Result<Left, Refused> {
        let left = |name, place| Ok(Left { name, place, answers: None });
        match self {
            Said::SignOff { standard, from, to, tz, digest, .. } => {
                let order = ReportOrder::new(standard, from, to, tz.as_deref())?;
                let of = digest.as_deref().map(checked).transpose()?;
                let of = of.map(|digest| format!("/{digest}")).unwrap_or_default();
                let period = order.period;
                left(
                    "review:report",
                    format!("reports/{}/{}/{}{of}", order.standard.name, period.start, period.end),
                )
            }
            Said::AccessReview { .. } => left("review:access", "access".to_owned()),
            Said::BreakGlass { .. } => left("break_glass", "break-glass".to_owned()),
            Said::BreakGlassReview { event, .. } => {
                let id = event_id(event)?.to_string();
                let place = format!("break-glass/{id}");
                Ok(Left { name: "review:break_glass", place, answers: Some(id) })
            }
            Said::Policies { digest, .. } => left("approve:policy", format!("policies/{}", checked(digest)?)),
        }
    }
}

/// `POST /api/v1/attestations`.
pub(crate) async fn attest(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let said: Said = body(&request)?;
    match said.note().trim().chars().count() {
        0 => return Err(Refused::bad_parameter("`note` is missing: say what was looked at, or why")),
        count if count > MAX_NOTE => return Err(Refused::bad_parameter("`note` is too long")),
        _ => {}
    }
    let Left { name, place, answers } = said.left()?;
    let wish = Wish { action: AdminAction::Attest, name, place, asked: Some(json!({ "note": said.note() })) };
    let (mut event, parts) = api.act(&request, &wish, &[AdminAction::Attest]).await?;
    let Some(who) = event.user.as_ref().map(|user| user.sub.clone()) else {
        return Err(api.refuse_person(&request, &wish, "a person must say this, not a service").await);
    };
    if let Some(id) = &answers {
        let taken = api.engine.event(&request.caller()?.tenant, event_id(id)?).await?;
        let taken = taken.and_then(|row| row.event().ok());
        let taken =
            taken.filter(|event| event.action.as_ref().is_some_and(|action| action.name == "break_glass"));
        let taken =
            taken.ok_or_else(|| Refused::not_found("no emergency access of this tenant has this id"))?;
        if taken.user.is_some_and(|user| user.sub == who) {
            let why = "another person than the one who took the access must review it";
            return Err(api.refuse_person(&request, &wish, why).await);
        }
    }
    let id = event.id.to_string();
    event.request_id = match (name, answers) {
        ("break_glass", _) => Some(id.clone()),
        (_, Some(taken)) => Some(taken),
        (_, None) => event.request_id,
    };
    event.kind = EventType::ActionExecuted;
    event.action.iter_mut().for_each(|action| action.effect = Some(Effect::Create));
    event.outcome = Some(outcome(OutcomeStatus::Success, None));
    let receipt = api.record(Draft { event, parts }).await?.to_string();
    let document: Value = json!({ "id": id, "kind": name });
    answer(&request, StatusCode::CREATED, &document, Some(receipt))
}

/// A digest as records write it.
fn checked(digest: &str) -> Result<&str, Refused> {
    let hex = digest.strip_prefix("sha256:").filter(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    });
    hex.map(|_| digest)
        .ok_or_else(|| Refused::bad_parameter("a digest is `sha256:` and 64 lowercase hex digits"))
}
