//! The gap: what was done unrecorded, written on its trail before anything else goes on it.
//!
//! Each of its events tells a page of the account: the entries that its calls would have left, one a line, in a part
//! beside it. All that a leaf of theirs may hold was seen to when they were made.

use greffier_event::{DecisionKind, Draft, EventType, Outcome, OutcomeStatus, Part, PolicyRecord, Tenant};
use greffier_ledger::AppendError;

use crate::account::{Counted, Page, Totals};
use crate::record::Recorder;

/// Bytes of the account in one event: half of what a part keeps whole, so that the last line never is the one too many.
const PAGE_BYTES: usize = 512 * 1024;

impl Recorder {
    /// Writes what a trail owes. Fails as long as it cannot be written, and then nothing else can be.
    pub(crate) async fn settle(&self, trail: &Tenant) -> Result<(), AppendError> {
        // Boxed: every append would carry the state of what hardly ever happens.
        if self.account.owes(trail) { Box::pin(self.pay(trail)).await } else { Ok(()) }
    }

    async fn pay(&self, trail: &Tenant) -> Result<(), AppendError> {
        self.appender.is_recording().map_err(AppendError::NotRecording)?;
        // One at a time: two would tell the same calls twice.
        let _writing = self.settling.lock().await;
        let gap = self.clock.request_id();
        while let Some(page) = self.account.page(trail, PAGE_BYTES) {
            let draft = self.gap(trail, &gap, &page);
            self.append_gap(draft).await?;
            self.account.told(trail, &page);
            tracing::warn!(%trail, calls = page.calls, counted = page.counted.total(), "a gap is on record");
        }
        while let Some(late) = self.account.late(trail) {
            let late = late?;
            self.append_gap(Draft { event: late.event.clone(), parts: Vec::new() }).await?;
            self.account.late_told(trail, &late);
        }
        Ok(())
    }

    /// Writes what every trail owes, as far as it can be written now.
    pub(crate) async fn settle_all(&self) {
        for trail in self.account.trails() {
            // Logged where it failed; what is not written stays owed.
            drop(self.settle(&trail).await);
        }
    }

    /// A line in the log while something is owed.
    pub(crate) fn say_what_is_owed(&self) {
        let Totals { accounted, counted, late } = self.account.totals();
        if accounted + counted + late > 0 {
            tracing::error!(accounted, counted, late, "still not recording: this much is in memory only");
        }
    }

    async fn append_gap(&self, mut draft: Draft) -> Result<(), AppendError> {
        draft.event.recorded_at = Some(self.clock.now());
        self.appender.append_gap(draft).await.map(drop).inspect_err(|error| {
            tracing::error!(%error, "cannot record a gap");
        })
    }

    fn gap(&self, trail: &Tenant, gap: &str, page: &Page) -> Draft {
        let uri = format!("audit://{trail}/gap");
        let mut event = self.node_event(EventType::Error, page.first, "gap", &uri);
        event.tenant = trail.clone();
        event.request_id = Some(gap.to_owned());
        event.policy = Some(PolicyRecord {
            decision: DecisionKind::Allow,
            reason: Some(words(page)),
            rule: Some("on_record_failure continues".to_owned()),
            scopes: Vec::new(),
            version: None,
        });
        event.outcome = Some(Outcome {
            attempts: Vec::new(),
            code: None,
            duration_us: u64::try_from(page.last.as_micros() - page.first.as_micros()).ok(),
            error: Some("not_recording".to_owned()),
            status: OutcomeStatus::Unknown,
        });
        let mut parts = vec![summary(page)];
        if !page.lines.is_empty() {
            parts.push(Part {
                name: "account".to_owned(),
                media: "application/x-ndjson".to_owned(),
                content: page.lines.clone(),
            });
        }
        Draft { event, parts }
    }
}

/// The gap in a sentence, for the leaf: parts may be gone one day.
fn words(page: &Page) -> String {
    let Counted { outcomes, late, .. } = page.counted;
    let mut words = format!(
        "not recording from {} to {}: {} calls were made unrecorded and are told in the account",
        page.first, page.last, page.calls
    );
    let mut also = |count: u64, what: &str| {
        if count > 0 {
            words.push_str(&format!("; {count} {what}"));
        }
    };
    also(page.counted.total(), "more were made and only counted");
    also(outcomes, "outcomes of told calls were not kept");
    also(late, "outcomes follow late");
    if page.more {
        words.push_str("; the gap goes on");
    }
    words
}

/// The same for programs, with the counts by action.
fn summary(page: &Page) -> Part {
    let Counted { times: _, calls, other_calls, outcomes, late } = &page.counted;
    let by_action: serde_json::Map<String, serde_json::Value> =
        calls.iter().map(|(action, count)| (action.clone(), (*count).into())).collect();
    let summary = serde_json::json!({
        "reason": page.reason,
        "first": page.first.to_string(),
        "last": page.last.to_string(),
        "accounted": page.calls,
        "counted": page.counted.total(),
        "counted_by_action": by_action,
        "counted_other_actions": other_calls,
        "outcomes_not_kept": outcomes,
        "outcomes_late": late,
        "more": page.more,
    });
    Part {
        name: "metadata".to_owned(),
        media: "application/json".to_owned(),
        content: summary.to_string().into_bytes(),
    }
}
