//! Contents of events that a search looks into: opened one by one, where everything else fits.
//!
//! Contents are encrypted, so no index knows them. What the columns say comes first; of what they leave open the
//! contents are opened, a few at a time, and forgotten at once. Contents that cannot be opened, because they were erased
//! or the keys are others, hold nothing.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use futures_util::TryStreamExt;
use greffier_event::Tenant;
use greffier_ledger::segment::INDEX;
use greffier_ledger::{Found, OpenedPart, ReadError, Reader};

use crate::find::{FIRST_WINDOW, GROWTH, window};
use crate::search::{Contents, Held, Search};
use crate::view::{Order, View, indexes, marks};
use crate::{QueryError, SearchError};

/// How an entry's contents are opened.
pub type OpenContents = Arc<dyn Fn(&Found) -> Result<Vec<OpenedPart>, ReadError> + Send + Sync>;

/// Entries whose contents are in memory at once.
const BATCH: usize = 32;
/// Entries of which a page opens the contents at most; a page that found nothing in them says where to go on.
pub(crate) const LOOKED_AT: usize = 8_192;
/// Rows that are looked at together at most: what is known of each stays in memory until the page has its end.
const WIDEST_WINDOW: u64 = 1 << 20;

/// What it takes to look into contents.
#[derive(Clone)]
pub(crate) struct Opener {
    pub(crate) reader: Reader,
    pub(crate) trail: Tenant,
    pub(crate) open: OpenContents,
}

/// An event whose columns fit.
#[derive(Clone, Copy)]
struct Candidate {
    index: u64,
    held: Held,
}

/// What opens contents, if they say something about the search; a search that needs them is refused without.
pub(crate) fn opener<'a>(view: &'a View, search: &Search) -> Result<Option<&'a Opener>, QueryError> {
    match &view.contents {
        Some(opener) if search.needs_contents() || search.has_words() => Ok(Some(opener)),
        None if search.needs_contents() => {
            let message =
                "contents are searched only with the keys that open them: --keys names their folder";
            Err(SearchError { at: 0, message: message.to_owned() }.into())
        }
        _ => Ok(None),
    }
}

/// Which of these rows match; they come with the marks of the search.
pub(crate) async fn fits(
    opener: &Opener,
    search: &Search,
    rows: &RecordBatch,
) -> Result<Vec<bool>, QueryError> {
    decided(opener, search, &candidates(rows)?).await
}

fn candidates(rows: &RecordBatch) -> Result<Vec<Candidate>, QueryError> {
    let marked = indexes(rows)?.into_iter().zip(marks(rows)?);
    Ok(marked.map(|(index, marks)| Candidate { index, held: Search::held(marks) }).collect())
}

/// Which of these match: contents are opened where they decide.
async fn decided(opener: &Opener, search: &Search, some: &[Candidate]) -> Result<Vec<bool>, QueryError> {
    let mut fits: Vec<bool> = some.iter().map(|candidate| search.fits(candidate.held, &[])).collect();
    let open: Vec<usize> =
        (0..).zip(some).filter(|(_, one)| search.opens(one.held)).map(|(at, _)| at).collect();
    for batch in open.chunks(BATCH) {
        let asked: Vec<Candidate> = batch.iter().filter_map(|at| some.get(*at).copied()).collect();
        let (opener, search) = (opener.clone(), search.clone());
        let looked = tokio::task::spawn_blocking(move || opener.look(&search, &asked)).await;
        let looked = looked.map_err(|error| QueryError::Internal(error.to_string()))??;
        for (at, matches) in batch.iter().zip(looked) {
            if let Some(fits) = fits.get_mut(*at) {
                *fits = matches;
            }
        }
    }
    Ok(fits)
}

impl Opener {
    fn look(&self, search: &Search, asked: &[Candidate]) -> Result<Vec<bool>, QueryError> {
        let indexes: Vec<u64> = asked.iter().map(|candidate| candidate.index).collect();
        let found = self.reader.entries(&self.trail, &indexes)?;
        let mut found = found.iter().peekable();
        let mut fits = Vec::with_capacity(asked.len());
        for Candidate { index, held } in asked {
            // An entry that has expired since has no contents.
            let entry = found.next_if(|entry| entry.index == *index);
            let texts = entry.map_or_else(|| Ok(Vec::new()), |entry| self.texts(entry))?;
            fits.push(search.fits(*held, &texts));
        }
        Ok(fits)
    }

    /// The contents of one entry, in lower case; what is no text is read as far as it is one.
    fn texts(&self, found: &Found) -> Result<Vec<String>, QueryError> {
        match (self.open)(found) {
            Ok(parts) => {
                Ok(parts.iter().map(|part| String::from_utf8_lossy(&part.content).to_lowercase()).collect())
            }
            Err(ReadError::NoKey(_) | ReadError::Part(_)) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a page found, and how far it looked.
pub(crate) struct Sifted {
    pub(crate) found: Vec<u64>,
    /// The last entry that was looked at, where that were not all.
    pub(crate) next: Option<u64>,
}

/// The first matches within `bounds`.
pub(crate) async fn page(
    view: &View,
    opener: &Opener,
    search: &Search,
    bounds: Range<u64>,
    order: Order,
    limit: usize,
) -> Result<Sifted, QueryError> {
    let limit = limit.max(1);
    let (predicate, marked) = (search.predicate(Contents::Opened), search.marks());
    let mut left = view.narrowed(predicate.as_ref(), &bounds).await?;
    let (mut found, mut opened, mut size) = (Vec::new(), 0, FIRST_WINDOW);
    while !left.is_empty() {
        let window = window(&mut left, order, size);
        let mut rows = view.marked(&window, predicate.as_ref(), &[INDEX], &marked)?;
        let mut some = Vec::new();
        while let Some(batch) = rows.try_next().await? {
            some.extend(candidates(&batch)?);
        }
        order.sort_by(&mut some, |candidate| candidate.index);
        let mut ahead = some.as_slice();
        while let Some((some, behind)) = portion(search, ahead, limit.saturating_sub(found.len())) {
            ahead = behind;
            for (candidate, fits) in some.iter().zip(decided(opener, search, some).await?) {
                if fits {
                    found.push(candidate.index);
                }
            }
            opened += some.iter().filter(|candidate| search.opens(candidate.held)).count();
            if found.len() >= limit || opened >= LOOKED_AT {
                let is_all = ahead.is_empty() && left.is_empty();
                let last = some.last().map(|candidate| candidate.index);
                return Ok(Sifted { found, next: last.filter(|_| !is_all) });
            }
        }
        size = size.saturating_mul(GROWTH).min(WIDEST_WINDOW);
    }
    Ok(Sifted { found, next: None })
}

/// The next that are decided together: as many as are opened at once, with those between them that need not be; no more
/// than there may be matches.
fn portion<'a>(
    search: &Search,
    ahead: &'a [Candidate],
    most: usize,
) -> Option<(&'a [Candidate], &'a [Candidate])> {
    let opened = ahead.iter().scan(0, |opened, candidate| {
        *opened += usize::from(search.opens(candidate.held));
        Some(*opened)
    });
    let together = opened.zip(0..most).take_while(|(opened, _)| *opened <= BATCH).count();
    ahead.split_at_checked(together).filter(|(some, _)| !some.is_empty())
}
