//! Cutting the start off a trail: the manifest names its segments no more, and instead the first entry that is left,
//! the root of the tree before it, and the entry that ordered it. Tiles stay.

use std::time::Instant;

use greffier_event::{Tenant, Timestamp};

use super::{SealError, Sealer, parent};
use crate::erase::prefix::{Cut, Prefix};
use crate::erase::{EntriesCut, Orders};
use crate::manifest::{CutRecord, SegmentRecord};

impl Sealer {
    /// Takes the start off a trail as entry `by` orders, as far as nothing speaks against it now. When this returns,
    /// no manifest names it and its parts are gone from the disk for good; its files of entries stay for queries that
    /// are under way. After a failure or a crash, doing it again goes on.
    pub(crate) fn cut(
        &mut self,
        trail: &Tenant,
        by: u64,
        order: &EntriesCut,
        orders: &Orders,
    ) -> Result<(), SealError> {
        self.settle_doubt()?;
        self.remove_erased()?;
        let (disk, keys, holds) = (&self.disk, &self.keys, &self.holds);
        let prefix = Prefix { disk, keys, holds, trail, orders, drained: true };
        // Whatever the trail said when it was ordered is old enough.
        let Cut { end, kept, .. } = prefix.cut(order.before, Timestamp::from_micros(i64::MIN))?;
        if let Some(why) = kept.filter(|_| end < order.end) {
            tracing::info!(%trail, order = by, %why, "not all of the trail's start goes that was to go");
        }
        // In data from an older copy segments may end elsewhere: what is whole goes.
        let end = end.min(order.end);
        let gone: Vec<SegmentRecord> =
            self.holds.segments_of(trail.as_str()).filter(|segment| segment.end <= end).cloned().collect();
        let Some(last) = gone.last() else { return Ok(()) };
        let mut holds = self.holds.clone();
        holds.segments.retain(|segment| !gone.contains(segment));
        holds.orders.retain(|place| place.trail != last.trail || place.index >= last.end);
        holds.cuts.retain(|cut| cut.trail != last.trail);
        let record = CutRecord { trail: last.trail.clone(), first: last.end, root: last.root.clone(), by };
        let at = holds.cuts.partition_point(|cut| cut.trail < record.trail);
        holds.cuts.insert(at, record);
        self.chain.commit(&self.disk, &self.keys, &self.node_origin, &holds, false)?;
        // Cut. What follows is only tidying up.
        self.ids.cut(trail.as_str(), &holds);
        self.holds = holds;
        let now = Instant::now();
        for segment in gone {
            self.erased.extend(segment.parts.into_iter().map(|parts| parts.file.path));
            self.superseded.push((now, segment.entries.path));
        }
        let dirs: Vec<String> = self.erased.iter().map(|path| parent(path).to_owned()).collect();
        self.remove_erased()?;
        dirs.iter().for_each(|dir| self.disk.remove_empty(dir));
        Ok(())
    }
}
