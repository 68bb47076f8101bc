//! The way of one call, top to bottom. No record, no act.
//!
//! Values only: each step takes what the one before made, and none calls back upward. A step cannot be left out:
//! `forward` takes a `Cleared<Permitted<Redacted<Call>>>`, and each layer of that type is made by one step; cleared is
//! what is recorded, and where the configuration lets calls of its class go on unrecorded, what is accounted for.

use std::sync::Arc;
use std::time::Instant;

use http::Response;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::body::Body;
use crate::decide::{Denial, decide};
use crate::forward::forward;
use crate::gateway::Gateway;
use crate::http_client;
use crate::inspect::inspect;
use crate::read::{Head, ReadCall, read};
use crate::refuse::{self, Refused};
use crate::reply::{Reply, reply};
use crate::route::{NoDestination, destination};
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
    // Boxed: the steps' state is some 18 KiB, and a task should not carry it twice.
    match Box::pin(steps(&gateway, head, &mut body, &request_id, &gone)).await {
        Ok(response) => {
            gateway.metrics.answered(protocol, response.status().as_u16(), "ok");
            response
        }
        Err(refused) => {
            // A request that is no call leaves its event, too, if anybody vouches for its sender.
            let refused = gateway.malformed.note(refused, protocol, &request_id, gateway.clock.now()).await;
            gateway.metrics.answered(protocol, refused.status, refused.code);
            tokio::spawn(http_client::drain(body));
            refuse::response(wire, &refused, &request_id)
        }
    }
}

async fn steps(
    gateway: &Arc<Gateway>,
    head: Head,
    body: &mut Incoming,
    request_id: &str,
    gone: &CancellationToken,
) -> Result<Response<Body>, Refused> {
    let (arrived, now) = (Instant::now(), gateway.clock.now());

    // First of all: while nothing can be written down, nothing is even looked at, but for what may go on unrecorded.
    gateway.may_govern(&head.route).map_err(|_| Refused::not_recording())?;

    // Before the body is read: a stranger must not make us hold 32 MiB.
    let protocol = head.route.protocol();
    let (principal, token) = gateway.identify(&head.headers, head.peer, protocol, request_id, now).await?;

    // The request becomes a call: what is asked, of what, with which content.
    let bytes = http_client::read_body(body, gateway.limits.body, gateway.limits.body_idle_timeout)
        .await
        .map_err(|error| Refused::from(error).sent_by(&principal))?;
    let ReadCall { call, chat } = read(&head, bytes, request_id, &gateway.node, &gateway.tools, now)
        .map_err(|refused| refused.sent_by(&principal))?;

    // Where it would go. Its absence is a denial like any other, decided and recorded below.
    let destination =
        destination(&head.route, &head.method, &call.target, &gateway.upstreams, &gateway.tools);

    // Inspected once: findings for the decision, one form to forward and one to record.
    let handling = gateway.handling(&principal.tenant, &call.target);
    let (inspector, unanswered) = gateway.analysed(&call).await;
    let redacted = inspect(&inspector, call, &handling, &token, unanswered)
        .map_err(|error| Refused::bad_request(error.to_string()).sent_by(&principal))?;

    // Policy and content safety decide, over the findings.
    let permitted = match decide(&gateway.policies.load(), principal, redacted, destination) {
        Ok(permitted) => permitted,
        Err(denied) => {
            // A denial is recorded too, and ends here.
            let receipt = gateway.recorder.denial(&denied).await.map_err(|_| Refused::not_recording())?;
            let message = denied.verdict.decision.reasons.join("; ");
            return Err(refused(denied.refusal, message).with_receipt(receipt.to_string()));
        }
    };

    // Durable before the act; or entered in the account, if everything speaks for it. Only what comes back from here
    // can be forwarded.
    let cleared = match gateway.recorder.decision(permitted, arrived).await {
        Ok(recorded) => Cleared::Recorded(recorded),
        Err(unrecorded) => Cleared::Accounted(
            gateway.recorder.account_for(*unrecorded).map_err(|_| Refused::not_recording())?,
        ),
    };
    let receipt = cleared.receipt();

    // The act: a new request with the upstream's own credential.
    let exchange = forward(&gateway.upstreams, cleared, &head.route, &head.method, chat.as_ref(), gone).await;

    // The reply ends only when its outcome is durable.
    let request_id = request_id.to_owned();
    let context = Reply { route: head.route, chat, request_id, receipt: receipt.clone(), handling };
    reply(gateway, context, exchange, gone).await.map_err(|refused| refused.with_receipt(receipt))
}

fn refused(denial: Denial, message: String) -> Refused {
    match denial {
        Denial::Policy => Refused::new(403, "denied_by_policy", message),
        Denial::Analyser => Refused::new(503, "analyser_unavailable", message),
        Denial::Content => Refused::new(403, "content_blocked", message),
        Denial::Destination(NoDestination::Model) => Refused::new(404, "model_not_found", message),
        Denial::Destination(NoDestination::Tool) => Refused::new(404, "tool_not_found", message),
        Denial::Destination(NoDestination::Operation) => Refused::new(404, "operation_not_found", message),
        Denial::Destination(NoDestination::Key) => Refused::new(503, "upstream_not_configured", message),
    }
}
