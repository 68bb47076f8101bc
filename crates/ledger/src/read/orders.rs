//! What a trail says about keeping and erasing, as a reader knows it: young entries as they are followed, older
//! ones from where the manifest says they stand.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use greffier_event::Tenant;

use super::view::Trail;
use super::{ReadError, Reader, steadily};
use crate::erase::{Notice, Orders};
use crate::store::Disk;

/// Entries that are shown without looking again where the rest is.
const STEP: u64 = 65_536;

/// Of one trail.
#[derive(Debug, Default)]
pub(super) struct TrailOrders {
    known: Arc<Orders>,
    /// Places of entries that were not read yet.
    unread: BTreeSet<u64>,
}

impl TrailOrders {
    /// Takes in an entry from the log.
    pub(super) fn note(&mut self, trail: &str, index: u64, entry: &[u8]) {
        if let Some(notice) = Notice::read(trail, index, entry) {
            Arc::make_mut(&mut self.known).note(notice);
        }
    }

    /// Forgets what stood before the trail's first entry.
    pub(super) fn forget_before(&mut self, first: u64) {
        self.unread = self.unread.split_off(&first);
        if self.known.start().is_some_and(|start| start < first) {
            Arc::make_mut(&mut self.known).forget_before(first);
        }
    }

    /// Takes in where others stand.
    pub(super) fn stand_at(&mut self, index: u64) {
        if !self.known.knows(index) {
            self.unread.insert(index);
        }
    }
}

impl Trail {
    /// All of them; those in segments are read when somebody asks.
    pub(super) fn orders(&mut self, disk: &Disk, name: &str) -> Result<Arc<Orders>, ReadError> {
        while let Some(index) = self.orders.unread.first().copied() {
            let at = self.sealed.partition_point(|sealed| sealed.segment().end <= index);
            let sealed = self.sealed.get(at).filter(|sealed| sealed.segment().first <= index);
            if let Some(entry) = sealed.map(|sealed| sealed.entry(disk, index)).transpose()?.flatten() {
                self.orders.note(name, index, &entry);
            }
            self.orders.unread.remove(&index);
        }
        Ok(Arc::clone(&self.orders.known))
    }
}

impl Reader {
    /// What a trail says about keeping and erasing.
    pub(crate) fn orders(&self, trail: &Tenant) -> Result<Arc<Orders>, ReadError> {
        steadily(|| {
            let mut view = self.now()?;
            let found = view.trail_mut(trail.as_str());
            found.map_or_else(|| Ok(Arc::default()), |found| found.orders(&self.disk, trail.as_str()))
        })
    }

    /// Shows the bytes of a trail's entries from `first` on, without their parts, until `visit` breaks; one after
    /// the other, so that memory holds none of them. Says how far it came.
    pub(crate) fn each(
        &self,
        trail: &Tenant,
        first: u64,
        mut visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<u64, ReadError> {
        let mut next = first;
        loop {
            let before = next;
            let ended = std::cell::Cell::new(false);
            let from = std::cell::Cell::new(next);
            let visit = std::cell::RefCell::new(&mut visit);
            steadily(|| {
                let mut show = |index: u64, entry: &[u8]| {
                    if index < from.get() {
                        return ControlFlow::Continue(());
                    }
                    from.set(index + 1);
                    let flow = (visit.borrow_mut())(index, entry);
                    ended.set(flow.is_break());
                    flow
                };
                let (sealed, hot) = {
                    let view = self.now()?;
                    let Some(found) = view.trail(trail.as_str()) else { return Ok(()) };
                    let at = found.sealed.partition_point(|sealed| sealed.segment().end <= from.get());
                    let sealed = found.sealed.get(at).cloned();
                    let young = from.get()..found.hot.end().min(from.get() + STEP);
                    let hot: Vec<_> = match sealed {
                        Some(_) => Vec::new(),
                        None => young.filter_map(|i| Some((i, found.hot.get(i)?.entry))).collect(),
                    };
                    (sealed, hot)
                };
                match sealed {
                    Some(sealed) => sealed.scan(&self.disk, &mut show)?,
                    None => {
                        for (index, entry) in hot {
                            if show(index, &entry).is_break() {
                                break;
                            }
                        }
                    }
                }
                Ok(())
            })?;
            next = from.get();
            if ended.get() || next == before {
                return Ok(next);
            }
        }
    }
}
