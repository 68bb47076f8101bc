//! Reading a data directory, beside a running server or without one. Whoever has the files reads without leaving
//! an event.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use greffier_analysis::{Assessment, STANDARDS, Summary};
use greffier_api::{
    Chain, Export, ExportError, ExportFormat, FacetsAnswer, HasKeys, OpenParts, PackMaker, PackMakingError,
    PackOrder, ReportError, ReportOrder, export_cursor, in_order_of_time,
};
use greffier_event::{Tenant, Timestamp};
use greffier_ledger::{Anchoring, KeyRing, ReadError, Reader, STALE_AFTER};
use greffier_query::{Asked, CountBy, Engine, Limits, Per, QueryError, Row, Search, Subject, Watch};
use serde_json::Value;

use super::contents::Contents;
use super::{Answer, CountsAsked, Hit, Page, Session};
use crate::cli::{Activity, Findings, Span, Term, Whom};
use crate::exit::{Exit, Failure};
use crate::when;

/// Longest time for one answer: a person waits, and may stop waiting.
const ANSWER: Duration = Duration::from_secs(600);
/// Entries whose contents are opened at once: memory holds those of so many.
const BATCH: usize = 32;

/// One trail of a data directory.
pub(crate) struct Files {
    engine: Engine,
    /// Whose.
    tenant: Tenant,
    keys: Option<Arc<KeyRing>>,
    now: Timestamp,
}

impl Files {
    /// Opens the trail of `tenant`, or of the only tenant there is.
    pub(crate) fn open(dir: &Path, tenant: Option<Tenant>, keys: Option<&Path>) -> anyhow::Result<Files> {
        let reader = Reader::open(dir).map_err(|error| match error {
            ReadError::NotALedger(_) => Failure::new("not_found", error.to_string())
                .exit(Exit::NotFound)
                .hint("`greffier serve` makes one; --data names another, --server asks a running server")
                .into(),
            error => anyhow::Error::from(error),
        })?;
        let keys = keys.map(KeyRing::open).transpose()?.map(Arc::new);
        let tenant = choose(tenant, reader.trails()?.into_iter().map(|(tenant, _)| tenant).collect())?;
        let limits = Limits { concurrent: 1, time: ANSWER, ..Limits::default() };
        let mut engine = Engine::new(reader, limits)?;
        if let Some(keys) = keys.clone() {
            engine = engine.opening(Arc::new(move |found| found.open_parts(&keys)));
        }
        Ok(Files { engine, tenant, keys, now: when::now() })
    }

    /// Whose trail it is.
    pub(crate) fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// A search, as the engine has it. With keys people and subjects are found under their references, too.
    pub(crate) fn search(&self, text: &str) -> anyhow::Result<Search> {
        let search = Search::parse(text, self.now).map_err(|error| failure(error.into()))?;
        match (&self.keys, search.named_subject()) {
            (Some(keys), _) => {
                Ok(search.referring(|kind, name| Some(keys.reference(&self.tenant, kind, name))))
            }
            (None, Some(subject)) => Err(by_keys_only(subject).into()),
            (None, None) => Ok(search),
        }
    }

    /// Whether a search has words that are not looked for in contents, without keys; one that needs them is refused.
    pub(crate) fn leaves_contents(&self, search: &str) -> bool {
        let leaves = |search: &Search| self.engine.looks_into_contents(search) == Some(false);
        Search::parse(search, self.now).is_ok_and(|search| leaves(&search) && !search.needs_contents())
    }

    /// The newest events that a search finds.
    pub(crate) async fn newest(
        &self,
        search: &str,
        next: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<Page> {
        let search = self.search(search)?;
        let before = next.map(str::parse).transpose()?;
        let page = self.engine.newest(&self.tenant, &search, before, limit).await.map_err(failure)?;
        let next = page.next.map(|next| next.to_string());
        Ok(Page { hits: page.rows.iter().map(hit).collect::<Result<_, _>>()?, next })
    }

    /// How many events a search finds.
    pub(crate) async fn counts(&self, search: &str, asked: &CountsAsked) -> anyhow::Result<Value> {
        let per = asked.per.as_deref().and_then(Per::parse);
        let by = CountBy { fields: asked.by.into_iter().collect(), limit: asked.limit, per };
        let search = self.search(search)?;
        let counts = self.engine.counts(&self.tenant, &search, &by).await.map_err(failure)?;
        let looked = self.engine.looks_into_contents(&search);
        Ok(serde_json::to_value(FacetsAnswer::new(counts, per.is_some(), looked))?)
    }

    /// The place of the newest entry; none of an empty trail.
    pub(crate) async fn last(&self) -> anyhow::Result<Option<u64>> {
        let page = self.engine.newest(&self.tenant, &Search::default(), None, 1).await.map_err(failure)?;
        Ok(page.size.checked_sub(1))
    }

    /// What a search finds behind an entry, oldest first, and how far it looked.
    pub(crate) async fn behind(
        &self,
        search: &Search,
        after: Option<u64>,
        limit: usize,
    ) -> anyhow::Result<(Vec<Hit>, Option<u64>)> {
        let page = self.engine.oldest(&self.tenant, search, after, limit).await.map_err(failure)?;
        let hits = page.rows.iter().map(hit).collect::<Result<_, _>>()?;
        Ok((hits, page.next.or(page.size.checked_sub(1)).max(after)))
    }

    /// All that a search finds, oldest first, as lines of a form.
    pub(crate) async fn export(
        &self,
        search: &str,
        format: ExportFormat,
        open: Option<OpenParts>,
        after: Option<&str>,
    ) -> anyhow::Result<Export> {
        let after = match after {
            Some(cursor) => {
                let end = export_cursor::read(&self.tenant, search, format, cursor);
                end.ok_or_else(bad_cursor)?.checked_sub(1)
            }
            None => None,
        };
        let search = self.search(search)?;
        let (engine, trail) = (self.engine.clone(), self.tenant.clone());
        exported(Export::begin(engine, trail, search, format, open, after).await)
    }

    /// The cursor behind which the next export goes on.
    pub(crate) fn cursor(&self, search: &str, format: ExportFormat, end: u64) -> String {
        export_cursor::write(&self.tenant, search, format, end)
    }

    /// An evidence pack of what a search finds.
    pub(crate) async fn pack(
        &self,
        trail: Tenant,
        order: PackOrder,
        keys: Option<Arc<dyn HasKeys>>,
    ) -> anyhow::Result<PackMaker> {
        let (engine, search) = (self.engine.clone(), self.search(&order.asked)?);
        packed(PackMaker::begin(engine, trail, search, order, keys, self.now).await)
    }

    /// The answer to a statement.
    pub(crate) async fn sql(&self, statement: &str) -> anyhow::Result<Answer> {
        let table = self.engine.sql(&self.tenant, statement).await.map_err(failure)?;
        let rows = table.rows().map_err(failure)?.into_iter().map(Value::Object).collect();
        Ok(Answer { columns: table.columns(), rows, truncated: table.truncated })
    }

    /// A session with its events.
    pub(crate) async fn session(&self, id: &str) -> anyhow::Result<Session> {
        let rows = self.engine.session(&self.tenant, id).await.map_err(failure)?;
        if rows.is_empty() {
            let message = format!("no session `{id}` on the trail of {}", self.tenant);
            return Err(Failure::new("not_found", message).exit(Exit::NotFound).into());
        }
        let left_out = self.engine.left_out(&self.tenant, id, rows.len()).await.map_err(failure)?;
        let rows = in_order_of_time(rows)?;
        let mut hits = rows.iter().map(hit).collect::<anyhow::Result<Vec<_>>>()?;
        for hits in hits.chunks_mut(BATCH) {
            let indexes: Vec<u64> = hits.iter().map(|hit| hit.index).collect();
            let contents = self.contents(&indexes)?;
            hits.iter_mut().for_each(|hit| hit.show(contents.get(&hit.index)));
        }
        let typed = rows.iter().map(|row| Ok((row.index, row.event()?)));
        let typed = typed.collect::<Result<Vec<_>, greffier_event::InvalidEvent>>()?;
        Ok(Session { chain: serde_json::to_value(Chain::of(&typed))?, hits, left_out })
    }

    /// What an agent, a user, a tool or all of a tenant did.
    pub(crate) async fn activity(&self, of: &Activity) -> anyhow::Result<Value> {
        let (since, until) = self.span(&of.span)?;
        let subject = match of {
            Activity { agent: Some(id), .. } => Subject::Agent(id.clone()),
            Activity { user: Some(sub), .. } => Subject::User(sub.clone()),
            Activity { tool: Some(name), .. } => Subject::Tool(name.clone()),
            _ => Subject::Tenant(self.tenant.to_string()),
        };
        let activity = self.engine.activity(&self.tenant, subject, since, until).await.map_err(failure)?;
        let mut activity = serde_json::to_value(activity)?;
        if let Some(fields) = activity.as_object_mut() {
            fields.insert("anchoring".to_owned(), serde_json::to_value(self.anchoring()?)?);
        }
        Ok(activity)
    }

    /// Whether witnesses vouched for the trails of late.
    fn anchoring(&self) -> anyhow::Result<Anchoring> {
        let now = u64::try_from(self.now.as_micros() / 1_000_000).unwrap_or(0);
        Ok(self.engine.reader().anchoring(None, now, STALE_AFTER)?)
    }

    /// What is unusual.
    pub(crate) async fn findings(&self, asked: &Findings) -> anyhow::Result<(Vec<Value>, Value)> {
        let (since, until) = self.span(&asked.span)?;
        let asked = Asked { agent: asked.agent.clone(), user: asked.user.clone(), since, until };
        let watch = Watch::new(self.engine.clone());
        let looked = watch.findings(&self.tenant, &asked).await.map_err(failure)?;
        let findings = looked.findings.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        Ok((findings, serde_json::to_value(self.anchoring()?)?))
    }

    /// A report on a standard. Whoever has the files reads the node's trail as well.
    pub(crate) async fn report(
        &self,
        standard: &str,
        term: &Term,
        whom: &Whom,
    ) -> anyhow::Result<Assessment> {
        let (user, subject) = (whom.user.as_deref(), whom.subject.as_deref());
        let person =
            greffier_api::person(self.keys.as_deref(), &self.tenant, user, subject).map_err(reported)?;
        let order = ReportOrder::new(standard, &term.from, &term.to, term.tz.as_deref())
            .and_then(|order| order.about(person))
            .map_err(reported)?;
        let anchoring = self.anchoring()?;
        let made = greffier_api::assess(&self.engine, &order, &self.tenant, true, &anchoring, self.now);
        Ok(made.await.map_err(reported)?)
    }

    /// The first document's report.
    pub(crate) async fn summary(&self, term: &Term) -> Result<Summary, Failure> {
        let (period, zone) =
            greffier_api::period(&term.from, &term.to, term.tz.as_deref()).map_err(reported)?;
        let summary = greffier_api::summary(&self.engine, &self.tenant, period, &zone, self.now);
        summary.await.map_err(failure)
    }

    /// Producers that number their events, and what is missing of them.
    pub(crate) async fn producers(&self, span: &Span) -> anyhow::Result<Vec<Value>> {
        let (since, until) = self.span(span)?;
        let producers = self.engine.producers(&self.tenant, since, until).await.map_err(failure)?;
        Ok(producers.iter().map(serde_json::to_value).collect::<Result<_, _>>()?)
    }

    /// The contents of entries by index; without keys of none.
    pub(crate) fn contents(&self, indexes: &[u64]) -> anyhow::Result<HashMap<u64, Contents>> {
        let Some(keys) = &self.keys else { return Ok(HashMap::new()) };
        let found = self.engine.reader().entries(&self.tenant, indexes)?;
        found.iter().map(|found| Ok((found.index, Contents::open(found, keys)?))).collect()
    }

    fn span(&self, span: &Span) -> anyhow::Result<(Option<Timestamp>, Option<Timestamp>)> {
        let time = |text: Option<&str>| text.map(|text| when::parse(text, self.now)).transpose();
        let wrong = Failure::usage;
        Ok((time(span.since()).map_err(wrong)?, time(span.until()).map_err(wrong)?))
    }
}

/// The trail that was named, or the only one there is. The node's own counts where there is no other.
pub(crate) fn choose(named: Option<Tenant>, mut trails: Vec<Tenant>) -> Result<Tenant, Failure> {
    let list = |trails: &[Tenant]| trails.iter().map(Tenant::as_str).collect::<Vec<_>>().join(", ");
    if let Some(named) = named {
        if trails.contains(&named) {
            return Ok(named);
        }
        let failure =
            Failure::new("not_found", format!("there is no trail of `{named}`")).exit(Exit::NotFound);
        return Err(if trails.is_empty() {
            failure
        } else {
            failure.hint(format!("there are {}", list(&trails)))
        });
    }
    if trails.len() > 1 {
        trails.retain(|trail| !trail.is_node());
    }
    match trails.as_slice() {
        [] => Ok(Tenant::node()),
        [only] => Ok(only.clone()),
        several => {
            let failure = Failure::usage("there are several trails: --tenant says which one");
            Err(failure.hint(list(several)))
        }
    }
}

fn hit(row: &Row) -> anyhow::Result<Hit> {
    let event = serde_json::from_slice(&row.entry).with_context(|| format!("in entry {}", row.index))?;
    Ok(Hit { index: row.index, event })
}

fn bad_cursor() -> Failure {
    Failure::usage("--after is no cursor of this trail, search and format")
        .hint("go on with the same query and --format, or begin anew without it")
}

/// What an export says, or why it broke off, as this process says it.
pub(crate) fn exported<T>(said: Result<T, ExportError>) -> anyhow::Result<T> {
    said.map_err(|error| match error {
        ExportError::Query(error) => failure(error).into(),
        ExportError::CursorAhead { .. } => Failure::new("cursor_ahead", error.to_string()).into(),
        error => error.into(),
    })
}

/// What the making of a pack says, or why it broke off, as this process says it.
pub(crate) fn packed<T>(said: Result<T, PackMakingError>) -> anyhow::Result<T> {
    said.map_err(|error| match error {
        PackMakingError::Query(error) => failure(error).into(),
        PackMakingError::Range { .. } | PackMakingError::Expired { .. } => {
            Failure::usage(error.to_string()).into()
        }
        error => error.into(),
    })
}

/// A report that cannot be made, as this process says it.
fn reported(error: ReportError) -> Failure {
    match error {
        ReportError::Query(error) => failure(error),
        ReportError::Period(message) => Failure::usage(message),
        ReportError::Person(message) => Failure::usage(message),
        ReportError::Standard(_) => {
            let known: Vec<&str> = STANDARDS.iter().map(|standard| standard.name).collect();
            Failure::usage(error.to_string()).hint(format!("{}, summary", known.join(", ")))
        }
        ReportError::NoCheckpoint(_) => Failure::new("no_checkpoint", error.to_string()).exit(Exit::NotFound),
        error => Failure::new("read", error.to_string()),
    }
}

/// Nothing would be found, and that would look like an answer.
fn by_keys_only(subject: &str) -> Failure {
    Failure::usage(format!(
        "the subject `{subject}` is found with the keys only: the trail has its reference"
    ))
    .hint("give --keys, ask a running server, or name the reference (ref:…)")
}

/// A question that was not answered, as this process says it.
pub(crate) fn failure(error: QueryError) -> Failure {
    let failure = Failure::new(error.code(), error.to_string());
    match error {
        QueryError::Search(error) => {
            Failure::new(failure.code, error.message).exit(Exit::Usage).at(Some(error.at))
        }
        QueryError::SqlSyntax(_) | QueryError::SqlRefused(_) => failure.exit(Exit::Usage),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_trail_there_is() {
        let check = |named: &str, trails: &[&str]| {
            let tenant = |name: &str| Tenant::new(name).unwrap();
            let named = (!named.is_empty()).then(|| tenant(named));
            match choose(named, trails.iter().map(|name| tenant(name)).collect()) {
                Ok(tenant) => tenant.to_string(),
                Err(failure) => {
                    format!("{:?}: {} ({})", failure.exit, failure.message, failure.hint.unwrap_or_default())
                }
            }
        };
        assert_eq!(check("", &[]), "greffier");
        assert_eq!(check("", &["greffier"]), "greffier");
        assert_eq!(check("", &["acme", "greffier"]), "acme");
        assert_eq!(check("greffier", &["acme", "greffier"]), "greffier");
        insta::assert_snapshot!(check("", &["acme", "beta", "greffier"]), @"Usage: there are several trails: --tenant says which one (acme, beta)");
        insta::assert_snapshot!(check("gamma", &["acme", "greffier"]), @"NotFound: there is no trail of `gamma` (there are acme, greffier)");
    }
}
