//! The lines of an export, or the bytes of its file, page by page: for the API's callers, and for whoever reads the files themselves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use greffier_event::{Form, InvalidEvent, Part, Tenant};
use greffier_ledger::{Found, OpenedPart, ReadError};
use greffier_query::{Engine, Page, ParquetFile, QueryError, Search};
use tokio::time::Instant;

use super::join::{Item, Joiner};
use super::{aat, cef, csv, ocsf};

/// Entries per page.
const PAGE: usize = 500;
/// How long an export waits for a busy engine, and how often it asks.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);
/// Entries whose contents are in memory at once.
const BATCH: usize = 16;

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// A document of this form; but outside the native form one for a whole call.
    Form(Form),
    /// A row of a table, one for each event.
    Csv,
    /// An object of OCSF 1.8, one for each event.
    Ocsf,
    /// A line of CEF, one for each event.
    Cef,
    /// Records of the agent audit trail draft, in chains of this export's own.
    Aat,
    /// A Parquet file with the columns of the table `events`, a row for each event.
    Parquet,
}

impl ExportFormat {
    /// All of them.
    pub const ALL: [ExportFormat; 8] = [
        ExportFormat::Form(Form::Native),
        ExportFormat::Form(Form::Flat),
        ExportFormat::Form(Form::Governed),
        ExportFormat::Csv,
        ExportFormat::Ocsf,
        ExportFormat::Cef,
        ExportFormat::Aat,
        ExportFormat::Parquet,
    ];

    /// Its name, as the command line and the API have it.
    pub fn as_str(self) -> &'static str {
        match self {
            ExportFormat::Form(form) => form.as_str(),
            ExportFormat::Csv => "csv",
            ExportFormat::Ocsf => "ocsf",
            ExportFormat::Cef => "cef",
            ExportFormat::Aat => "aat",
            ExportFormat::Parquet => "parquet",
        }
    }

    /// The format of that name.
    pub fn parse(name: &str) -> Option<ExportFormat> {
        ExportFormat::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// The founding documents know one entry per call.
    fn joins(self) -> bool {
        matches!(self, ExportFormat::Form(Form::Flat | Form::Governed))
    }
}

/// How an entry's contents are opened.
pub type OpenParts = Arc<dyn Fn(&Found) -> Result<Vec<OpenedPart>, ReadError> + Send + Sync>;

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The engine did not answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Contents cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An entry is not an event, or does not fit the form.
    #[error(transparent)]
    Event(#[from] InvalidEvent),
    /// More calls wait for their outcome than can be remembered.
    #[error("too many calls were under way at once")]
    TooManyCalls,
    /// More sessions and open calls than can be remembered.
    #[error("too many sessions for one export: narrow it, as with since:30d")]
    TooManySessions,
    /// The trail ends before the cursor.
    #[error("the trail has {size} entries, and the cursor stands behind {end}: was an older copy restored?")]
    CursorAhead {
        /// Where the cursor stands.
        end: u64,
        /// What there is.
        size: u64,
    },
    /// A thread ended early.
    #[error("a thread ended early")]
    Thread,
}

/// One export under way. It covers the trail as it was when it began, and holds one page at a time.
pub struct Export {
    engine: Engine,
    trail: Tenant,
    search: Search,
    format: ExportFormat,
    /// Without it contents stay closed.
    open: Option<OpenParts>,
    /// One behind the last entry it covers.
    end: u64,
    expired: u64,
    joiner: Joiner,
    chains: aat::Chains,
    items: VecDeque<Item>,
    /// The file that rows go into, where they are no lines, until it is finished.
    table: Option<ParquetFile>,
    ahead: Ahead,
}

/// What comes after the items at hand.
enum Ahead {
    Header(Page),
    Page(Page),
    After(u64),
    End,
}

impl Export {
    /// Begins behind the entry `after`: what fails here, fails before the first line.
    pub async fn begin(
        engine: Engine,
        trail: Tenant,
        search: Search,
        format: ExportFormat,
        open: Option<OpenParts>,
        after: Option<u64>,
    ) -> Result<Export, ExportError> {
        let first = engine.oldest(&trail, &search, after, PAGE).await?;
        let (reader, of) = (engine.reader().clone(), trail.clone());
        let oldest = tokio::task::spawn_blocking(move || reader.first(&of)).await;
        let oldest = oldest.map_err(|_| ExportError::Thread)??;
        let start = after.map_or(0, |after| after.saturating_add(1));
        if start > first.size {
            return Err(ExportError::CursorAhead { end: start, size: first.size });
        }
        let (end, joiner, items) = (first.size, Joiner::new(search.clone(), start), VecDeque::new());
        let ahead = if format == ExportFormat::Csv { Ahead::Header(first) } else { Ahead::Page(first) };
        let chains = aat::Chains::default();
        let expired = if after.is_some() { oldest.saturating_sub(start) } else { 0 };
        let table = (format == ExportFormat::Parquet).then(ParquetFile::new).transpose()?;
        Ok(Export { engine, trail, search, format, open, end, expired, joiner, chains, items, table, ahead })
    }

    /// One behind the last entry it covers.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Entries that the export was to go on with and that have expired.
    pub fn expired(&self) -> u64 {
        self.expired
    }

    /// The next bytes: whole lines, each with its end, or the next piece of a file; `None` when that was all.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ExportError> {
        while self.items.is_empty() {
            match std::mem::replace(&mut self.ahead, Ahead::End) {
                Ahead::Header(page) => {
                    self.ahead = Ahead::Page(page);
                    return Ok(Some(csv::header().into_bytes()));
                }
                Ahead::Page(page) => {
                    let page = self.within(page);
                    if let Some(table) = &mut self.table {
                        let bytes = table.add(&page.rows)?;
                        if !bytes.is_empty() {
                            return Ok(Some(bytes));
                        }
                    } else {
                        self.take_in(page).await?;
                    }
                }
                Ahead::After(next) => self.ahead = Ahead::Page(self.page(next).await?),
                Ahead::End => return Ok(self.table.take().map(ParquetFile::finish).transpose()?),
            }
        }
        let batch: Vec<Item> = self.items.drain(..self.items.len().min(BATCH)).collect();
        self.lines(&batch).await.map(|lines| Some(lines.into_bytes()))
    }

    /// The page behind an index.
    async fn page(&self, after: u64) -> Result<Page, QueryError> {
        patiently(|| self.engine.oldest(&self.trail, &self.search, Some(after), PAGE)).await
    }

    /// What of a page this export covers; behind it comes the next one.
    fn within(&mut self, mut page: Page) -> Page {
        if let Some(next) = page.next.filter(|next| next.saturating_add(1) < self.end) {
            self.ahead = Ahead::After(next);
        }
        page.rows.retain(|row| row.index < self.end);
        page
    }

    async fn take_in(&mut self, page: Page) -> Result<(), ExportError> {
        self.items = if self.format.joins() {
            self.joiner.join(&self.engine, &self.trail, self.end, page.rows).await?.into()
        } else {
            page.rows.into_iter().map(Item::read).collect::<Result<_, _>>()?
        };
        Ok(())
    }

    /// Whole lines, each with its end.
    async fn lines(&mut self, items: &[Item]) -> Result<String, ExportError> {
        let contents = self.contents(items).await?;
        let parts = |index: u64| contents.get(&index).map(Vec::as_slice).unwrap_or_default();
        let mut text = String::new();
        for item in items {
            let half = &item.half;
            match (self.format, &item.outcome) {
                (ExportFormat::Csv, _) => {
                    csv::line(&mut text, half.index, &half.event);
                    continue;
                }
                (ExportFormat::Aat, _) => {
                    self.chains.lines(&mut text, half.index, &half.event)?;
                    continue;
                }
                (ExportFormat::Ocsf, _) => {
                    text.push_str(&ocsf::line(self.trail.as_str(), half.index, &half.event));
                }
                (ExportFormat::Cef, _) => cef::line(&mut text, half.index, &half.event),
                // Its rows never become items.
                (ExportFormat::Parquet, _) => continue,
                (ExportFormat::Form(form), None) => {
                    text.push_str(&form.write(&half.event, parts(half.index))?);
                }
                (ExportFormat::Form(form), Some(outcome)) => {
                    let asked = (&half.event, parts(half.index));
                    let ended = (&outcome.event, parts(outcome.index));
                    text.push_str(&form.join(asked, ended)?);
                }
            }
            text.push('\n');
        }
        Ok(text)
    }

    /// The contents that the lines show; what cannot be opened is left out.
    async fn contents(&self, items: &[Item]) -> Result<BTreeMap<u64, Vec<Part>>, ExportError> {
        let Some(open) = self.open.clone().filter(|_| matches!(self.format, ExportFormat::Form(_))) else {
            return Ok(BTreeMap::new());
        };
        let halves = items.iter().flat_map(Item::halves);
        let indexes: Vec<u64> =
            halves.filter(|half| !half.event.parts.is_empty()).map(|half| half.index).collect();
        if indexes.is_empty() {
            return Ok(BTreeMap::new());
        }
        let (reader, trail) = (self.engine.reader().clone(), self.trail.clone());
        let read = move || {
            let found = reader.entries(&trail, &indexes)?;
            let opened = |found: &Found| match open(found) {
                Ok(parts) => Ok((found.index, parts.into_iter().map(part).collect())),
                Err(ReadError::NoKey(_)) => Ok((found.index, Vec::new())),
                Err(error @ ReadError::Part(_)) => {
                    tracing::error!(%trail, index = found.index, %error, "contents cannot be shown");
                    Ok((found.index, Vec::new()))
                }
                Err(error) => Err(error),
            };
            found.iter().map(opened).collect::<Result<_, _>>()
        };
        Ok(tokio::task::spawn_blocking(read).await.map_err(|_| ExportError::Thread)??)
    }
}

/// Asks until there is an answer. An export is nobody's emergency: while others are answered, it waits.
pub(super) async fn patiently<T, F>(ask: impl Fn() -> F) -> Result<T, QueryError>
where
    F: Future<Output = Result<T, QueryError>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Err(QueryError::Busy) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            answer => return answer,
        }
    }
}

fn part(part: OpenedPart) -> Part {
    Part { name: part.name, media: part.media, content: part.content }
}
