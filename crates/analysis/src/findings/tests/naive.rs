//! The three rules straight from their words, over a whole trail in order of time: slow, and easy to believe.

use std::collections::{BTreeMap, BTreeSet};

use greffier_event::{Event, Timestamp};

use super::Row;
use crate::FindingKind;
use crate::meaning::{is_action, is_denial, is_end, is_failure};

/// One thing that is said of a call for the first time: by which event, of which agent, on which day.
struct First<'a> {
    event: &'a Event,
    agent: Option<String>,
    day: i64,
}

/// For each call, the first event of which `word` holds.
fn firsts<'a>(trail: &'a [Event], word: fn(&Event) -> bool) -> Vec<First<'a>> {
    let mut seen = BTreeSet::new();
    let mut firsts = Vec::new();
    for event in trail.iter().filter(|event| word(event)) {
        let channel = event.source.as_ref().map(|source| source.channel.clone());
        let call = match &event.request_id {
            Some(request) => format!("{channel:?} {request}"),
            None => event.id.to_string(),
        };
        if seen.insert(call) {
            let agent = event.agent.as_ref().map(|agent| agent.id.clone());
            firsts.push(First { event, agent, day: event.time.as_micros().div_euclid(86_400_000_000) });
        }
    }
    firsts
}

fn by<'a, K: Ord>(firsts: &'a [First<'a>], key: impl Fn(&First<'a>) -> K) -> BTreeMap<K, Vec<Timestamp>> {
    let mut by: BTreeMap<K, Vec<Timestamp>> = BTreeMap::new();
    firsts.iter().for_each(|first| by.entry(key(first)).or_default().push(first.event.time));
    by
}

pub(super) fn rows(trail: &[Event]) -> Vec<Row> {
    let mut rows = bursts(trail);
    rows.extend(denials(trail));
    rows.extend(failures(trail));
    rows.sort();
    rows
}

/// Ten actions in less than a second; what shares an action is one burst.
fn bursts(trail: &[Event]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (agent, times) in by(&firsts(trail, is_action), |first| first.agent.clone()) {
        let mut bursts: Vec<BTreeSet<usize>> = Vec::new();
        for first in 0..times.len() {
            let full = times
                .get(first + 9)
                .is_some_and(|last| last.as_micros() - times[first].as_micros() < 1_000_000);
            if full {
                let mut burst: BTreeSet<usize> = (first..first + 10).collect();
                bursts.retain(|other| {
                    let apart = other.is_disjoint(&burst);
                    if !apart {
                        burst.extend(other);
                    }
                    apart
                });
                bursts.push(burst);
            }
        }
        for burst in bursts {
            let (first, last) = (times[*burst.first().unwrap()], times[*burst.last().unwrap()]);
            let count = burst.len() as u64;
            rows.push((FindingKind::RapidActions, agent.clone(), first, last, count, None));
        }
    }
    rows
}

/// More than five denials on one day.
fn denials(trail: &[Event]) -> Vec<Row> {
    let denied = firsts(trail, is_denial);
    let days = by(&denied, |first| (first.agent.clone(), first.day));
    let many = days.into_iter().filter(|(_, times)| times.len() > 5);
    many.map(|((agent, _), times)| {
        let (since, until) = (*times.first().unwrap(), *times.last().unwrap());
        (FindingKind::PermissionIssues, agent, since, until, times.len() as u64, None)
    })
    .collect()
}

/// The rate of each beginning of a day: as of the last failure that it was high with, or of the event that made it
/// ten actions.
fn failures(trail: &[Event]) -> Vec<Row> {
    let mut rows: BTreeMap<(Option<String>, i64), Row> = BTreeMap::new();
    for end in 1..=trail.len() {
        let beginning = &trail[..end];
        let last = &trail[end - 1];
        let (ended, failed) = (firsts(beginning, is_end), firsts(beginning, is_failure));
        let agent = last.agent.as_ref().map(|agent| agent.id.clone());
        let key = (agent.clone(), last.time.as_micros().div_euclid(86_400_000_000));
        let of = |firsts: &[First<'_>]| {
            by(firsts, |first| (first.agent.clone(), first.day)).remove(&key).unwrap_or_default()
        };
        let (ended_times, failed_times) = (of(&ended), of(&failed));
        let says = |firsts: &[First<'_>]| firsts.last().is_some_and(|first| first.event.id == last.id);
        let (total, count) = (ended_times.len() as u64, failed_times.len() as u64);
        let high = count as f64 > total as f64 * 0.3 && total >= 10;
        if high && (says(&failed) || says(&ended) && !rows.contains_key(&key)) {
            let (since, until) = (failed_times[0], *failed_times.last().unwrap());
            rows.insert(key, (FindingKind::HighFailureRate, agent, since, until, count, Some(total)));
        }
    }
    rows.into_values().collect()
}
