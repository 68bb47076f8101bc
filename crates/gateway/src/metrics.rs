//! `/metrics`: counts and durations, in OpenMetrics text. Labels come from fixed sets, never from callers.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Handles to the metrics; cloning shares them.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    answers: Family<Answer, Counter>,
    appends: Family<Recorded, Counter>,
    append_seconds: Histogram,
    recording: Gauge,
    anchored: Gauge,
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
        let anchored = Gauge::default();
        registry.register("anchored", "1 while witnesses vouch for the trails", anchored.clone());
        Metrics { registry: Arc::new(registry), answers, appends, append_seconds, recording, anchored }
    }

    pub(crate) fn anchored(&self, anchored: bool) {
        self.anchored.set(i64::from(anchored));
    }

    pub(crate) fn answered(&self, protocol: &'static str, status: u16, code: &'static str) {
        self.answers.get_or_create(&Answer { protocol, status, code }).inc();
    }

    pub(crate) fn append(&self, took: Duration, recorded: bool) {
        self.append_seconds.observe(took.as_secs_f64());
        self.appends.get_or_create(&Recorded { result: if recorded { "ok" } else { "error" } }).inc();
    }

    pub(crate) fn text(&self, recording: bool) -> String {
        self.recording.set(i64::from(recording));
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}
