//! The read API as the gateway's guest: two crates that do not know each other, with the same shapes.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use greffier_api::{Api, Inspection, Receivers};
use greffier_gateway::{Access, Body, Receiver, Site, Unreadable, Visit};
use greffier_ledger::{Appender, Eraser};
use greffier_query::{Engine, Watch};
use greffier_safety::Scanner;
use http::{Method, Response};

/// The read API behind the gateway's door.
pub(crate) struct ReadSite(Api);

impl ReadSite {
    /// Reads through `engine`; `appender` records every read and what is ingested, in the name of `node`, and `eraser`
    /// erases.
    pub(crate) fn new(
        engine: Engine,
        appender: Appender,
        eraser: Eraser,
        node: String,
        scanner: Arc<Scanner>,
        ingest: Inspection,
    ) -> ReadSite {
        ReadSite(Api::new(engine, appender, node, scanner).erasing(eraser).inspecting(ingest))
    }

    /// What it reads through.
    pub(crate) fn engine(&self) -> &Engine {
        self.0.engine()
    }

    /// Who is told of what is found.
    pub(crate) fn receivers(&self) -> &Receivers {
        self.0.receivers()
    }

    /// What looks for the unusual on its trails.
    pub(crate) fn watch(&self) -> &Watch {
        self.0.watch()
    }
}

impl Site for ReadSite {
    fn access(&self, method: &Method, path: &str) -> Access {
        match self.0.access(method, path) {
            greffier_api::Access::Unknown => Access::Unknown,
            greffier_api::Access::WrongMethod => Access::WrongMethod,
            greffier_api::Access::Open => Access::Open,
            greffier_api::Access::Caller => Access::Caller,
        }
    }

    fn takes_coded(&self, path: &str) -> bool {
        self.0.takes_coded(path)
    }

    fn takes_upload(&self, method: &Method, path: &str) -> bool {
        self.0.takes_upload(method, path)
    }

    fn receivers(&self) -> Vec<Receiver> {
        let receiver = |(name, receiver): (String, greffier_api::Receiver)| Receiver {
            name,
            told: receiver.told,
            given_up: receiver.given_up,
            failing: receiver.failing.map(|(since, why)| format!("{why}, since {since}")),
        };
        self.0.receivers().all().into_iter().map(receiver).collect()
    }

    fn answer(&self, visit: Visit) -> BoxFuture<'static, Response<Body>> {
        let api = self.0.clone();
        let Visit { parts, body, upload, caller, policies, peer, now, request_id, stop, gone } = visit;
        let visit =
            greffier_api::Visit { parts, body, upload, caller, policies, peer, now, request_id, stop, gone };
        Box::pin(async move {
            let mut response = api.answer(visit).await;
            let unreadable = response.extensions_mut().remove::<greffier_api::Unreadable>();
            if let Some(greffier_api::Unreadable { code, message }) = unreadable {
                response.extensions_mut().insert(Unreadable { code, message });
            }
            response
        })
    }
}
