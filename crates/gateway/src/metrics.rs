//! `/metrics`: counts and durations, in OpenMetrics text. Labels come from fixed sets, never from callers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::account::Totals;
use crate::continues::Class;
use crate::site::Receiver;

/// Handles to the metrics; cloning shares them.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    answers: Family<Answer, Counter>,
    appends: Family<Recorded, Counter>,
    append_seconds: Histogram,
    recording: Gauge,
    continued: Family<Continued, Counter>,
    continuing: Gauge,
    accounted: Gauge,
    counted: Gauge,
    late: Gauge,
    anchored: Gauge,
    resting: Family<Destination, Gauge>,
    told: Family<Destination, Counter>,
    given_up: Family<Destination, Counter>,
    failing: Family<Destination, Gauge>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answer {
    protocol: &'static str,
    status: u16,
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Recorded {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Destination {
    name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Continued {
    class: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut registry = Registry::with_prefix("greffier");
        let answers = Family::<Answer, Counter>::default();
        registry.register("answers", "governed requests answered", answers.clone());
        let appends = Family::<Recorded, Counter>::default();
        registry.register("appends", "events handed to the ledger", appends.clone());
        // 50 us, an fdatasync on a fast disk, to 1.6 s.
        let append_seconds = Histogram::new(exponential_buckets(0.000_05, 2.0, 16));
        let help = "time until an event was durable";
        registry.register_with_unit("append", help, Unit::Seconds, append_seconds.clone());
        let recording = Gauge::default();
        registry.register("recording", "1 while events can be recorded", recording.clone());
        let continued = Family::<Continued, Counter>::default();
        registry.register("continued", "calls made unrecorded, as configured", continued.clone());
        let continuing = Gauge::default();
        registry.register("continuing", "1 while calls are made unrecorded", continuing.clone());
        let accounted = Gauge::default();
        registry.register("unrecorded_accounted", "unrecorded calls kept in memory", accounted.clone());
        let counted = Gauge::default();
        registry.register("unrecorded_counted", "unrecorded calls past the bound", counted.clone());
        let late = Gauge::default();
        registry.register("unrecorded_late", "outcomes kept in memory, of recorded decisions", late.clone());
        let anchored = Gauge::default();
        registry.register("anchored", "1 while witnesses vouch for the trails", anchored.clone());
        let resting = Family::<Destination, Gauge>::default();
        let help = "1 while a destination that failed again and again is left alone";
        registry.register("resting", help, resting.clone());
        let told = Family::<Destination, Counter>::default();
        registry.register("webhook_told", "findings that a webhook took", told.clone());
        let given_up = Family::<Destination, Counter>::default();
        let help = "findings that a webhook refused, or did not take in time";
        registry.register("webhook_given_up", help, given_up.clone());
        let failing = Family::<Destination, Gauge>::default();
        registry.register("webhook_failing", "1 while a webhook takes no finding", failing.clone());
        Metrics {
            registry: Arc::new(registry),
            answers,
            appends,
            append_seconds,
            recording,
            continued,
            continuing,
            accounted,
            counted,
            late,
            anchored,
            resting,
            told,
            given_up,
            failing,
        }
    }

    pub(crate) fn went_on(&self, class: Class) {
        self.continued.get_or_create(&Continued { class: class.name() }).inc();
    }

    pub(crate) fn anchored(&self, anchored: bool) {
        self.anchored.set(i64::from(anchored));
    }

    /// Which destinations are left alone; their names are the configuration's.
    pub(crate) fn resting<'a>(&self, destinations: impl Iterator<Item = (&'a str, Option<Duration>)>) {
        for (name, rest) in destinations {
            let label = Destination { name: name.to_owned() };
            self.resting.get_or_create(&label).set(i64::from(rest.is_some()));
        }
    }

    /// How those fare who are told of findings; their names are the configuration's.
    pub(crate) fn receivers(&self, receivers: &[Receiver]) {
        for Receiver { name, told, given_up, failing } in receivers {
            let label = Destination { name: name.clone() };
            self.told.get_or_create(&label).inner().store(*told, Ordering::Relaxed);
            self.given_up.get_or_create(&label).inner().store(*given_up, Ordering::Relaxed);
            self.failing.get_or_create(&label).set(i64::from(failing.is_some()));
        }
    }

    pub(crate) fn answered(&self, protocol: &'static str, status: u16, code: &'static str) {
        self.answers.get_or_create(&Answer { protocol, status, code }).inc();
    }

    pub(crate) fn append(&self, took: Duration, recorded: bool) {
        self.append_seconds.observe(took.as_secs_f64());
        self.appends.get_or_create(&Recorded { result: if recorded { "ok" } else { "error" } }).inc();
    }

    /// Events that were made durable since the start, and those that could not be.
    pub(crate) fn appended(&self) -> (u64, u64) {
        let count = |result| self.appends.get_or_create(&Recorded { result }).get();
        (count("ok"), count("error"))
    }

    pub(crate) fn text(&self, recording: bool, continuing: bool, owed: Totals) -> String {
        self.recording.set(i64::from(recording));
        self.continuing.set(i64::from(continuing));
        self.accounted.set(i64::try_from(owed.accounted).unwrap_or(i64::MAX));
        self.counted.set(i64::try_from(owed.counted).unwrap_or(i64::MAX));
        self.late.set(i64::try_from(owed.late).unwrap_or(i64::MAX));
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}
