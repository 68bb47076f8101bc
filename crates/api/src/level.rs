//! How much a receipt is worth, for those who ask for more than durable: `level=` on ingest and on proofs.

use std::time::Duration;

use greffier_event::Tenant;
use greffier_ledger::{Level, NoWitnesses};
use http::{HeaderMap, HeaderValue};
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::params::Params;
use crate::refuse::Refused;

/// Longest wait for a level: a checkpoint takes a second, cosignatures some more; callers give up after 30.
const PATIENCE: Duration = Duration::from_secs(20);

/// The level that is asked for.
pub(crate) fn asked(params: &Params) -> Result<Option<Level>, Refused> {
    let level = |name| {
        let wrong = || Refused::bad_parameter("`level` must be durable, integrated or witnessed");
        Level::parse(name).ok_or_else(wrong)
    };
    params.text("level").map(level).transpose()
}

/// Says the level of what is answered.
pub(crate) fn mark(headers: &mut HeaderMap, level: Level) {
    headers.insert("greffier-level", HeaderValue::from_static(level.name()));
}

impl Api {
    /// Waits until an entry has reached a level, for a while, and says which it has.
    pub(crate) async fn reach(
        &self,
        trail: &Tenant,
        index: u64,
        level: Level,
        stop: &CancellationToken,
    ) -> Result<Level, Refused> {
        let heads = self.appender.heads();
        let reached = async {
            tokio::select! {
                reached = tokio::time::timeout(PATIENCE, heads.reach(trail, index, level)) => reached.unwrap_or(Ok(())),
                () = stop.cancelled() => Ok(()),
            }
        };
        reached.await?;
        Ok(heads.level(trail, index))
    }

    /// [`Api::reach`], or a refusal that says how far it came.
    pub(crate) async fn must_reach(
        &self,
        trail: &Tenant,
        index: u64,
        level: Level,
        stop: &CancellationToken,
    ) -> Result<(), Refused> {
        let reached = self.reach(trail, index, level, stop).await?;
        if reached >= level {
            return Ok(());
        }
        let seconds = PATIENCE.as_secs();
        let message = format!("after {seconds} s entry {index} of trail `{trail}` is {reached}, not {level}");
        Err(Refused::new(504, "level_not_reached", message).hint("ask again; the receipt stays valid"))
    }
}

impl From<NoWitnesses> for Refused {
    fn from(error: NoWitnesses) -> Refused {
        Refused::new(409, "no_witnesses", error.to_string())
    }
}
