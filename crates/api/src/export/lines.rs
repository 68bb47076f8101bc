//! The lines of an export, page by page: for the API's callers, and for whoever reads the files themselves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use greffier_event::{Form, InvalidEvent, Part, Tenant};
use greffier_ledger::{Found, OpenedPart, ReadError};
use greffier_query::{Engine, Page, QueryError, Search};
use tokio::time::Instant;

use super::csv;
use super::join::{Item, Joiner};

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
}

impl ExportFormat {
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
    joiner: Joiner,
    items: VecDeque<Item>,
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
        let (end, joiner, items) = (first.size, Joiner::default(), VecDeque::new());
        let ahead = if format == ExportFormat::Csv { Ahead::Header(first) } else { Ahead::Page(first) };
        Ok(Export { engine, trail, search, format, open, end, joiner, items, ahead })
    }

    /// One behind the last entry it covers.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The next lines, each with its end; `None` when that was all.
    pub async fn next(&mut self) -> Result<Option<String>, ExportError> {
        while self.items.is_empty() {
            match std::mem::replace(&mut self.ahead, Ahead::End) {
                Ahead::Header(page) => {
                    self.ahead = Ahead::Page(page);
                    return Ok(Some(csv::header()));
                }
                Ahead::Page(page) => self.take_in(page).await?,
                Ahead::After(next) => {
                    let page = self.page(next).await?;
                    self.take_in(page).await?;
                }
                Ahead::End => return Ok(None),
            }
        }
        let batch: Vec<Item> = self.items.drain(..self.items.len().min(BATCH)).collect();
        self.lines(&batch).await.map(Some)
    }

    /// The page behind an index. An export is nobody's emergency: while others are answered, it waits.
    async fn page(&self, after: u64) -> Result<Page, QueryError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.engine.oldest(&self.trail, &self.search, Some(after), PAGE).await {
                Err(QueryError::Busy) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                page => return page,
            }
        }
    }

    async fn take_in(&mut self, mut page: Page) -> Result<(), ExportError> {
        if let Some(next) = page.next.filter(|next| next.saturating_add(1) < self.end) {
            self.ahead = Ahead::After(next);
        }
        page.rows.retain(|row| row.index < self.end);
        self.items = if self.format.joins() {
            self.joiner.join(&self.engine, &self.trail, self.end, page.rows).await?.into()
        } else {
            page.rows.into_iter().map(Item::read).collect::<Result<_, _>>()?
        };
        Ok(())
    }

    /// Whole lines, each with its end.
    async fn lines(&self, items: &[Item]) -> Result<String, ExportError> {
        let contents = self.contents(items).await?;
        let parts = |index: u64| contents.get(&index).map(Vec::as_slice).unwrap_or_default();
        let mut text = String::new();
        for item in items {
            let half = &item.half;
            match (self.format, &item.outcome) {
                (ExportFormat::Csv, _) => {
                    item.halves().for_each(|half| csv::line(&mut text, half.index, &half.event));
                    continue;
                }
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
        let Some(open) = self.open.clone().filter(|_| self.format != ExportFormat::Csv) else {
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

fn part(part: OpenedPart) -> Part {
    Part { name: part.name, media: part.media, content: part.content }
}
