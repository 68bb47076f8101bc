//! What a server asks of its client: a call the other way round, decided and on record before the client sees it.
//!
//! Up to 2025-11-25 it is a request of the server's, answered by a response. From 2026-07-28 on it is part of a result:
//! the answer comes with the next call, whose parameters hold it.

use std::time::Instant;

use greffier_event::{Call, OutcomeStatus, SessionLink};

use super::{Passage, outcome, without_result};
use crate::adapt::view::{View, splice};
use crate::handling::Handling;
use crate::mcp::{ask, upstream};
use crate::pipeline;
use crate::record::Open;
use crate::refuse::Refused;
use crate::route::Destination;
use crate::settings::Secret;

/// Questions in one result.
const MAX_INPUTS: usize = 16;

impl Passage {
    /// Decides and records a question; what the client may see of it, and the record that waits for the answer. A refusal
    /// comes with the question's own id.
    pub(super) async fn clear_asked(
        &self,
        method: &str,
        params: Option<&str>,
    ) -> Result<(Option<String>, Open, Handling), (Refused, String)> {
        let gateway = &self.gateway;
        let request_id = gateway.clock.request_id();
        let asked = ask::by_server(&self.server.name, method);
        let mut resource = asked.resource;
        resource.classification.clone_from(&self.server.classification);
        let call = Call {
            request_id: request_id.clone(),
            time: gateway.clock.now(),
            action: asked.action,
            resource,
            target: asked.target,
            session_id: self.key.id().map(str::to_owned),
            session_link: self.key.id().map(|_| SessionLink::Mcp),
            trace: None,
            source: self.origin.clone(),
            contents: params.map(crate::mcp::params).into_iter().collect(),
        };
        let who = pipeline::Caller { principal: self.principal.clone(), token: Secret::default() };
        let clearing = pipeline::clear(gateway, who, call, Ok(Destination::Mcp), &[], Instant::now());
        // Boxed: it is the whole way of a call within another's.
        match Box::pin(clearing).await {
            Ok((cleared, handling)) => {
                let (params, open) = upstream::hand_over(cleared);
                Ok((params, open, handling))
            }
            Err(refused) => Err((refused, request_id)),
        }
    }

    /// The questions within a result, each decided and recorded; the first that is refused refuses them all. The result
    /// comes back with what the client may see of them.
    pub(super) async fn inputs(&self, text: &str) -> Result<String, Refused> {
        let unchanged = || Ok(text.to_owned());
        let Ok(result) = View::parse(text) else { return unchanged() };
        let kind = result.get("resultType").and_then(View::string);
        let Some(requests) = result.get("inputRequests") else { return unchanged() };
        if kind.as_deref() != Some("input_required") {
            return unchanged();
        }
        let requests = requests.entries();
        if requests.len() > MAX_INPUTS {
            return Err(Refused::new(502, "reply_unreadable", "the server asks for too much at once"));
        }
        let mut edits = Vec::new();
        for (_, request) in requests {
            let method = request.get("method").and_then(View::string).unwrap_or_default();
            let params = request.get("params").filter(|params| params.is_object()).map(View::text);
            let (visible, open, _) =
                self.clear_asked(&method, params).await.map_err(|(refused, _)| refused)?;
            // Handed over is all that can be said of it: its answer is in the parameters of the call that follows.
            let ended = without_result(outcome(OutcomeStatus::Success, None, None), Vec::new());
            let closed = Box::pin(self.gateway.recorder.outcome(open, ended)).await;
            closed.map_err(|_| Refused::outcome_unrecorded())?;
            if let (Some(params), Some(visible)) = (request.get("params"), visible) {
                edits.push((params.span_in(text), visible));
            }
        }
        Ok(splice(text, edits.iter().map(|(place, visible)| (place.clone(), visible.as_str()))))
    }
}
