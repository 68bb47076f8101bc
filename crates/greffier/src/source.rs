//! Where a read command reads: a running server, or the files of a data directory. Both answer alike, so that a
//! command need not know which it is.

mod contents;
mod files;

use std::path::Path;

use anyhow::Context;
use greffier_analysis::{Assessment, Summary};
use greffier_event::Tenant;
use greffier_query::FacetField;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use files::{Files, choose, exported, packed};

use crate::cli::{Activity, Findings, Span, Term, Where, Whom};
use crate::config::Config;
use crate::exit::Failure;
use crate::http::{Client, encoded};
use crate::output::Output;

/// Most events that are asked for at a time.
pub(crate) const PAGE: usize = 1_000;

/// Where to read.
pub(crate) enum Source {
    /// A running server.
    Server(Box<Server>),
    /// A data directory.
    Files(Files),
}

/// One trail of a running server.
pub(crate) struct Server {
    /// Asks.
    pub(crate) client: Client,
    /// Whose trail, if not that of the token's tenant.
    tenant: Option<Tenant>,
}

/// An event in native form, and its place on the trail.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hit {
    /// Its place.
    pub(crate) index: u64,
    /// The event.
    pub(crate) event: Value,
}

impl Hit {
    /// The event with its place, for tables.
    pub(crate) fn placed(mut self) -> Value {
        if let Some(fields) = self.event.as_object_mut() {
            fields.insert("index".to_owned(), Value::from(self.index));
        }
        self.event
    }
}

/// What is known of a session.
#[derive(Debug)]
pub(crate) struct Session {
    /// `inferred`, `totals` and `calls`, as the API says them.
    pub(crate) chain: Value,
    /// Its events, in order of time.
    pub(crate) hits: Vec<Hit>,
    /// Events that came later and are not here.
    pub(crate) left_out: u64,
}

/// Some events, newest first.
#[derive(Debug)]
pub(crate) struct Page {
    /// The events.
    pub(crate) hits: Vec<Hit>,
    /// What to ask for next; none at the end.
    pub(crate) next: Option<String>,
}

/// The answer to a statement.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    /// Names, in order.
    pub(crate) columns: Vec<String>,
    /// One object a row.
    pub(crate) rows: Vec<Value>,
    /// Whether there were more rows than are shown.
    #[serde(default)]
    pub(crate) truncated: bool,
}

/// What is counted of a search.
pub(crate) struct CountsAsked {
    /// By the values of a field.
    pub(crate) by: Option<FacetField>,
    /// Over time, in such steps.
    pub(crate) per: Option<String>,
    /// Most values.
    pub(crate) limit: usize,
}

impl Source {
    /// Opens what the command line names; without a word the configured data directory. `keys` opens contents.
    pub(crate) fn open(place: &Where, keys: Option<&Path>, named: Option<&Path>) -> anyhow::Result<Source> {
        if let Some(url) = &place.server {
            let client = Client::new(url, place.token_file.as_deref())?;
            return Ok(Source::Server(Box::new(Server { client, tenant: place.tenant.clone() })));
        }
        let data = match &place.data {
            Some(data) => data.clone(),
            None => Config::load(named)?.data,
        };
        Ok(Source::Files(Files::open(&data, place.tenant.clone(), keys)?))
    }

    /// Says if words are looked for in the texts of events alone, where contents might hold them, too. A server looks into
    /// the contents for whoever may read.
    pub(crate) fn note_contents(&self, search: &str, output: Output) {
        if let Source::Files(files) = self
            && files.leaves_contents(search)
        {
            output.note(
                "words are not looked for in contents: --keys opens them, and text:WORD leaves them out",
            );
        }
    }

    /// The newest events that a search finds, behind those of an earlier page.
    pub(crate) async fn newest(
        &self,
        search: &str,
        next: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<Page> {
        match self {
            Source::Server(server) => server.newest(search, next, limit).await,
            Source::Files(files) => files.newest(search, next, limit).await,
        }
    }

    /// How many events a search finds, as the API says it.
    pub(crate) async fn counts(&self, search: &str, asked: &CountsAsked) -> anyhow::Result<Value> {
        match self {
            Source::Server(server) => {
                let limit = asked.limit.to_string();
                let by = asked.by.map(|field| field.name());
                let query = server.query(&[
                    ("q", Some(search)),
                    ("by", by),
                    ("per", asked.per.as_deref()),
                    ("limit", Some(&limit)),
                ]);
                server.client.get("/api/v1/facets", &query).await
            }
            Source::Files(files) => files.counts(search, asked).await,
        }
    }

    /// The answer to a statement.
    pub(crate) async fn sql(&self, statement: &str) -> anyhow::Result<Answer> {
        match self {
            Source::Server(server) => {
                let body = serde_json::to_vec(&json!({ "query": statement }))?;
                let query = server.query(&[]);
                let answer = server.client.post("/api/v1/sql", &query, "application/json", body).await?;
                serde_json::from_value(answer).context("the server's answer is not one")
            }
            Source::Files(files) => files.sql(statement).await,
        }
    }

    /// A session: its calls as a tree, and its events with their contents where they may be shown.
    pub(crate) async fn session(&self, id: &str) -> anyhow::Result<Session> {
        match self {
            Source::Server(server) => {
                let path = format!("/api/v1/sessions/{}", encoded(id));
                let mut answer = server.client.get(&path, &server.query(&[])).await?;
                let hits = list(&mut answer, "events")?.into_iter().map(entry).collect::<Result<_, _>>()?;
                let left_out = answer.get("left_out").and_then(Value::as_u64).unwrap_or_default();
                Ok(Session { chain: answer, hits, left_out })
            }
            Source::Files(files) => files.session(id).await,
        }
    }

    /// What an agent, a user, a tool or all of a tenant did.
    pub(crate) async fn activity(&self, of: &Activity) -> anyhow::Result<Value> {
        match self {
            Source::Server(server) => {
                let query = server.query(&[
                    ("agent", of.agent.as_deref()),
                    ("user", of.user.as_deref()),
                    ("tool", of.tool.as_deref()),
                    ("since", of.span.since()),
                    ("until", of.span.until()),
                ]);
                server.client.get("/api/v1/activity", &query).await
            }
            Source::Files(files) => files.activity(of).await,
        }
    }

    /// What is unusual, whether witnesses vouched for the trails of late, and how far those have come who are told.
    pub(crate) async fn findings(&self, asked: &Findings) -> anyhow::Result<(Vec<Value>, Value, Vec<Value>)> {
        match self {
            Source::Server(server) => {
                let query = server.query(&[
                    ("agent", asked.agent.as_deref()),
                    ("user", asked.user.as_deref()),
                    ("since", asked.span.since()),
                    ("until", asked.span.until()),
                ]);
                let mut answer = server.client.get("/api/v1/findings", &query).await?;
                let anchoring = answer.get("anchoring").cloned().unwrap_or_default();
                let receivers =
                    answer.get("receivers").and_then(Value::as_array).cloned().unwrap_or_default();
                Ok((list(&mut answer, "findings")?, anchoring, receivers))
            }
            Source::Files(files) => {
                let (findings, anchoring) = files.findings(asked).await?;
                Ok((findings, anchoring, Vec::new()))
            }
        }
    }

    /// A report on a standard.
    pub(crate) async fn report(
        &self,
        standard: &str,
        term: &Term,
        whom: &Whom,
    ) -> anyhow::Result<Assessment> {
        match self {
            Source::Server(server) => {
                let path = format!("/api/v1/reports/{}", encoded(standard));
                let params = [&term.params()[..], &whom.params()[..]].concat();
                let answer = server.client.get(&path, &server.query(&params)).await?;
                serde_json::from_value(answer).context("the server's answer is not one")
            }
            Source::Files(files) => files.report(standard, term, whom).await,
        }
    }

    /// The first document's report.
    pub(crate) async fn summary(&self, term: &Term) -> anyhow::Result<Summary> {
        match self {
            Source::Server(server) => {
                let answer =
                    server.client.get("/api/v1/reports/summary", &server.query(&term.params())).await?;
                serde_json::from_value(answer).context("the server's answer is no report")
            }
            Source::Files(files) => Ok(files.summary(term).await?),
        }
    }

    /// Says something of a finding; the finding as it stands then.
    pub(crate) async fn judge(&self, id: &str, word: &str, reason: &str) -> anyhow::Result<Value> {
        let Source::Server(server) = self else {
            let failure = Failure::usage("what people say of findings is recorded by a running server");
            return Err(failure.hint("--server URL names it").into());
        };
        let body = serde_json::to_vec(&json!({ "reason": reason }))?;
        let path = format!("/api/v1/findings/{}/{word}", encoded(id));
        server.client.post(&path, &server.query(&[]), "application/json", body).await
    }

    /// Producers that number their events, and what is missing of them.
    pub(crate) async fn producers(&self, span: &Span) -> anyhow::Result<Vec<Value>> {
        match self {
            Source::Server(server) => {
                let query = server.query(&[("since", span.since()), ("until", span.until())]);
                let mut answer = server.client.get("/api/v1/producers", &query).await?;
                list(&mut answer, "producers")
            }
            Source::Files(files) => files.producers(span).await,
        }
    }
}

impl Server {
    /// The parameters that are there, and whose trail it is about.
    pub(crate) fn query<'a>(&'a self, params: &[(&'a str, Option<&'a str>)]) -> Vec<(&'a str, &'a str)> {
        let tenant = ("tenant", self.tenant.as_ref().map(Tenant::as_str));
        params.iter().chain([&tenant]).filter_map(|(name, value)| Some((*name, (*value)?))).collect()
    }

    /// The place of the newest entry, to go on behind it.
    pub(crate) async fn last(&self) -> anyhow::Result<Option<u64>> {
        Ok(self.newest("", None, 1).await?.hits.first().map(|hit| hit.index))
    }

    async fn newest(&self, search: &str, next: Option<&str>, limit: usize) -> anyhow::Result<Page> {
        let limit = limit.min(PAGE).to_string();
        let query = self.query(&[
            ("q", Some(search)),
            ("limit", Some(&limit)),
            ("cursor", next),
            ("receipts", Some("true")),
        ]);
        let answer = self.client.get("/api/v1/events", &query).await?;
        let next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
        Ok(Page { hits: hits(answer)?, next })
    }
}

/// The events of an answer with their places.
fn hits(mut answer: Value) -> anyhow::Result<Vec<Hit>> {
    let places = list(&mut answer, "receipts")?;
    let events = list(&mut answer, "events")?;
    anyhow::ensure!(places.len() == events.len(), "the server's answer is not one: places are missing");
    let hit = |(event, place): (Value, Value)| {
        let index = place.get("index").and_then(Value::as_u64).context("the server's answer is not one")?;
        Ok(Hit { index, event })
    };
    events.into_iter().zip(places).map(hit).collect()
}

/// An entry of an answer, with the contents in its parts.
fn entry(mut entry: Value) -> anyhow::Result<Hit> {
    let index = entry.get("index").and_then(Value::as_u64).context("the server's answer is not one")?;
    let mut event = entry.get_mut("event").map(Value::take).context("the server's answer is not one")?;
    let shown = entry.get_mut("parts").map(Value::take);
    let parts = event.get_mut("parts").and_then(Value::as_array_mut).into_iter().flatten();
    for (part, shown) in parts.zip(shown.as_ref().and_then(Value::as_array).into_iter().flatten()) {
        let kinds = contents::KINDS.iter().filter_map(|kind| Some((*kind, shown.get(*kind)?)));
        if let Some(part) = part.as_object_mut() {
            part.extend(kinds.map(|(kind, content)| (kind.to_owned(), content.clone())));
        }
    }
    Ok(Hit { index, event })
}

fn list(answer: &mut Value, name: &str) -> anyhow::Result<Vec<Value>> {
    match answer.get_mut(name).map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => anyhow::bail!("the server's answer is not one: it has no list `{name}`"),
    }
}

/// Runs a command that waits for others. One thread is enough: the engine has its own.
pub(crate) fn wait<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
