//! Producers that number their events: how many came, and which are missing.

use std::collections::BTreeMap;

use greffier_event::{Event, Timestamp};
use serde::Serialize;

use crate::numbers::{Numbers, Run};

/// Producers of one look: a process start each, those of years.
const MAX_PRODUCERS: usize = 100_000;

/// What came of one producer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Producer {
    /// Its name, as it gives it.
    pub producer: String,
    /// Events on record.
    pub events: u64,
    /// When the first of them was recorded.
    pub since: Timestamp,
    /// When the last of them was.
    pub until: Timestamp,
    /// The highest number that came.
    pub last: u64,
    /// Events that are missing below it.
    pub missing: u64,
    /// Which these are.
    pub gaps: Vec<Run>,
    /// Events that have a number which another one has already.
    pub repeated: u64,
    /// Of numbers below this one nothing is said: there were too many gaps, or they have expired.
    pub known_from: u64,
}

/// Counts them, in any order of events.
#[derive(Debug)]
pub struct ProducersCounter {
    /// Whether the events are all there are. Otherwise what lies before the first of a producer was not looked at.
    whole: bool,
    producers: BTreeMap<String, Counted>,
    dropped: u64,
}

#[derive(Debug)]
struct Counted {
    events: u64,
    since: Timestamp,
    until: Timestamp,
    numbers: Numbers,
}

impl ProducersCounter {
    /// For all events of a trail (`whole`), or those of a period of it.
    pub fn new(whole: bool) -> ProducersCounter {
        ProducersCounter { whole, producers: BTreeMap::new(), dropped: 0 }
    }

    /// Takes an event; what has no number does not count.
    pub fn add(&mut self, event: &Event) {
        let Some(source) = &event.source else { return };
        let (Some(producer), Some(sequence)) = (&source.producer, source.sequence) else { return };
        let recorded = event.recorded_at.unwrap_or(event.time);
        if !self.producers.contains_key(producer) {
            if self.producers.len() >= MAX_PRODUCERS {
                self.dropped += 1;
                return;
            }
            let (since, until) = (recorded, recorded);
            let counted = Counted { events: 0, since, until, numbers: Numbers::default() };
            self.producers.insert(producer.clone(), counted);
        }
        if let Some(counted) = self.producers.get_mut(producer) {
            counted.events += 1;
            counted.since = counted.since.min(recorded);
            counted.until = counted.until.max(recorded);
            counted.numbers.add(sequence);
        }
    }

    /// Events of producers that there was no room for.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What came of each, by name.
    pub fn finish(self) -> Vec<Producer> {
        let finish = |(producer, counted): (String, Counted)| {
            let mut gaps = counted.numbers.missing();
            let mut known_from = counted.numbers.floor();
            if !self.whole
                && let Some(unseen) = gaps.first().copied().filter(|gap| gap.first == known_from)
            {
                gaps.remove(0);
                known_from = unseen.last.saturating_add(1);
            }
            Producer {
                producer,
                events: counted.events,
                since: counted.since,
                until: counted.until,
                last: counted.numbers.last().unwrap_or_default(),
                missing: gaps.iter().fold(0, |sum: u64, gap| sum.saturating_add(gap.last - gap.first + 1)),
                gaps,
                repeated: counted.numbers.repeated(),
                known_from,
            }
        };
        self.producers.into_iter().map(finish).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(whole: bool, events: &[(&str, u64)]) -> String {
        let mut counter = ProducersCounter::new(whole);
        for (at, (producer, sequence)) in events.iter().enumerate() {
            let source = match *producer {
                "" => String::new(),
                name => format!(r#","producer":"{name}","sequence":{sequence}"#),
            };
            let event = format!(
                r#"{{"id":"00000000-0000-4000-8000-{at:012}","tenant":"acme","time":"2026-03-06T14:32:{at:02}.000000Z","type":"tool.call","source":{{"channel":"sdk"{source}}},"v":1}}"#
            );
            counter.add(&serde_json::from_str(&event).unwrap());
        }
        let line = |producer: Producer| serde_json::to_string(&producer).unwrap();
        counter.finish().into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_producer_by_itself() {
        let events = [("b", 1), ("a", 0), ("b", 3), ("b", 3), ("", 0), ("a", 1)];
        insta::assert_snapshot!(check(true, &events), @r#"
        {"producer":"a","events":2,"since":"2026-03-06T14:32:01.000000Z","until":"2026-03-06T14:32:05.000000Z","last":1,"missing":0,"gaps":[],"repeated":0,"known_from":0}
        {"producer":"b","events":3,"since":"2026-03-06T14:32:00.000000Z","until":"2026-03-06T14:32:03.000000Z","last":3,"missing":2,"gaps":[{"first":0,"last":0},{"first":2,"last":2}],"repeated":1,"known_from":0}
        "#);
        insta::assert_snapshot!(check(false, &events), @r#"
        {"producer":"a","events":2,"since":"2026-03-06T14:32:01.000000Z","until":"2026-03-06T14:32:05.000000Z","last":1,"missing":0,"gaps":[],"repeated":0,"known_from":0}
        {"producer":"b","events":3,"since":"2026-03-06T14:32:00.000000Z","until":"2026-03-06T14:32:03.000000Z","last":3,"missing":1,"gaps":[{"first":2,"last":2}],"repeated":1,"known_from":1}
        "#);
    }
}
