//! One request, from its row in the table to its answer.

use std::sync::Arc;

use greffier_event::Principal;
use greffier_ledger::{Appender, Eraser, ReadError, Reader};
use greffier_query::{Engine, QueryError, SearchError, Watch};
use greffier_safety::Scanner;
use http::{Method, Response};
use tokio::sync::Semaphore;

use crate::params::Params;
use crate::receivers::Receivers;
use crate::refuse::Refused;
use crate::route::{self, Endpoint, Matched};
use crate::visit::{Access, Body, Visit};
use crate::{
    analyse, attest, erasures, events, evidence, export, facets, holds, ingest, judge, lookup, openapi, otlp,
    pack, respond, sql,
};
use crate::{report, subjects, tail};

/// Tails at one time: each asks the engine twice a second.
const MAX_TAILS: usize = 64;
/// Exports at one time: each holds a page of entries with their contents.
const MAX_EXPORTS: usize = 4;

/// The read API. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    pub(crate) engine: Engine,
    /// Looks at the trails for what is unusual.
    pub(crate) watch: Watch,
    pub(crate) appender: Appender,
    /// The node's name in events.
    pub(crate) node: Arc<str>,
    pub(crate) scanner: Arc<Scanner>,
    /// Whoever erases, where this node does.
    pub(crate) eraser: Option<Eraser>,
    pub(crate) tails: Arc<Semaphore>,
    pub(crate) exports: Arc<Semaphore>,
    pub(crate) sequences: Arc<ingest::Sequences>,
    pub(crate) inspection: Inspection,
    /// Who is told of findings.
    pub(crate) receivers: Receivers,
}

/// What is looked for in the contents of ingested events. What stands in a leaf is inspected in full whatever is chosen
/// here: a leaf is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inspection {
    /// Everything that is detected.
    #[default]
    Full,
    /// Secrets under telling keys only: for producers that redact by themselves, at a fraction of the cost.
    Keys,
}

/// A request that found its row.
pub(crate) struct Request {
    pub(crate) visit: Visit,
    pub(crate) matched: Matched,
    pub(crate) params: Params,
}

impl Api {
    /// Reads through `engine`, records through `appender`; `scanner` inspects what is ingested.
    pub fn new(engine: Engine, appender: Appender, node: impl Into<String>, scanner: Arc<Scanner>) -> Api {
        // Whoever may read a trail may see its contents, so their searches look into them, too.
        let keys = appender.clone();
        let engine = engine.opening(Arc::new(move |found| found.open_parts(keys.keys())));
        Api {
            watch: Watch::new(engine.clone()),
            engine,
            appender,
            node: node.into().into(),
            scanner,
            eraser: None,
            tails: Arc::new(Semaphore::new(MAX_TAILS)),
            exports: Arc::new(Semaphore::new(MAX_EXPORTS)),
            sequences: Arc::default(),
            inspection: Inspection::default(),
            receivers: Receivers::default(),
        }
    }

    /// With this, what was recorded can be erased and held.
    pub fn erasing(mut self, eraser: Eraser) -> Api {
        self.eraser = Some(eraser);
        self
    }

    /// How the contents of ingested events are inspected; in full without this.
    pub fn inspecting(mut self, inspection: Inspection) -> Api {
        self.inspection = inspection;
        self
    }

    /// Who is told of findings: shared with whoever tells them.
    pub fn receivers(&self) -> &Receivers {
        &self.receivers
    }

    /// What it reads through.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The detectors of its trails, so that whoever records what they find shares them.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// What a path asks of its caller.
    pub fn access(&self, method: &Method, path: &str) -> Access {
        route::access(method, path)
    }

    /// Whether a path takes a body in a content coding, and undoes it itself.
    pub fn takes_coded(&self, path: &str) -> bool {
        otlp::is_route(path) || path == ingest::PATH
    }

    /// Whether a path takes its body as it comes, and bounds it itself.
    pub fn takes_upload(&self, method: &Method, path: &str) -> bool {
        method == Method::POST && path == ingest::PATH
    }

    /// Answers a request. Who calls has been verified: this decides what they may.
    pub async fn answer(&self, visit: Visit) -> Response<Body> {
        let request_id = visit.request_id.clone();
        // On the heap: the longest of all routes would lie in every caller.
        match Box::pin(self.dispatch(visit)).await {
            Ok(mut response) => {
                respond::mark(response.headers_mut(), &request_id, None);
                response
            }
            Err(refused) => refused.response(&request_id),
        }
    }

    async fn dispatch(&self, visit: Visit) -> Result<Response<Body>, Refused> {
        let matched =
            route::find(&visit.parts.method, visit.parts.uri.path()).map_err(|access| match access {
                Access::WrongMethod => {
                    Refused::new(405, "method_not_allowed", "this route does not take that method")
                }
                _ => Refused::new(404, "unknown_route", "nothing is served at this path"),
            })?;
        let params = Params::parse(visit.parts.uri.query(), matched.route)?;
        let endpoint = matched.route.endpoint;
        let request = Request { visit, matched, params };
        match endpoint {
            Endpoint::Ingest => ingest::ingest(self, request).await,
            Endpoint::Events => events::events(self, request).await,
            Endpoint::Facets => facets::facets(self, request).await,
            Endpoint::Export => export::export(self, request).await,
            Endpoint::Evidence => pack::evidence(self, request).await,
            Endpoint::Event => lookup::event(self, request).await,
            Endpoint::Call => lookup::call(self, request).await,
            Endpoint::Session => lookup::session(self, request).await,
            Endpoint::Sql => sql::sql(self, request).await,
            Endpoint::Activity => analyse::activity(self, request).await,
            Endpoint::Producers => analyse::producers(self, request).await,
            Endpoint::Findings => analyse::findings(self, request).await,
            Endpoint::Report => report::report(self, request).await,
            Endpoint::Attest => attest::attest(self, request).await,
            Endpoint::Judge(word) => judge::judge(self, request, word).await,
            Endpoint::Proof => evidence::proof(self, request).await,
            Endpoint::Tail => tail::tail(self, request).await,
            Endpoint::Trails => evidence::trails(self, request).await,
            Endpoint::Checkpoint => evidence::checkpoint(self, request).await,
            Endpoint::Entries => evidence::entries(self, request).await,
            Endpoint::Tile => evidence::tile(self, request).await,
            Endpoint::Erase => erasures::ask(self, request).await,
            Endpoint::Erasures => erasures::list(self, request).await,
            Endpoint::Erasure => erasures::one(self, request).await,
            Endpoint::EraseApprove => erasures::approve(self, request).await,
            Endpoint::EraseDeny => erasures::deny_request(self, request).await,
            Endpoint::Hold => holds::add(self, request).await,
            Endpoint::Holds => holds::list(self, request).await,
            Endpoint::Release => holds::release(self, request).await,
            Endpoint::Subjects => subjects::subjects(self, request).await,
            Endpoint::Otlp(signal) => otlp::take(self, request, signal).await,
            Endpoint::OpenApi => openapi::document(),
        }
    }

    /// Reads the ledger, where a read may wait for the disk without holding up others.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Refused> {
        let reader = self.engine.reader().clone();
        let read = tokio::task::spawn_blocking(move || read(&reader)).await;
        Ok(read.map_err(|error| Refused::internal("reading the ledger", &error))??)
    }
}

impl Request {
    /// Who calls. The gateway lets nobody in here without a token; if it ever did, this refuses.
    pub(crate) fn caller(&self) -> Result<&Principal, Refused> {
        let missing = || Refused::new(401, "missing_token", "this route needs an access token");
        self.visit.caller.as_ref().ok_or_else(missing)
    }

    /// What the engine answers, unless the caller goes away before: that drops the question, and the engine stops.
    pub(crate) async fn answered<T>(
        &self,
        question: impl Future<Output = Result<T, QueryError>>,
    ) -> Result<T, Refused> {
        tokio::select! {
            answer = question => Ok(answer?),
            () = self.visit.gone.cancelled() => Err(Refused::new(499, "gone", "the caller is gone")),
        }
    }

    /// The trail that the caller names, if any.
    pub(crate) fn named_trail(&self) -> Option<&str> {
        self.params.text("tenant")
    }
}

impl From<SearchError> for Refused {
    fn from(error: SearchError) -> Refused {
        Refused::new(400, "search_syntax", error.message)
            .at(error.at)
            .hint("as in `user:alice tool:crm:* decision:deny since:7d -has:error`")
    }
}

impl From<QueryError> for Refused {
    fn from(error: QueryError) -> Refused {
        let status = match &error {
            QueryError::Search(search) => return search.clone().into(),
            _ => match error.code() {
                "sql_syntax" | "sql_refused" => 400,
                "too_large" => 422,
                "busy" => 503,
                "timeout" => 504,
                _ => return Refused::internal("asking the engine", &error),
            },
        };
        Refused::new(status, error.code(), error.to_string())
    }
}
