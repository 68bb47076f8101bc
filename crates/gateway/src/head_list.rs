//! Once a minute, on the node's own trail: the heads of the trails that grew.
//!
//! Whoever witnesses the node's trail so witnesses them all, and a trail that is later cut, changed or left out
//! contradicts a list that is out in the world.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use greffier_event::Tenant;
use greffier_ledger::SignedHead;
use serde_json::{Value, json};

/// The pause between two lists.
const EVERY: Duration = Duration::from_secs(60);
/// Heads of one entry: at most 170 bytes each, together well below what an entry may have.
const PER_ENTRY: usize = 300;

/// What was listed, and when.
#[derive(Debug, Default)]
pub(crate) struct HeadList {
    last: Option<Instant>,
    listed: BTreeMap<String, u64>,
}

impl HeadList {
    /// Whether it is time. The first list comes a minute after the first question.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let last = *self.last.get_or_insert(now);
        let due = now.saturating_duration_since(last) >= EVERY;
        if due {
            self.last = Some(now);
        }
        due
    }

    /// The heads that are to be listed, an entry each; the first list of a process has all. The node's own trail is
    /// not among them: it would grow by being listed.
    pub(crate) fn entries(&self, heads: Vec<SignedHead>) -> Vec<Vec<SignedHead>> {
        let grew = |head: &SignedHead| self.listed.get(&head.trail).is_none_or(|listed| *listed < head.size);
        let grown = heads.into_iter().filter(|head| head.trail != Tenant::NODE && grew(head));
        let grown: Vec<SignedHead> = grown.collect();
        grown.chunks(PER_ENTRY).map(<[SignedHead]>::to_vec).collect()
    }

    /// They are on record.
    pub(crate) fn recorded(&mut self, heads: &[SignedHead]) {
        self.listed.extend(heads.iter().map(|head| (head.trail.clone(), head.size)));
    }
}

/// What the entry says.
pub(crate) fn document(heads: &[SignedHead]) -> Value {
    let head =
        |head: &SignedHead| json!({ "trail": head.trail, "size": head.size, "root": hex::encode(head.root) });
    json!({ "heads": heads.iter().map(head).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(trail: &str, size: u64) -> SignedHead {
        SignedHead { trail: trail.to_owned(), size, root: [7; 32] }
    }

    /// What would be listed, as `trail size`.
    fn check(list: &HeadList, heads: &[(&str, u64)]) -> Vec<String> {
        let heads = heads.iter().map(|(trail, size)| head(trail, *size)).collect();
        let told = |head: SignedHead| format!("{} {}", head.trail, head.size);
        list.entries(heads).into_iter().flatten().map(told).collect()
    }

    #[test]
    fn only_what_grew_since_it_was_recorded_is_listed() {
        let mut list = HeadList::default();
        assert_eq!(check(&list, &[("acme", 3), ("greffier", 9), ("zeta", 1)]), ["acme 3", "zeta 1"]);
        // What could not be recorded is listed again.
        list.recorded(&[head("acme", 3)]);
        assert_eq!(check(&list, &[("acme", 3), ("zeta", 1)]), ["zeta 1"]);
        assert_eq!(check(&list, &[("acme", 4), ("zeta", 1)]), ["acme 4", "zeta 1"]);
        list.recorded(&[head("acme", 4), head("zeta", 1)]);
        assert!(check(&list, &[("acme", 4), ("greffier", 12), ("zeta", 1)]).is_empty());
    }

    #[test]
    fn a_list_comes_each_minute() {
        let (mut list, start) = (HeadList::default(), Instant::now());
        let due: Vec<u64> =
            (0..200).filter(|second| list.is_due(start + Duration::from_secs(*second))).collect();
        assert_eq!(due, [60, 120, 180]);
    }

    #[test]
    fn a_long_list_is_cut_to_entries() {
        let names: Vec<String> = (0..PER_ENTRY * 2 + 1).map(|n| format!("{n:064}")).collect();
        let heads = names.iter().map(|name| head(name, u64::MAX)).collect();
        let entries = HeadList::default().entries(heads);
        assert_eq!(entries.iter().map(Vec::len).collect::<Vec<_>>(), [PER_ENTRY, PER_ENTRY, 1]);
        assert!(entries.iter().all(|heads| document(heads).to_string().len() < 65_535));
        insta::assert_snapshot!(document(&[head("acme", 3)]), @r#"{"heads":[{"trail":"acme","size":3,"root":"0707070707070707070707070707070707070707070707070707070707070707"}]}"#);
    }
}
