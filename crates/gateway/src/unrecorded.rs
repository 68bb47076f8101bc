//! What becomes of a call that cannot be recorded: it is refused, or, where the configuration lets its class go on,
//! entered in the account.
//!
//! [`Cleared`] is what may be forwarded, and there are two ways to it, each a type of its own with one constructor:
//! a decision on record, or a decision in the account.

use greffier_event::{Call, Event};
use greffier_ledger::AppendError;

use crate::continues::Forbidden;
use crate::decide::Permitted;
use crate::inspect::Redacted;
use crate::record::{Kept, Open, Recorded, Recorder};

/// What a response says in the place of a receipt.
const NO_RECEIPT: &str = "unrecorded";

/// A permitted call whose decision could not be made durable. By itself it goes nowhere.
pub(crate) struct Unrecorded<P> {
    pub(crate) inner: P,
    /// The decision, as it would have been recorded.
    pub(crate) decision: Event,
    pub(crate) since: std::time::Instant,
    pub(crate) error: AppendError,
}

/// A call whose decision is in the account. Only [`Recorder::account_for`] makes one.
pub(crate) struct Accounted<P> {
    inner: P,
    open: Open,
}

/// A call that may be forwarded.
pub(crate) enum Cleared<P> {
    Recorded(Recorded<P>),
    Accounted(Accounted<P>),
}

impl Cleared<Permitted<Redacted<Call>>> {
    /// The receipt of the decision, or the word that there is none.
    pub(crate) fn receipt(&self) -> String {
        match self {
            Cleared::Recorded(recorded) => recorded.receipt().to_string(),
            Cleared::Accounted(_) => NO_RECEIPT.to_owned(),
        }
    }

    /// Parts with the proof: what remains is to forward the call and to close its record.
    pub(crate) fn spend(self) -> (Permitted<Redacted<Call>>, Open) {
        match self {
            Cleared::Recorded(recorded) => recorded.spend(),
            Cleared::Accounted(accounted) => (accounted.inner, accounted.open),
        }
    }
}

impl Recorder {
    /// Enters a call in the account, if everything speaks for it; otherwise it is refused.
    pub(crate) fn account_for(
        &self,
        unrecorded: Unrecorded<Permitted<Redacted<Call>>>,
    ) -> Result<Accounted<Permitted<Redacted<Call>>>, Forbidden> {
        let Unrecorded { inner, decision, since, error } = unrecorded;
        let class = self.continues.check(&inner)?;
        if !cannot_record(&error) {
            return Err(Forbidden::NotTheRecorder);
        }
        if self.account.trails().is_empty() {
            tracing::error!(%error, "not recording: calls go on unrecorded, and the account of them is in memory only");
        }
        let ticket = self.account.enter(&decision, &error.to_string()).map_err(|_| Forbidden::Invalid)?;
        self.metrics.went_on(class);
        let kept = Kept::InAccount(ticket);
        Ok(Accounted { inner, open: Open { event: decision, since, kept, touches: None } })
    }
}

/// Whether it is the recorder that fails, for now: the only reason to go on without it. A ledger that is closing or a
/// machine without randomness is none.
pub(crate) fn cannot_record(error: &AppendError) -> bool {
    matches!(error, AppendError::NotRecording(_) | AppendError::Keys(_))
}
