//! Show it: the read API, ingest and the trails over HTTP.
//!
//! This crate never sees a socket: a [`Visit`] comes in, a response goes out. `route.rs` is the table of what is
//! served; `admit.rs` authorises and records every read before it happens; the other files read. What is asked
//! goes to the query engine, contents and proofs to the ledger's reader. Below stand query, analysis, policy,
//! ledger, safety, merkle and event; above, the binary, which puts it on the gateway's listener.

mod admit;
mod analyse;
mod api;
mod attest;
mod chain;
mod cursor;
mod erasures;
mod events;
mod evidence;
mod export;
mod facets;
mod holds;
mod ingest;
mod judge;
mod level;
mod lookup;
mod openapi;
mod otlp;
mod pack;
mod params;
mod parts;
mod receivers;
mod recorder;
mod refuse;
mod report;
mod respond;
mod route;
mod sql;
mod steps;
mod subjects;
mod summary;
mod tail;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod visit;

pub use api::{Api, Inspection};
pub use chain::{Chain, in_order_of_time};
pub use export::{
    CURSOR_HEADER, EXPIRED_HEADER, Export, ExportError, ExportFormat, OpenParts, cursor as export_cursor,
};
pub use facets::FacetsAnswer;
pub use pack::{HasKeys, PackMaker, PackMakingError, PackOrder, PackRange};
pub use receivers::{Receiver, Receivers};
pub use recorder::{Beat, Recorder, Untold};
pub use refuse::Unreadable;
pub use report::{ReportError, ReportOrder, assess, period, person, summary};
pub use tokio_util::sync::CancellationToken;
pub use visit::{Access, Body, Upload, Visit};
