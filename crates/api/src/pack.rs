//! Evidence packs of what a search finds: the engine says which entries, the ledger packs them with their proofs.
//!
//! A pack covers the trail as of its checkpoint, holds a page of entries at a time, and the caller sets the pace.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use greffier_analysis::{Assessment, html};
use greffier_event::{Tenant, Timestamp};
use greffier_ledger::pack::{About, PackFile, Packer, PackingError, ShownParts, ZipError, ZipWriter};
use greffier_ledger::{Appender, KeyRing};
use greffier_policy::AdminAction;
use greffier_query::{Engine, QueryError, Search};
use http::{HeaderValue, Response, header};
use tokio::time::Instant;

use crate::admit::Wish;
use crate::api::{Api, Request};
use crate::params::Params;
use crate::refuse::Refused;
use crate::report;
use crate::respond::{self, ZIP};
use crate::visit::{Body, streamed};

/// Entries per page.
const PAGE: usize = 256;
/// Entries whose contents are in memory at once.
const BATCH: usize = 16;
/// How long a pack waits for a busy engine, and how often it asks.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);
/// Names of parts that one pack can choose.
const MAX_NAMES: usize = 64;

/// Of which entries a pack leaves nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PackRange {
    /// Of none: it holds what was found.
    #[default]
    Found,
    /// From the first that was found to the last.
    Whole,
    /// These.
    Of(Range<u64>),
}

impl PackRange {
    /// Reads `first-last`.
    pub fn parse(text: &str) -> Option<PackRange> {
        let (first, last) = text.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        Some(PackRange::Of(first..last.checked_add(1)?)).filter(|_| first <= last)
    }
}

/// What a pack is to hold.
#[derive(Clone, Debug, Default)]
pub struct PackOrder {
    /// What was asked, word for word.
    pub asked: String,
    /// The parts that are shown.
    pub parts: ShownParts,
    /// Of which entries nothing is left out.
    pub range: PackRange,
    /// Whether entries that were not found, and complete the range, are there in full or as leaf hashes.
    pub in_full: bool,
    /// The trust policy to put in; the node's own by default.
    pub trust: Option<String>,
    /// The report that the pack goes with, and whose samples it holds.
    pub report: Option<Assessment>,
}

impl PackOrder {
    /// The pack that goes with a report: its samples and exceptions on one of its trails, with their proofs.
    pub fn of_report(report: Assessment, trail: &Tenant, parts: ShownParts) -> PackOrder {
        let ids = report.sampled(trail.as_str());
        // An id that no event has: a report without samples has a pack without entries.
        let asked = if ids.is_empty() {
            format!("id:{}", uuid::Uuid::nil())
        } else {
            format!("id:{}", ids.join(","))
        };
        PackOrder { asked, parts, report: Some(report), ..PackOrder::default() }
    }
}

/// Who has the keys that open contents.
pub trait HasKeys: Send + Sync {
    /// The keys.
    fn keys(&self) -> &KeyRing;
}

impl HasKeys for Appender {
    fn keys(&self) -> &KeyRing {
        Appender::keys(self)
    }
}

impl HasKeys for KeyRing {
    fn keys(&self) -> &KeyRing {
        self
    }
}

/// Why a pack cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PackMakingError {
    /// The engine did not answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The trail cannot be read, or the pack is too large.
    #[error(transparent)]
    Packing(#[from] PackingError),
    /// The range is not, or not wholly, on the trail.
    #[error("the checkpoint covers the entries before {size}: the range must end there")]
    Range {
        /// Entries that it covers.
        size: u64,
    },
    /// The range begins with entries that are kept no longer.
    #[error("the trail is kept from entry {first} on: the range must begin there")]
    Expired {
        /// The first entry that there is.
        first: u64,
    },
    /// A thread ended early.
    #[error("a thread ended early")]
    Thread,
}

impl From<ZipError> for PackMakingError {
    fn from(error: ZipError) -> PackMakingError {
        PackMakingError::Packing(error.into())
    }
}

impl From<greffier_ledger::ReadError> for PackMakingError {
    fn from(error: greffier_ledger::ReadError) -> PackMakingError {
        PackMakingError::Packing(error.into())
    }
}

/// A pack that is being made.
pub struct PackMaker {
    engine: Engine,
    trail: Tenant,
    search: Search,
    order: PackOrder,
    keys: Option<Arc<dyn HasKeys>>,
    now: Timestamp,
    /// Not there while a page is packed.
    packer: Option<Packer>,
    /// The entries that were found, from the first to behind the last.
    found: Option<Range<u64>>,
    ahead: Ahead,
}

enum Ahead {
    After(Option<u64>),
    Last,
    End,
}

impl PackMaker {
    /// Begins: what fails here, fails before the first byte.
    pub async fn begin(
        engine: Engine,
        trail: Tenant,
        search: Search,
        order: PackOrder,
        keys: Option<Arc<dyn HasKeys>>,
        now: Timestamp,
    ) -> Result<PackMaker, PackMakingError> {
        let (reader, of, trust, parts) =
            (engine.reader().clone(), trail.clone(), order.trust.clone(), order.parts.clone());
        let mut packer = off_thread(move || Ok(Packer::begin(&reader, &of, trust, parts)?)).await?;
        let after = match &order.range {
            PackRange::Of(range) if range.end > packer.size() => {
                return Err(PackMakingError::Range { size: packer.size() });
            }
            PackRange::Of(range) if range.start < packer.first()? => {
                return Err(PackMakingError::Expired { first: packer.first()? });
            }
            PackRange::Of(range) => {
                packer.skip_to(range.start)?;
                range.start.checked_sub(1)
            }
            PackRange::Found | PackRange::Whole => None,
        };
        let (packer, found, ahead) = (Some(packer), None, Ahead::After(after));
        Ok(PackMaker { engine, trail, search, order, keys, now, packer, found, ahead })
    }

    /// The next files; `None` when that was all.
    pub async fn next(&mut self) -> Result<Option<Vec<PackFile>>, PackMakingError> {
        loop {
            let files = match std::mem::replace(&mut self.ahead, Ahead::End) {
                Ahead::After(after) => self.page(after).await?,
                Ahead::Last => return self.last().await.map(|(files, _)| Some(files)),
                Ahead::End => return Ok(None),
            };
            if !files.is_empty() {
                return Ok(Some(files));
            }
        }
    }

    /// One behind the last entry that it looks at.
    fn end(&self) -> u64 {
        let size = self.packer.as_ref().map_or(0, Packer::size);
        match &self.order.range {
            PackRange::Of(range) => range.end.min(size),
            PackRange::Found | PackRange::Whole => size,
        }
    }

    async fn page(&mut self, after: Option<u64>) -> Result<Vec<PackFile>, PackMakingError> {
        let deadline = Instant::now() + PATIENCE;
        let page = loop {
            match self.engine.oldest(&self.trail, &self.search, after, PAGE).await {
                Err(QueryError::Busy) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                page => break page?,
            }
        };
        let end = self.end();
        let more = page.next.filter(|next| next.saturating_add(1) < end);
        self.ahead = more.map_or(Ahead::Last, |next| Ahead::After(Some(next)));
        let indexes: Vec<u64> = page.rows.iter().map(|row| row.index).filter(|index| *index < end).collect();
        let (Some(first), Some(last)) = (indexes.first(), indexes.last()) else { return Ok(Vec::new()) };
        let is_first = self.found.is_none();
        self.found = Some(self.found.as_ref().map_or(*first, |found| found.start)..last + 1);
        let (fills, in_full) = (self.order.range != PackRange::Found, self.order.in_full);
        let starts = (is_first && self.order.range == PackRange::Whole).then_some(*first);
        self.packed(move |packer, reader, trail, keys| {
            if let Some(first) = starts {
                packer.skip_to(first)?;
            }
            for batch in indexes.chunks(BATCH) {
                for found in reader.entries(trail, batch)? {
                    if fills {
                        packer.fill(found.index, in_full, keys)?;
                    }
                    packer.entry(&found, true, keys)?;
                }
            }
            Ok(packer.take())
        })
        .await
    }

    async fn last(&mut self) -> Result<(Vec<PackFile>, About), PackMakingError> {
        let complete = match &self.order.range {
            PackRange::Found => None,
            PackRange::Whole => self.found.clone(),
            PackRange::Of(range) => Some(range.clone()),
        };
        let (in_full, fills) = (self.order.in_full, complete.clone());
        let mut files = self
            .packed(move |packer, _, _, keys| {
                if let Some(range) = fills {
                    packer.fill(range.end, in_full, keys)?;
                }
                packer.explain(packer.size(), keys)?;
                Ok(packer.take())
            })
            .await?;
        let mut packer = self.packer.take().ok_or(PackMakingError::Thread)?;
        if let Some(report) = self.order.report.take() {
            let data = serde_json::to_vec_pretty(&report).map_err(|_| PackMakingError::Thread)?;
            packer.report(data, html(&report).into_bytes())?;
        }
        let (last, about) = packer.finish(&self.order.asked, self.now, complete)?;
        files.extend(last);
        Ok((files, about))
    }

    /// Works on the packer where waiting for the disk holds nobody up.
    async fn packed(
        &mut self,
        work: impl FnOnce(
            &mut Packer,
            &greffier_ledger::Reader,
            &Tenant,
            Option<&KeyRing>,
        ) -> Result<Vec<PackFile>, PackingError>
        + Send
        + 'static,
    ) -> Result<Vec<PackFile>, PackMakingError> {
        let mut packer = self.packer.take().ok_or(PackMakingError::Thread)?;
        let (reader, trail) = (self.engine.reader().clone(), self.trail.clone());
        let keys = self.keys.clone();
        let (packer, files) = off_thread(move || {
            let files = work(&mut packer, &reader, &trail, keys.as_ref().map(|keys| keys.keys()))?;
            Ok((packer, files))
        })
        .await?;
        self.packer = Some(packer);
        Ok(files)
    }
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PackMakingError> + Send + 'static,
) -> Result<T, PackMakingError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| PackMakingError::Thread)?
}

/// What the parameters ask for.
fn order(params: &Params) -> Result<PackOrder, Refused> {
    let parts = match params.text("parts") {
        None | Some("none") => ShownParts::None,
        Some("all") => ShownParts::All,
        Some(names) => {
            let names: BTreeSet<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
            if names.len() > MAX_NAMES || names.contains("") {
                return Err(Refused::bad_parameter("`parts` must be `all`, or names with commas between"));
            }
            ShownParts::Named(names)
        }
    };
    let range = match (params.text("range"), params.flag("whole_range", false)?) {
        (None, false) => PackRange::Found,
        (None, true) => PackRange::Whole,
        (Some(range), false) => PackRange::parse(range)
            .ok_or_else(|| Refused::bad_parameter("`range` must be two indexes, as in 100-200"))?,
        _ => return Err(Refused::bad_parameter("`range` and `whole_range` exclude each other")),
    };
    let (asked, in_full) = (params.query()?.to_owned(), params.flag("in_full", false)?);
    Ok(PackOrder { asked, parts, range, in_full, ..PackOrder::default() })
}

/// `POST /api/v1/evidence`.
pub(crate) async fn evidence(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let (params, caller) = (&request.params, request.caller()?);
    let mut order = order(params)?;
    let reported =
        params.text("report").map(|name| report::ordered(api, name, params, &caller.tenant)).transpose()?;
    if reported.is_some() && (!order.asked.is_empty() || order.range != PackRange::Found) {
        return Err(Refused::bad_parameter(
            "a report says which entries are packed: `q` and ranges are for other packs",
        ));
    }
    let mut search = Search::parse(&order.asked, request.visit.now)?;
    let permit = Arc::clone(&api.exports).try_acquire_owned();
    let permit = permit.map_err(|_| Refused::new(503, "busy", "too many exports are under way"))?;
    let wish = Wish {
        action: AdminAction::ExportTrail,
        name: "trail:evidence",
        place: "events".to_owned(),
        asked: Some(serde_json::json!({
            "q": order.asked, "parts": params.text("parts"), "range": params.text("range"),
            "whole_range": params.text("whole_range"), "in_full": order.in_full,
            "report": params.text("report"), "from": params.text("from"), "to": params.text("to"),
            "user": params.text("user"), "subject": params.text("subject"),
        })),
    };
    let admitted = api.admit(&request.visit, caller, request.named_trail(), wish).await?;
    let trail = admitted.trail().clone();
    if let Some(reported) = reported {
        // Of the caller's tenant, whichever trail's samples are packed.
        if trail != caller.tenant {
            let place = format!("reports/{}", reported.standard.name);
            let wish = Wish { action: AdminAction::ReadTrail, name: "trail:report", place, asked: None };
            api.admit(&request.visit, caller, None, wish).await?;
        }
        let assessment = api.assess(&request, &reported, &caller.tenant).await?;
        order = PackOrder::of_report(assessment, &trail, order.parts);
        search = Search::parse(&order.asked, request.visit.now)?;
    }
    let search = api.referring(&trail, search);
    let keys: Arc<dyn HasKeys> = Arc::new(api.appender.clone());
    let maker = PackMaker::begin(api.engine.clone(), trail, search, order, Some(keys), request.visit.now);
    let mut maker = maker.await?;
    // The first files before the first byte: what fails here can still be said properly.
    let mut zip = ZipWriter::default();
    let first = maker.next().await?.unwrap_or_default();
    let mut piece = zipped(&mut zip, first)?;

    let (pieces, body) = streamed();
    tokio::spawn(async move {
        loop {
            if pieces.send(Ok(Bytes::from(piece))).await.is_err() {
                // A caller that went away wants no more.
                return;
            }
            let next = match maker.next().await {
                Ok(Some(files)) => zipped(&mut zip, files),
                Ok(None) => break,
                Err(error) => Err(error),
            };
            match next {
                Ok(next) => piece = next,
                Err(error) => {
                    let refused = Refused::from(error);
                    let broken = io::Error::other(format!("the pack broke off: {}", refused.code));
                    let _ = pieces.send(Err(broken)).await;
                    return;
                }
            }
        }
        let end = zip.finish().map(Bytes::from).map_err(io::Error::other);
        let _ = pieces.send(end).await;
        drop(permit);
    });
    let mut response = respond::typed(ZIP, body);
    let headers = response.headers_mut();
    let file = format!("attachment; filename=\"evidence-{}.zip\"", admitted.trail());
    if let Ok(file) = HeaderValue::from_str(&file) {
        headers.insert(header::CONTENT_DISPOSITION, file);
    }
    respond::mark(headers, &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

fn zipped(zip: &mut ZipWriter, files: Vec<PackFile>) -> Result<Vec<u8>, PackMakingError> {
    let mut bytes = Vec::new();
    for file in files {
        bytes.extend(zip.file(&file.name, &file.content)?);
    }
    Ok(bytes)
}

impl From<PackMakingError> for Refused {
    fn from(error: PackMakingError) -> Refused {
        match error {
            PackMakingError::Query(error) => error.into(),
            PackMakingError::Packing(PackingError::Read(error)) => error.into(),
            PackMakingError::Packing(PackingError::Zip(error)) => {
                Refused::new(422, "too_large", error.to_string())
            }
            PackMakingError::Range { .. } | PackMakingError::Expired { .. } => {
                Refused::bad_parameter(error.to_string())
            }
            error => Refused::internal("making an evidence pack", &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(PackRange::parse("3-7"), Some(PackRange::Of(3..8)));
        assert_eq!(PackRange::parse("3-3"), Some(PackRange::Of(3..4)));
        for wrong in ["", "3", "7-3", "-3", "a-b", "1-2-3", "0-18446744073709551615"] {
            assert_eq!(PackRange::parse(wrong), None, "{wrong}");
        }
    }
}
