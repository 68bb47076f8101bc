//! How a destination is reached: over which connections, how many at once, how often it is tried, and when it is left
//! alone. `forward` stands above; `bound`, `circuit` and `http_client` below.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bound::Bound;
use crate::circuit::Circuit;
use crate::http_client::{self, HttpClient, TlsError, TlsTrust};
use crate::resolve::Host;

/// Attempts of one call, the first included: the caller waits, and the record holds each.
pub const MAX_RETRIES: usize = 5;

/// On which terms a destination is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Further attempts after one of which nothing was sent, or that was to be repeated later.
    pub retries: usize,
    /// Longest `Retry-After` of a 429 or 503 that is waited for, before a method that may be repeated is; `None`: never.
    pub retry_after: Option<Duration>,
    /// Whether another upstream that serves the model is asked when this one cannot be.
    pub fallback: bool,
    /// Calls under way at once.
    pub concurrent: usize,
    /// Calls that may wait for a place.
    pub queue: usize,
    /// How long they wait.
    pub queue_time: Duration,
    /// Failures in a row after which it is left alone.
    pub open_after: u32,
    /// For how long.
    pub open_for: Duration,
    /// Where its address comes from.
    pub host: Host,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            retries: 2,
            retry_after: None,
            fallback: false,
            // Half of the connections that a node takes by default: one slow upstream must not hold them all.
            concurrent: 512,
            queue: 512,
            queue_time: Duration::from_secs(5),
            open_after: 5,
            open_for: Duration::from_secs(10),
            host: Host::Named,
        }
    }
}

/// A destination's connections, places and health; cloning shares them.
#[derive(Clone)]
pub struct Reach(Arc<Shared>);

struct Shared {
    terms: Terms,
    client: HttpClient,
    circuit: Circuit,
    bound: Bound,
}

impl Default for Reach {
    fn default() -> Reach {
        Reach::over(Terms::default(), http_client::new())
    }
}

impl std::fmt::Debug for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reach").field(&self.0.terms).finish()
    }
}

impl Reach {
    /// Reaches on these terms, trusting those certificates.
    ///
    /// # Errors
    /// When the certificates or the key cannot be used.
    pub fn new(terms: Terms, trust: &TlsTrust) -> Result<Reach, TlsError> {
        let client = http_client::trusting(trust, terms.host)?;
        Ok(Reach::over(terms, client))
    }

    fn over(terms: Terms, client: HttpClient) -> Reach {
        let circuit = Circuit::new(terms.open_after, terms.open_for);
        let bound = Bound::new(terms.concurrent, terms.queue, terms.queue_time);
        Reach(Arc::new(Shared { terms, client, circuit, bound }))
    }

    pub(crate) fn terms(&self) -> &Terms {
        &self.0.terms
    }

    pub(crate) fn client(&self) -> &HttpClient {
        &self.0.client
    }

    pub(crate) fn circuit(&self) -> &Circuit {
        &self.0.circuit
    }

    pub(crate) fn bound(&self) -> &Bound {
        &self.0.bound
    }

    /// How long it is left alone yet, if it is.
    pub(crate) fn rests(&self, now: Instant) -> Option<Duration> {
        self.0.circuit.rests(now)
    }
}
