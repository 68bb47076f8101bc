//! What this run of the node has seen of producers that number their events: an answer to an ingest says at once what
//! is missing. The whole account is made of the trail, by `GET /api/v1/producers`.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use greffier_event::Tenant;
use greffier_query::{Numbers, Run};
use serde::Serialize;

/// Producers in memory. Beyond, all are forgotten, and what is told begins anew.
const MAX_PRODUCERS: usize = 10_000;
/// Gaps that an answer names.
const MAX_GAPS: usize = 100;

/// An event on record that its producer numbered.
pub(super) struct Numbered {
    pub(super) producer: String,
    pub(super) number: u64,
    /// It was on record before.
    pub(super) repeated: bool,
}

/// Producers of all trails.
#[derive(Default)]
pub(crate) struct Sequences(Mutex<HashMap<(Tenant, String), Numbers>>);

/// What an answer says of a producer.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    producer: String,
    /// The highest number on record.
    last: Option<u64>,
    /// What is missing below it, the first hundred gaps; what is still on its way is missing too.
    gaps: Vec<Run>,
    /// Events with a number that another event has.
    repeated: u64,
    /// Of numbers below this one nothing is told: this run of the node has not seen them.
    known_from: u64,
}

impl Sequences {
    /// Takes note of events on record. What was on record before has its number already.
    pub(super) fn note(&self, trail: &Tenant, events: &[Numbered]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Mostly one producer's.
        for run in events.chunk_by(|one, next| one.producer == next.producer) {
            let Some(first) = run.first() else { continue };
            let key = (trail.clone(), first.producer.clone());
            if known.len() >= MAX_PRODUCERS && !known.contains_key(&key) {
                known.clear();
            }
            let numbers = known.entry(key).or_insert_with(|| Numbers::from(first.number));
            for event in run {
                if event.repeated {
                    numbers.add_again(event.number);
                } else {
                    numbers.add(event.number);
                }
            }
        }
    }

    /// What there is to say of these.
    pub(super) fn told(&self, trail: &Tenant, producers: &BTreeSet<String>) -> Vec<Told> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = producers.iter().filter_map(|producer| {
            let numbers = known.get(&(trail.clone(), producer.clone()))?;
            let mut gaps = numbers.missing();
            gaps.truncate(MAX_GAPS);
            Some(Told {
                producer: producer.clone(),
                last: numbers.last(),
                gaps,
                repeated: numbers.repeated(),
                known_from: numbers.floor(),
            })
        });
        told.collect()
    }
}
