//! Subject access: everything that is held about one user or subject, one event a line, with its contents.

use std::ops::ControlFlow;

use bytes::Bytes;
use greffier_ledger::{Eraser, Reader, Target};
use greffier_policy::AdminAction;
use http::{HeaderValue, Response, header};
use serde_json::json;

use crate::admit::Wish;
use crate::api::{Api, Request};
use crate::erasures::Named;
use crate::parts::{self, Contents};
use crate::refuse::Refused;
use crate::respond::{self, NDJSON, Place};
use crate::visit::{Body, Pieces, streamed};

/// Entries whose contents are in memory together: each has 32 MiB at most, and nearly all far less.
const BATCH: usize = 16;

/// `GET /api/v1/subjects?user=` or `?subject=`.
pub(crate) async fn subjects(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let (eraser, caller) = (api.eraser()?.clone(), request.caller()?);
    let tenant = caller.tenant.clone();
    let named = match (request.params.text("user"), request.params.text("subject")) {
        (Some(user), None) => Named::User(user.to_owned()),
        (None, Some(subject)) => Named::Subject(subject.to_owned()),
        _ => return Err(Refused::bad_parameter("one of `user` and `subject` is needed")),
    };
    let target = api.target(&eraser, &tenant, &named)?;
    let permit = api.exports.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Refused::new(503, "busy", "too many exports are under way"))?;
    let wish = Wish {
        action: AdminAction::ReadTrail,
        name: "subject:access",
        place: crate::erasures::in_trail(&target.uri(&tenant), &tenant),
        asked: None,
    };
    let admitted = api.admit(&request.visit, caller, None, wish).await?;
    let (pieces, body) = streamed();
    let (reader, appender) = (api.engine.reader().clone(), api.appender.clone());
    tokio::task::spawn_blocking(move || {
        let lines = Lines { reader, keys: &appender, tenant, pieces };
        if let Err(error) = lines.write(&eraser, &target) {
            tracing::error!(%error, "a subject access request broke off");
            let _ = lines.pieces.blocking_send(Err(std::io::Error::other("the answer broke off")));
        }
        drop(permit);
    });
    let mut response = respond::typed(NDJSON, body);
    let file = HeaderValue::from_static("attachment; filename=\"subject.jsonl\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, file);
    respond::mark(response.headers_mut(), &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

struct Lines<'a> {
    reader: Reader,
    keys: &'a greffier_ledger::Appender,
    tenant: greffier_event::Tenant,
    pieces: Pieces,
}

impl Lines<'_> {
    fn write(&self, eraser: &Eraser, target: &Target) -> Result<(), greffier_ledger::EraseError> {
        let mut batch: Vec<u64> = Vec::with_capacity(BATCH);
        let mut failed = None;
        eraser.about(&self.tenant, target, |index| {
            batch.push(index);
            if batch.len() < BATCH {
                return ControlFlow::Continue(());
            }
            self.flush(&mut batch).unwrap_or_else(|error| {
                failed = Some(error);
                ControlFlow::Break(())
            })
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let _ = self.flush(&mut batch)?;
        Ok(())
    }

    /// Writes the events of a batch; a caller that went away wants no more.
    fn flush(&self, batch: &mut Vec<u64>) -> Result<ControlFlow<()>, greffier_ledger::ReadError> {
        let mut text = String::new();
        for found in self.reader.entries(&self.tenant, batch)? {
            let event = found.event()?;
            let shown = parts::shown(&event, Contents::of(&found, self.keys.keys())?);
            let line = json!({
                "index": found.index,
                "receipt": Place::of(&self.tenant, found.index, &found.entry).receipt,
                "event": event, "parts": shown,
            });
            text.push_str(&line.to_string());
            text.push('\n');
        }
        batch.clear();
        if text.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let gone = self.pieces.blocking_send(Ok(Bytes::from(text))).is_err();
        Ok(if gone { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}
