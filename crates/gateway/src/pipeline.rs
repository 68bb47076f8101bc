//! The way of one call, top to bottom. No record, no act.
//!
//! Values only: each step takes what the one before made, and none calls back upward. A step cannot be left out:
//! `forward` takes a `Cleared<Permitted<Redacted<Call>>>`, and each layer of that type is made by one step; cleared is
//! what is recorded, and where the configuration lets calls of its class go on unrecorded, what is accounted for.

use std::sync::Arc;
use std::time::Instant;

use greffier_event::{Call, Principal};
use http::Response;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::body::Body;
use crate::decide::{Denial, Permitted, decide};
use crate::forward::forward;
use crate::gateway::Gateway;
use crate::handling::Handling;
use crate::hook;
use crate::http_client;
use crate::identify::lift_gemini_key;
use crate::inspect::{Redacted, inspect};
use crate::mcp::{self, AtTheDoor};
use crate::read::{Head, ReadCall, read};
use crate::refuse::{self, Refused};
use crate::reply::{Reply, reply};
use crate::route::{Destination, NoDestination, Route, destination};
use crate::settings::{Secret, UpstreamKind};
use crate::stored::Owner;
use crate::unrecorded::Cleared;

/// Governs one request; whatever happens, the answer is in the caller's wire format.
pub(crate) async fn govern(
    gateway: Arc<Gateway>,
    head: Head,
    mut body: Incoming,
    gone: CancellationToken,
) -> Response<Body> {
    let request_id = gateway.clock.request_id();
    let wire = head.route.wire();
    let protocol = head.route.protocol();
    let door = mcp::at_the_door(&gateway, &head);
    // Boxed: the steps' state is some 18 KiB, and a task should not carry it twice.
    let answer = match head.route {
        Route::Hook(client) => Box::pin(hook::steps(&gateway, client, head, &mut body, &request_id)).await,
        _ => Box::pin(steps(&gateway, head, &door, &mut body, &request_id, &gone)).await,
    };
    match answer {
        Ok(response) => {
            gateway.metrics.answered(protocol, response.status().as_u16(), "ok");
            response
        }
        Err(refused) => {
            // A request that is no call leaves its event, too, if anybody vouches for its sender.
            let refused = door.challenging(refused);
            let refused = gateway.malformed.note(refused, protocol, &request_id, gateway.clock.now()).await;
            gateway.metrics.answered(protocol, refused.status, refused.code);
            tokio::spawn(http_client::drain(body));
            refuse::response(wire, &refused, &request_id)
        }
    }
}

async fn steps(
    gateway: &Arc<Gateway>,
    mut head: Head,
    door: &AtTheDoor,
    body: &mut Incoming,
    request_id: &str,
    gone: &CancellationToken,
) -> Result<Response<Body>, Refused> {
    let (arrived, now) = (Instant::now(), gateway.clock.now());

    // First of all: while nothing can be written down, nothing is even looked at, but for what may go on unrecorded.
    gateway.may_govern(&head.route).map_err(|_| Refused::not_recording())?;

    // Gemini's clients send what they take for a key in a place of its own.
    if head.route.kind() == Some(UpstreamKind::Gemini) {
        lift_gemini_key(&mut head.headers, &mut head.query)?;
    }

    // A page from elsewhere must not act through its visitor's browser.
    if matches!(head.route, Route::Mcp { .. }) && !gateway.mcp.door.admits(&head.headers) {
        return Err(Refused::new(
            403,
            "origin_refused",
            "this page may not come in; see `origins` in the configuration",
        ));
    }

    // Before the body is read: a stranger must not make us hold 32 MiB.
    let audience = door.audience.as_deref();
    let protocol = head.route.protocol();
    let (principal, token) =
        gateway.identify(&head.headers, head.peer, protocol, audience, request_id, now).await?;
    let caller = Caller { principal, token };

    // The request becomes a call: what is asked, of what, with which content.
    let bytes = http_client::read_body(body, gateway.limits.body, gateway.limits.body_idle_timeout)
        .await
        .map_err(|error| Refused::from(error).sent_by(&caller.principal))?;
    // A message of MCP may be several calls, or none: it has its own way to `clear`, and none past it.
    if let Route::Mcp { server } = &head.route {
        let (head, name) = (&head, server.as_str());
        return mcp::answer(mcp::Visit { gateway, head, name, caller, request_id, arrived, gone }, bytes)
            .await;
    }
    let ReadCall { mut call, chat } = read(&head, bytes, request_id, &gateway.node, &gateway.tools, now)
        .map_err(|refused| refused.sent_by(&caller.principal))?;

    // A response that the provider keeps is its owner's; to anybody else it is not there.
    let owner = Owner::of(&caller.principal);
    gateway
        .place(&head.route, chat.as_ref(), &owner, &mut call)
        .map_err(|refused| refused.sent_by(&caller.principal))?;

    // Which chain it belongs to: it says so, or follows from what it has in common with an earlier call.
    let chain =
        gateway.chains.place(&mut call, &head.headers, &caller.principal, || gateway.clock.session_id());

    // Where it would go. Its absence is a denial like any other, decided and recorded below.
    let destination =
        destination(&head.route, &head.method, &call.target, &gateway.upstreams, &gateway.tools);

    // Inspected, decided, on record.
    let (cleared, handling) = Box::pin(clear(gateway, caller, call, destination, &[], arrived)).await?;
    let receipt = cleared.receipt();

    // The act: a new request with the upstream's own credential.
    let exchange = forward(&gateway.upstreams, cleared, &head.route, &head.method, chat.as_ref(), gone).await;

    // The reply ends only when its outcome is durable.
    let request_id = request_id.to_owned();
    let context =
        Reply { route: head.route, chat, request_id, receipt: receipt.clone(), handling, owner, chain };
    reply(gateway, context, exchange, gone).await.map_err(|refused| refused.with_receipt(receipt))
}

/// Who calls, and the token that says so: it goes nowhere, under no rule.
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    pub(crate) token: Secret,
}

/// The steps that every call takes before it may be forwarded, whoever makes it: only what comes back from here can be.
/// `notes` are findings that are not about its contents.
pub(crate) async fn clear(
    gateway: &Gateway,
    caller: Caller,
    call: Call,
    destination: Result<Destination, NoDestination>,
    notes: &[&'static str],
    arrived: Instant,
) -> Result<(Cleared<Permitted<Redacted<Call>>>, Handling), Refused> {
    let Caller { principal, token } = caller;

    // Inspected once: findings for the decision, one form to forward and one to record.
    let handling = gateway.handling(&principal.tenant, &call.target);
    let (inspector, unanswered) = gateway.analysed(&call).await;
    let redacted = inspect(&inspector, call, &handling, &token, unanswered)
        .map_err(|error| Refused::bad_request(error.to_string()).sent_by(&principal))?;

    // Policy and content safety decide, over the findings.
    let permitted = match decide(&gateway.policies.load(), principal, redacted, destination, notes) {
        Ok(permitted) => permitted,
        Err(denied) => {
            // A denial is recorded too, and ends here.
            let receipt = gateway.recorder.denial(&denied).await.map_err(|_| Refused::not_recording())?;
            let message = denied.verdict.decision.reasons.join("; ");
            let lacks_permit = denied.refusal == Denial::Policy && denied.verdict.decision.rule.is_none();
            let refused = Refused { lacks_permit, ..refused(denied.refusal, message) };
            return Err(refused.with_receipt(receipt.to_string()));
        }
    };

    // Durable before the act; or entered in the account, if everything speaks for it.
    let cleared = match gateway.recorder.decision(permitted, arrived).await {
        Ok(recorded) => Cleared::Recorded(recorded),
        Err(unrecorded) => Cleared::Accounted(
            gateway.recorder.account_for(*unrecorded).map_err(|_| Refused::not_recording())?,
        ),
    };
    Ok((cleared, handling))
}

fn refused(denial: Denial, message: String) -> Refused {
    match denial {
        Denial::Policy => Refused::new(403, "denied_by_policy", message),
        Denial::Analyser => Refused::new(503, "analyser_unavailable", message),
        Denial::Content => Refused::new(403, "content_blocked", message),
        Denial::Destination(NoDestination::Model) => Refused::new(404, "model_not_found", message),
        Denial::Destination(NoDestination::Tool) => Refused::new(404, "tool_not_found", message),
        Denial::Destination(NoDestination::Changed) => Refused::new(403, "definition_changed", message),
        Denial::Destination(NoDestination::Watched) => Refused::new(403, "denied_by_policy", message),
        Denial::Destination(NoDestination::Operation) => Refused::new(404, "operation_not_found", message),
        Denial::Destination(NoDestination::Key) => Refused::new(503, "upstream_not_configured", message),
    }
}
