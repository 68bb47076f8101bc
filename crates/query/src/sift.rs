//! Contents of events that a search looks into: opened one by one, for matches of everything else.
//!
//! Contents are encrypted, so no index knows them. What the columns say comes first; of what is left the contents are
//! opened, a few at a time, and forgotten at once. Contents that cannot be opened, because they were erased or the
//! keys are others, hold nothing.

use std::ops::Range;
use std::sync::Arc;

use greffier_event::Tenant;
use greffier_ledger::{Found, OpenedPart, ReadError, Reader};

use crate::search::Search;
use crate::view::{Order, View};
use crate::{QueryError, SearchError};

/// How an entry's contents are opened.
pub type OpenContents = Arc<dyn Fn(&Found) -> Result<Vec<OpenedPart>, ReadError> + Send + Sync>;

/// Entries whose contents are in memory at once.
const BATCH: usize = 32;
/// Candidates that are looked for at once: each time is a scan of its own.
const CANDIDATES: usize = 256;
/// Entries of which a page opens the contents at most; a page that found nothing in them says where to go on.
pub(crate) const LOOKED_AT: usize = 8_192;

/// What it takes to look into contents.
#[derive(Clone)]
pub(crate) struct Contents {
    pub(crate) reader: Reader,
    pub(crate) trail: Tenant,
    pub(crate) open: OpenContents,
}

/// What opens contents, if the search looks into them; without it such a search is refused, whatever it would find.
pub(crate) fn opener<'a>(view: &'a View, search: &Search) -> Result<Option<&'a Contents>, QueryError> {
    match &view.contents {
        _ if !search.reads_contents() => Ok(None),
        Some(contents) => Ok(Some(contents)),
        None => {
            let message = "contents are searched only with the keys that open them";
            Err(SearchError { at: 0, message: message.to_owned() }.into())
        }
    }
}

/// Whether the contents of each of these entries are what the search asks for.
pub(crate) async fn fits(view: &View, search: &Search, indexes: Vec<u64>) -> Result<Vec<bool>, QueryError> {
    let Some(contents) = opener(view, search)? else { return Ok(vec![true; indexes.len()]) };
    let mut fits = Vec::with_capacity(indexes.len());
    for some in indexes.chunks(BATCH) {
        let (contents, search, some) = (contents.clone(), search.clone(), some.to_vec());
        let looked = tokio::task::spawn_blocking(move || contents.look(&search, &some)).await;
        fits.extend(looked.map_err(|error| QueryError::Internal(error.to_string()))??);
    }
    Ok(fits)
}

impl Contents {
    fn look(&self, search: &Search, indexes: &[u64]) -> Result<Vec<bool>, QueryError> {
        let found = self.reader.entries(&self.trail, indexes)?;
        let mut found = found.iter().peekable();
        let mut fits = Vec::with_capacity(indexes.len());
        for index in indexes {
            // An entry that has expired since has no contents.
            let entry = found.next_if(|entry| entry.index == *index);
            let texts = entry.map_or_else(|| Ok(Vec::new()), |entry| self.texts(entry))?;
            fits.push(search.contents_fit(&texts));
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
    search: &Search,
    mut bounds: Range<u64>,
    order: Order,
    limit: usize,
) -> Result<Sifted, QueryError> {
    let predicate = search.predicate();
    let (mut found, mut looked) = (Vec::new(), 0);
    while !bounds.is_empty() {
        let some = crate::find::first(view, predicate.as_ref(), bounds.clone(), order, CANDIDATES).await?;
        let Some(last) = some.last().copied() else { break };
        let is_last = some.len() < CANDIDATES;
        for (index, fits) in some.iter().zip(fits(view, search, some.clone()).await?) {
            if fits {
                found.push(*index);
            }
            if found.len() >= limit.max(1) {
                return Ok(Sifted { found, next: Some(*index) });
            }
        }
        looked += some.len();
        if is_last {
            break;
        }
        if looked >= LOOKED_AT {
            return Ok(Sifted { found, next: Some(last) });
        }
        bounds = match order {
            Order::Newest => bounds.start..last,
            Order::Oldest => last + 1..bounds.end,
        };
    }
    Ok(Sifted { found, next: None })
}
