//! Guard: identify, decide, inspect, record, forward.
//!
//! The gateway stands between agents and what they act on. It is not a policy engine, a detector or a log: those
//! are the crates below; it owns the path of a call (`pipeline.rs`), the wire formats at its edge (`adapt`,
//! `wire`, `sse`, `stream`, `prices`: pure) and the effects between them (`identify`, `record`, `forward`,
//! `reply`, `server`). It appends to the ledger and never reads it. Above it stand the binary and, behind the door
//! in `site.rs`, the guest that answers every other path.

mod account;
pub mod adapt;
mod body;
mod bound;
mod chain;
mod circuit;
mod clean;
mod clock;
mod continues;
mod decide;
mod forward;
mod framing;
mod gap;
mod gateway;
mod handling;
mod head_list;
mod heartbeat;
mod hook;
mod http_client;
mod identify;
mod inspect;
mod issuer_keys;
mod malformed;
pub mod mcp;
mod media;
mod metrics;
mod pipeline;
mod policy_diff;
mod policy_watch;
pub mod prices;
mod reach;
mod read;
mod record;
mod refusals;
mod refuse;
mod remote;
mod reply;
mod resolve;
mod route;
mod send;
mod server;
mod settings;
mod site;
pub mod sse;
mod stored;
pub mod stream;
mod tls;
pub mod tools;
mod touched;
mod unrecorded;
mod windows;
pub mod wire;

use std::sync::Arc;

use greffier_ledger::{Appender, Startup};
use greffier_policy::Policies;
use tokio::net::TcpListener;
pub use tokio_util::sync::CancellationToken;

pub use body::Body;
pub use clock::{Clock, Shift};
pub use continues::{Class, Continues};
pub use hook::Client as HookClient;
pub use http_client::{HttpClient, TlsError, TlsTrust, client_to};
pub use mcp::{Launch, McpServer, McpSettings, OnChange, Transport};
pub use policy_watch::read_dir as read_policies;
pub use reach::{MAX_RETRIES, Reach, Terms};
pub use remote::{OnFailure, Remote};
pub use resolve::Host;
pub use settings::{KeySource, Limits, Secret, Settings, ToolServer, TrustedIssuer, Upstream, UpstreamKind};
pub use site::{Access, Receiver, Site, Unreadable, Upload, Visit};
pub use tls::TlsFiles;

use crate::gateway::Gateway;
use crate::tls::Certificate;

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The keys of an issuer, given by file, cannot be used.
    #[error("{0}")]
    Keys(String),
    /// The pins of MCP servers' tools cannot be read.
    #[error("{0}")]
    Pins(std::io::Error),
    /// The listener's certificate or its key cannot be used.
    #[error("the listener's certificate: {0}")]
    Tls(tls::TlsFileError),
}

/// What a stop leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "calls that are on no record must not go unmentioned"]
pub struct Stopped {
    /// Calls that were made unrecorded and whose account could not be written: it is lost.
    pub unaccounted: u64,
    /// Outcomes that are lost with it, of calls whose decisions are on record: the next start closes them.
    pub outcomes: u64,
}

/// Whether the keys of an issuer with this URL may be fetched: over TLS, or from loopback.
pub fn may_fetch(url: &str) -> bool {
    issuer_keys::may_fetch(url)
}

/// Serves on `listener` until `stop`, then drains. What the gateway does not govern it offers to `site`. The ledger stays open: closing it is the caller's last step.
///
/// # Errors
/// When fixed issuer keys are not usable. Trouble with the ledger or an identity provider is no reason not to
/// start: calls are refused until it is over, and `/readyz` says so.
pub async fn serve(
    mut settings: Settings,
    policies: Policies,
    appender: Appender,
    startup: Startup,
    listener: TcpListener,
    stop: CancellationToken,
    site: Option<Arc<dyn Site>>,
) -> Result<Stopped, StartError> {
    for upstream in read::without_key(&settings.upstreams) {
        tracing::warn!(upstream, "its API key is not set: calls to it are refused");
    }
    let policy_dir = settings.policy_dir.clone();
    let issuers = settings.issuers.iter().map(|trusted| trusted.issuer.url.clone()).collect();
    let local = settings.listen.ip().is_loopback();
    let mcp = mcp::Mcp::new(std::mem::take(&mut settings.mcp), local, issuers).map_err(StartError::Pins)?;
    let tls = settings.tls.clone().map(Certificate::load).transpose().map_err(StartError::Tls)?;
    let gateway = Gateway::new(settings, mcp, policies, appender, site, stop.clone())
        .map_err(|error| StartError::Keys(error.to_string()))?;
    let gateway = Arc::new(gateway);
    // The ledger may come up later than the listener (a full disk): its findings are recorded when it does.
    let opening = tokio::spawn({
        let gateway = Arc::clone(&gateway);
        async move {
            if let Ok(recovered) = startup.recovered.await {
                gateway.started(recovered).await;
            }
        }
    });
    let pace = tokio::spawn(Arc::clone(&gateway).keep_pace(policy_dir));
    let keys = tokio::spawn(Arc::clone(&gateway).keep_keys());
    let tls = tls.map(Arc::new);
    let renewal = tls.clone().map(|tls| tokio::spawn(tls.keep()));
    server::listen(Arc::clone(&gateway), listener, tls, stop).await;
    if let Some(renewal) = renewal {
        renewal.abort();
    }
    pace.abort();
    keys.abort();
    opening.abort();
    let left = gateway.stopped().await;
    Ok(Stopped { unaccounted: left.accounted + left.counted, outcomes: left.late })
}
