use proptest::prelude::*;

use super::*;
use crate::segment::samples::tiny;

/// Every row as it is shown, from the first that is not sealed on.
fn rows(hot: &mut Hot) -> Vec<RecordBatch> {
    let batches = hot.batches().unwrap();
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| batch.slice(row, 1))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// However the rows are asked for while entries come and are sealed, they are those made of the entries at once.
    #[test]
    fn rows_are_made_once_and_are_the_same(
        steps in prop::collection::vec((prop_oneof![4 => 0..5_u64, 1 => 0..2_500_u64], any::<bool>(), 0..100_u64), 1..30),
        start in prop_oneof![Just(0), 0..3_000_u64],
    ) {
        let mut hot = Hot::default();
        hot.seal(start);
        for (more, asked, sealed) in steps {
            for _ in 0..more {
                let index = hot.end();
                hot.push(index, &tiny(index), None).unwrap();
            }
            if asked {
                let batches = hot.batches().unwrap();
                let pieces = batches.iter().filter(|batch| batch.num_rows() < ROWS as usize).count();
                // The last chunk's at most, and what is left of one that is partly sealed.
                prop_assert!(pieces <= 22, "{pieces} pieces");
            }
            if sealed < 10 {
                hot.seal(hot.start() + (hot.end() - hot.start()) * sealed / 10);
            }
        }
        let (first, end) = (hot.start(), hot.end());
        let entries: Vec<(u64, Vec<u8>)> = (first..end).map(|index| (index, tiny(index))).collect();
        let at_once = entries.iter().map(|(index, entry)| (*index, entry.as_slice()));
        let expected = project(at_once.collect::<Vec<_>>().into_iter(), Event::from_entry).unwrap();
        let expected: Vec<_> = (0..expected.num_rows()).map(|row| expected.slice(row, 1)).collect();
        prop_assert_eq!(rows(&mut hot), expected);
        for (index, entry) in entries {
            prop_assert_eq!(hot.get(index).unwrap().entry, entry);
        }
    }
}
