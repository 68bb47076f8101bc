//! The way of one hook call: an agent's own software asks before it acts, and says what came of it.
//!
//! As in `pipeline.rs` each step takes what the one before made, with the difference that nothing is forwarded: the
//! client acts itself, and may ignore what it is told, or not ask at all. What it is told of a permitted call is made
//! from a `Recorded<Permitted<Redacted<Call>>>`, by value: no consent leaves before its decision is durable. Nothing
//! goes on unrecorded here. Below stand the clients' formats (`agents`, `cursor`, `told`: pure), what they mean
//! (`heard`, `tool`), and the calls that wait for their end (`open`, `ended`).

mod agents;
mod client;
mod cursor;
mod ended;
mod heard;
mod open;
mod told;
mod tool;

use std::sync::Arc;
use std::time::Instant;

use greffier_event::{Content, Part, Place, Principal, Stage, Target, Timestamp};
use http::{HeaderValue, Response, header};
use hyper::body::Incoming;

pub use client::Client;
pub(crate) use open::OpenHooks;

use crate::body::{self, Body};
use crate::decide::decide;
use crate::gateway::Gateway;
use crate::handling::Handling;
use crate::hook::heard::{End, Heard, Note, Origin, Use, What};
use crate::hook::told::Told;
use crate::http_client;
use crate::inspect::inspect;
use crate::read::{Head, check_headers};
use crate::record::part;
use crate::refuse::{self, Refused};
use crate::route::Destination;
use crate::settings::Secret;

/// What one event needs to know of its request.
struct Request<'a> {
    gateway: &'a Gateway,
    client: Client,
    head: &'a Head,
    principal: Principal,
    token: Secret,
    request_id: String,
    arrived: Instant,
    now: Timestamp,
}

/// Governs one hook event.
pub(crate) async fn steps(
    gateway: &Arc<Gateway>,
    client: Client,
    head: Head,
    body: &mut Incoming,
    request_id: &str,
) -> Result<Response<Body>, Refused> {
    let (arrived, now) = (Instant::now(), gateway.clock.now());

    // First of all, and without exception: what cannot be recorded is not consented to.
    if gateway.ready().is_err() {
        return unrecordable(gateway, client, &head, body).await;
    }

    // Before the body is read: a stranger must not make us hold 32 MiB.
    let (principal, token) =
        gateway.identify(&head.headers, head.peer, client.protocol(), None, request_id, now).await?;

    // The event becomes data: what is asked, what ended, or what else happened.
    check_headers(&head.headers).map_err(|refused| refused.sent_by(&principal))?;
    let bytes = http_client::read_body(body, gateway.limits.body, gateway.limits.body_idle_timeout)
        .await
        .map_err(|error| Refused::from(error).sent_by(&principal))?;
    let Heard { event, origin, what } =
        client.read(&bytes).map_err(|error| Refused::bad_request(error.to_string()).sent_by(&principal))?;

    let principal = origin.tiered(principal);
    let request_id = match what.of() {
        Some(used) => open::request_id(&gateway.recorder.appender, client, &principal, &origin, used),
        None => request_id.to_owned(),
    };
    let request = Request { gateway, client, head: &head, principal, token, request_id, arrived, now };
    // Boxed: each of them makes room for two events.
    match what {
        What::Ask(used) => Box::pin(request.ask(&event, &origin, used)).await,
        What::Ended(used, end) => Box::pin(request.ended(&event, &origin, used, end)).await,
        What::Note(note) => Box::pin(request.noted(&event, &origin, note)).await,
    }
}

/// While nothing can be recorded: an error, and a client that is set up to fail closed does not act. What a tool has
/// given already it would show to its model all the same; that is withheld by an answer, for whom somebody vouches.
async fn unrecordable(
    gateway: &Gateway,
    client: Client,
    head: &Head,
    body: &mut Incoming,
) -> Result<Response<Body>, Refused> {
    let known = gateway.sender(&head.headers).await.is_some() && check_headers(&head.headers).is_ok();
    if known
        && let Ok(bytes) =
            http_client::read_body(body, gateway.limits.body, gateway.limits.body_idle_timeout).await
        && let Ok(Heard { event, what: What::Ended(used, end), .. }) = client.read(&bytes)
        && let Some(output) = ended::unrecorded(&end)
    {
        let told = Told::ended(client, &event, &used, end.way, Some(output));
        return Ok(answer(told, &gateway.clock.request_id(), None));
    }
    Err(Refused::not_recording())
}

impl Request<'_> {
    /// Before a tool is used: inspected, decided, recorded; only then told.
    async fn ask(self, event: &str, origin: &Origin, used: Use) -> Result<Response<Body>, Refused> {
        let Request { gateway, client, .. } = self;
        let way = used.way;
        let call = self.call(event, origin, used.target(), Some(&used));

        // Inspected once: findings for the decision, one form to give back and one to record.
        let handling = gateway.handling(&self.principal.tenant, &call.target);
        let more = self.circumstances(origin, &handling)?;
        let (inspector, unanswered) = gateway.analysed(&call).await;
        let redacted = inspect(&inspector, call, &handling, &self.token, unanswered)
            .map_err(|error| self.bad(&error))?;

        // Policy and content safety decide, over the findings; what cannot be redacted where it happens is denied.
        let decided =
            decide(&gateway.policies.load(), self.principal.clone(), redacted, Ok(Destination::Caller), &[]);
        let permitted = match decided.and_then(|permitted| used.redactable(permitted)) {
            Ok(permitted) => permitted,
            Err(denied) => {
                // A denial is recorded too, before it is told.
                let receipt = gateway
                    .recorder
                    .denial_with(&denied, more)
                    .await
                    .map_err(|_| Refused::not_recording())?;
                let told = Told::denied(client, event, &denied.verdict.decision.reasons.join("; "));
                return Ok(answer(told, &self.request_id, Some(&receipt.to_string())));
            }
        };

        // Durable before the act. Only what comes back from here can be consented to.
        let recorded = gateway
            .recorder
            .decision_with(permitted, self.arrived, more)
            .await
            .map_err(|_| Refused::not_recording())?;
        let receipt = recorded.receipt().to_string();
        let (told, decision) = Told::permitted(client, event, way, recorded, &used.input);

        // Its outcome comes with an event of its own, or never.
        gateway.hooks.wait(gateway, decision, self.now).await;
        Ok(answer(told?, &self.request_id, Some(&receipt)))
    }

    /// After a tool was used: what came of it is inspected and recorded, and what the model gets to see is told.
    async fn ended(
        self,
        event: &str,
        origin: &Origin,
        used: Use,
        end: End,
    ) -> Result<Response<Body>, Refused> {
        let Request { gateway, client, .. } = self;
        let call = self.call(event, origin, used.target(), Some(&used));
        let handling = gateway.handling(&self.principal.tenant, &call.target);
        let output = ended::inspected(&gateway.inspector, &end, &handling, &self.token)
            .map_err(|error| self.bad(&error))?;

        // The outcome is durable before the model sees what came back.
        let decision = gateway.hooks.take(&self.principal.tenant, &self.request_id);
        let mut parts = Vec::new();
        if decision.is_none() {
            // Nobody asked before, or too long ago: what was done is on no record yet.
            parts.extend(self.circumstances(origin, &handling)?);
            let redacted = inspect(&gateway.inspector, call.clone(), &handling, &self.token, None)
                .map_err(|error| self.bad(&error))?;
            parts.extend(crate::record::input_parts(&redacted, &self.principal));
        }
        let (principal, request_id) = (&self.principal, &self.request_id);
        let recorded =
            gateway.recorder.hook_ended(decision.as_ref(), &call, principal, &end, &output, parts).await;
        if recorded.is_err() {
            if let Some(decision) = decision {
                gateway.hooks.wait(gateway, decision, self.now).await;
            }
            // An error would not keep it from the model.
            let output = ended::unrecorded(&end).ok_or_else(Refused::outcome_unrecorded)?;
            return Ok(answer(Told::ended(client, event, &used, end.way, Some(output)), request_id, None));
        }
        Ok(answer(Told::ended(client, event, &used, end.way, output), request_id, None))
    }

    /// Anything else that happened: recorded, and no opinion about it.
    async fn noted(self, event: &str, origin: &Origin, note: Note) -> Result<Response<Body>, Refused> {
        let Request { gateway, client, .. } = self;
        let call = self.call(event, origin, note.target(client), note.of.as_ref());
        let handling = gateway.handling(&self.principal.tenant, &call.target);
        let mut parts = self.circumstances(origin, &handling)?;
        let mut findings = Vec::new();
        for (name, media, text) in note.contents() {
            let bytes = text.as_bytes().to_vec();
            let content = Content { place: Place::Body, media: media.to_owned(), bytes };
            let inspected = gateway
                .inspector
                .content(&content, &handling, Stage::Input)
                .map_err(|error| self.bad(&error))?;
            findings.extend(ended::only_seen(inspected.findings));
            let record = crate::inspect::without_token(inspected.record, &self.token);
            parts.push(part(name, &Content { bytes: record, ..content }));
        }
        let (principal, recorder) = (&self.principal, &gateway.recorder);
        let receipt = recorder
            .hook_noted(&call, principal, &note, &findings, parts)
            .await
            .map_err(|_| Refused::not_recording())?;
        if note.ends_call
            && let Some(decision) = gateway.hooks.take(&principal.tenant, &self.request_id)
        {
            gateway.hooks.close(gateway, decision, note.status(), note.code, self.now).await;
        }
        if note.ends_session {
            gateway.hooks.session_over(gateway, principal, &call, self.now).await;
        }
        Ok(answer(Told::noted(client, event), &self.request_id, Some(&receipt.to_string())))
    }

    fn call(&self, event: &str, origin: &Origin, target: Target, used: Option<&Use>) -> greffier_event::Call {
        origin.call(
            event,
            self.client,
            self.head,
            &self.gateway.node,
            &self.request_id,
            self.now,
            target,
            used,
        )
    }

    /// Where and how the client runs, as a part of its own.
    fn circumstances(&self, origin: &Origin, handling: &Handling) -> Result<Vec<Part>, Refused> {
        let Some(bytes) = origin.circumstances() else { return Ok(Vec::new()) };
        let content = Content { place: Place::Body, media: "application/json".to_owned(), bytes };
        let inspected = self.gateway.inspector.content(&content, handling, Stage::Input);
        let bytes = inspected.map_err(|error| self.bad(&error))?.record;
        Ok(vec![part("circumstances", &Content { bytes, ..content })])
    }

    fn bad(&self, error: &impl std::fmt::Display) -> Refused {
        Refused::bad_request(error.to_string()).sent_by(&self.principal)
    }
}

/// What the client is told, in its own format.
fn answer(told: Told, request_id: &str, receipt: Option<&str>) -> Response<Body> {
    let mut response = Response::new(body::whole(told.into_bytes()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    refuse::mark(headers, request_id, receipt);
    response
}
