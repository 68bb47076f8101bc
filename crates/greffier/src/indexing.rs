//! Indexes of sealed segments for searches of texts, made soon after each is sealed, one at a time. Nothing waits for
//! them: until an index is there, a search reads the segment.

use std::ops::ControlFlow;
use std::time::Duration;

use greffier_ledger::{Indexer, Reader};

/// Between two looks. Segments are sealed at most as often as they fill.
const PACE: Duration = Duration::from_secs(10);

/// Makes them until it is dropped with its task, which waits for the one that is under way at most.
pub(crate) async fn keep(reader: Reader) {
    let (mut indexer, mut said) = (Indexer::new(reader), None);
    loop {
        // One segment a time, so that a stop does not wait for a whole trail.
        let step = tokio::task::spawn_blocking(move || {
            let made = indexer
                .pass(|done| if done.made > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) });
            (indexer, made)
        });
        let Ok((again, made)) = step.await else { return };
        indexer = again;
        match made {
            Ok(done) if done.made > 0 => continue,
            Ok(_) => said = None,
            Err(error) => {
                let error = error.to_string();
                if said.as_ref() != Some(&error) {
                    tracing::warn!(error, "an index could not be made: it is tried again");
                    said = Some(error);
                }
            }
        }
        tokio::time::sleep(PACE).await;
    }
}
