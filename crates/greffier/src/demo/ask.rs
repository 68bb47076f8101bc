//! One organisation's trail, as the demo's answers ask it: through the query engine, as every reader does.

use std::collections::BTreeMap;

use anyhow::Context;
use greffier_event::{Event, EventType, Tenant, Timestamp};
use greffier_ledger::KeyRing;
use greffier_query::{Engine, Row, Search};
use serde_json::{Map, Value};

/// Events of one answer: far more than the demo's week has, and a bound all the same.
const MOST: usize = 1_000;

/// A trail to ask.
pub(super) struct Trail<'a> {
    pub(super) engine: &'a Engine,
    /// Opens parts: an answer may name people.
    pub(super) keys: &'a KeyRing,
    pub(super) tenant: Tenant,
    pub(super) now: Timestamp,
}

/// The two events of one call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) decision: Event,
    /// Where the decision stands on the trail.
    pub(super) index: u64,
    /// None of a denied call: the denial is its outcome.
    pub(super) outcome: Option<Event>,
}

impl Trail<'_> {
    /// What a search finds, oldest first.
    pub(super) async fn search(&self, text: &str) -> anyhow::Result<Vec<Row>> {
        let search = Search::parse(text, self.now)?;
        let page = self.engine.oldest(&self.tenant, &search, None, MOST).await?;
        anyhow::ensure!(page.next.is_none(), "the search finds more than {MOST} events");
        Ok(page.rows)
    }

    /// How many events a search finds.
    pub(super) async fn count(&self, text: &str) -> anyhow::Result<u64> {
        Ok(self.engine.count(&self.tenant, &Search::parse(text, self.now)?).await?)
    }

    /// The rows of a query.
    pub(super) async fn sql(&self, text: &str) -> anyhow::Result<Vec<Map<String, Value>>> {
        Ok(self.engine.sql(&self.tenant, text).await?.rows()?)
    }

    /// The calls of a session, in the order of their decisions.
    pub(super) async fn session(&self, session: &str) -> anyhow::Result<Vec<Call>> {
        let rows = self.engine.session(&self.tenant, session).await?;
        calls(&rows)
    }

    /// All calls of the trail.
    pub(super) async fn calls(&self) -> anyhow::Result<Vec<Call>> {
        calls(&self.search("type:action.approved,action.denied,action.executed,action.failed").await?)
    }

    /// One call, whole.
    pub(super) async fn call(&self, request_id: &str) -> anyhow::Result<Call> {
        let rows = self.engine.call(&self.tenant, request_id).await?;
        calls(&rows)?.pop().context("the trail does not have the call")
    }

    /// A part of an event, as text.
    pub(super) async fn part(&self, index: u64, name: &str) -> anyhow::Result<Option<String>> {
        let reader = self.engine.reader().clone();
        let tenant = self.tenant.clone();
        let found = tokio::task::spawn_blocking(move || reader.entries(&tenant, &[index])).await??;
        let found = found.first().context("the trail does not have the event")?;
        let parts = found.open_parts(self.keys)?;
        let part = parts.into_iter().find(|part| part.name == name);
        Ok(part.map(|part| String::from_utf8_lossy(&part.content).into_owned()))
    }
}

/// Joins decisions and outcomes, in the order of the decisions.
fn calls(rows: &[Row]) -> anyhow::Result<Vec<Call>> {
    let mut calls: Vec<Call> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        let event = row.event()?;
        let Some(request_id) = event.request_id.clone() else { continue };
        match (event.kind, places.get(&request_id).and_then(|place| calls.get_mut(*place))) {
            (EventType::ActionApproved | EventType::ActionDenied, None) => {
                places.insert(request_id, calls.len());
                calls.push(Call { decision: event, index: row.index, outcome: None });
            }
            (_, Some(call)) => call.outcome = Some(event),
            _ => {}
        }
    }
    Ok(calls)
}
