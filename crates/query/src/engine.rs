//! The engine: who may ask how much at once, on which threads, and for how long.
//!
//! Questions run on threads of their own, so that a heavy one never delays a receipt, and statements apart from
//! look-ups. Dropping the future of a question cancels it.

pub(crate) mod lane;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion::error::Result as DataFusionResult;
use datafusion::execution::SessionState;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use greffier_analysis::{Activity, Detector, Producer, Report, Subject};
use greffier_event::{EventId, Tenant, Timestamp};
use greffier_ledger::{MAX_CALL_EVENTS, Reader};
use tokio::task::JoinSet;

use crate::analyse::{self, Period};
use crate::engine::lane::Lane;
use crate::facet::{self, CountBy, Counts};
use crate::sift::{OpenContents, Opener};
use crate::view::{Order, View};
use crate::{Page, QueryError, Row, Search, Table, find, sql};

/// Calls that are looked up together: those of a page of an export, whose events fit an answer.
const CALLS_AT_ONCE: usize = 512;
/// Events of one session that are returned: with its contents it is held in memory.
pub const MAX_SESSION_EVENTS: usize = 10_000;
/// Names of memory consumers in an error.
const CONSUMERS_NAMED: std::num::NonZeroUsize = std::num::NonZeroUsize::MIN;

/// What one question may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Rows of an answer.
    pub rows: usize,
    /// Bytes of an answer.
    pub bytes: usize,
    /// Time for an answer, waiting included.
    pub time: Duration,
    /// Memory for the intermediate results of all questions together.
    pub memory: usize,
    /// Questions answered at once: so many look-ups, and so many statements beside them.
    pub concurrent: usize,
    /// Whether filters are evaluated while segments are decoded: much faster look-ups. Off, every answer is the
    /// same.
    pub pushdown: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            rows: 10_000,
            bytes: 32 << 20,
            time: Duration::from_secs(30),
            memory: 256 << 20,
            concurrent: 4,
            pushdown: true,
        }
    }
}

/// Answers questions about trails. Clones share everything.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    open: Option<OpenContents>,
}

struct Shared {
    reader: Reader,
    limits: Limits,
    memory: RuntimeEnv,
    template: SessionState,
    /// What this crate plans itself: it yields often, and so the clock for all questions runs here.
    own: Lane,
    /// What others wrote. A statement may keep its threads busy between two yields; those of `own` stay free.
    statements: Lane,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts the threads.
    pub fn new(reader: Reader, limits: Limits) -> Result<Engine, QueryError> {
        let lane = || Lane::new(limits.concurrent);
        let failed = |error| QueryError::Internal(format!("cannot start threads for queries: {error}"));
        let (own, statements) = (lane().map_err(failed)?, lane().map_err(failed)?);
        let (memory, template) = (memory(limits.memory)?, sql::template());
        let shared = Arc::new(Shared { reader, limits, memory, template, own, statements });
        Ok(Engine { shared, open: None })
    }

    /// The same, for searches that look into contents; without this those that need them are refused, and words are
    /// looked for in the texts of events alone.
    pub fn opening(self, open: OpenContents) -> Engine {
        Engine { open: Some(open), ..self }
    }

    /// Whether it looks into contents for a search; `None` where that asks nothing of them.
    pub fn looks_into_contents(&self, search: &Search) -> Option<bool> {
        (search.has_words() || search.needs_contents()).then_some(self.open.is_some())
    }

    /// The trails themselves, for parts and proofs.
    pub fn reader(&self) -> &Reader {
        &self.shared.reader
    }

    /// What one question may cost.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Matches below `before`, newest index first.
    pub async fn newest(
        &self,
        trail: &Tenant,
        search: &Search,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Page, QueryError> {
        let search = search.clone();
        let question = move |view: Arc<View>, search: Search| async move {
            let end = before.unwrap_or(u64::MAX).min(view.size());
            find::page(&view, &search, view.first().min(end)..end, Order::Newest, limit).await
        };
        self.ask(|shared| &shared.own, trail, search, question).await
    }

    /// Matches above `after`, oldest first: for exports, and to follow a trail.
    pub async fn oldest(
        &self,
        trail: &Tenant,
        search: &Search,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Page, QueryError> {
        let search = search.clone();
        let question = move |view: Arc<View>, search: Search| async move {
            let start = after.map_or(0, |after| after.saturating_add(1)).max(view.first()).min(view.size());
            find::page(&view, &search, start..view.size(), Order::Oldest, limit).await
        };
        self.ask(|shared| &shared.own, trail, search, question).await
    }

    /// How many match.
    pub async fn count(&self, trail: &Tenant, search: &Search) -> Result<u64, QueryError> {
        let question = |view: Arc<View>, search: Search| async move { find::count(&view, &search).await };
        let answer = self.ask(|shared| &shared.own, trail, search.clone(), question).await;
        answer.map_err(|error| self.unanswered(search, error))
    }

    /// How many match, by the values of fields and over time.
    pub async fn counts(&self, trail: &Tenant, search: &Search, by: &CountBy) -> Result<Counts, QueryError> {
        let question = |view: Arc<View>, (search, by): (Search, CountBy)| async move {
            facet::counts(&view, &search, &by).await
        };
        let answer = self.ask(|shared| &shared.own, trail, (search.clone(), by.clone()), question).await;
        answer.map_err(|error| self.unanswered(search, error))
    }

    /// What to do about an answer that took too long depends on what took the time.
    fn unanswered(&self, search: &Search, error: QueryError) -> QueryError {
        match error {
            QueryError::Timeout(limit) if self.looks_into_contents(search) == Some(true) => {
                QueryError::Opening(limit)
            }
            error => error,
        }
    }

    /// The event with this id.
    pub async fn event(&self, trail: &Tenant, id: EventId) -> Result<Option<Row>, QueryError> {
        let question = |view: Arc<View>, id: EventId| async move { find::event(&view, id).await };
        self.ask(|shared| &shared.own, trail, id, question).await
    }

    /// The events of one call, in order: 1,024 at most, what the gateway says of it first.
    pub async fn call(&self, trail: &Tenant, request_id: &str) -> Result<Vec<Row>, QueryError> {
        let question =
            |view: Arc<View>, id: String| async move { find::call(&view, &id, MAX_CALL_EVENTS).await };
        self.ask(|shared| &shared.own, trail, request_id.to_owned(), question).await
    }

    /// How many events of one call there are beside those that are returned.
    pub async fn left_out_of_call(
        &self,
        trail: &Tenant,
        request_id: &str,
        returned: usize,
    ) -> Result<u64, QueryError> {
        self.beyond(trail, &Search::of_call(request_id), returned, MAX_CALL_EVENTS).await
    }

    /// The events of several calls, oldest first: of each call as many as [`Engine::call`] gives.
    pub async fn calls(&self, trail: &Tenant, request_ids: &[String]) -> Result<Vec<Row>, QueryError> {
        let mut rows = Vec::new();
        let mut left: Vec<&[String]> = request_ids.chunks(CALLS_AT_ONCE).collect();
        while let Some(some) = left.pop() {
            let question = |view: Arc<View>, some: Vec<String>| async move {
                find::of_calls(&view, &some, MAX_CALL_EVENTS).await
            };
            match self.ask(|shared| &shared.own, trail, some.to_vec(), question).await {
                Err(QueryError::TooLarge(_)) if some.len() > 1 => {
                    let (some, others) = some.split_at(some.len() / 2);
                    left.extend([some, others]);
                }
                found => rows.extend(found?),
            }
        }
        rows.sort_unstable_by_key(|row| row.index);
        Ok(rows)
    }

    /// Which of these entries match, in order.
    pub async fn matching(
        &self,
        trail: &Tenant,
        search: &Search,
        indexes: &[u64],
    ) -> Result<Vec<u64>, QueryError> {
        let question = |view: Arc<View>, (search, indexes): (Search, Vec<u64>)| async move {
            find::matching(&view, &search, &indexes).await
        };
        self.ask(|shared| &shared.own, trail, (search.clone(), indexes.to_vec()), question).await
    }

    /// The events of one session, oldest first, [`MAX_SESSION_EVENTS`] at most.
    pub async fn session(&self, trail: &Tenant, session_id: &str) -> Result<Vec<Row>, QueryError> {
        let question = |view: Arc<View>, id: String| async move {
            find::equal(&view, "session_id", &id, MAX_SESSION_EVENTS).await
        };
        self.ask(|shared| &shared.own, trail, session_id.to_owned(), question).await
    }

    /// How many events of one session are behind those that are returned.
    pub async fn left_out(
        &self,
        trail: &Tenant,
        session_id: &str,
        returned: usize,
    ) -> Result<u64, QueryError> {
        self.beyond(trail, &Search::of_session(session_id), returned, MAX_SESSION_EVENTS).await
    }

    /// How many matches there are beside those that are returned, where no more than `most` are.
    async fn beyond(
        &self,
        trail: &Tenant,
        search: &Search,
        returned: usize,
        most: usize,
    ) -> Result<u64, QueryError> {
        if returned < most {
            return Ok(0);
        }
        let all = self.counts(trail, search, &CountBy::default()).await?;
        Ok(all.total.events.saturating_sub(returned as u64))
    }

    /// What one read-only statement over the table `events` yields.
    pub async fn sql(&self, trail: &Tenant, text: &str) -> Result<Table, QueryError> {
        let question = |view: Arc<View>, text: String| async move { sql::run(&view, &text).await };
        self.ask(|shared| &shared.statements, trail, text.to_owned(), question).await
    }

    /// What an agent, a user, a tool or a tenant did, from `since` on and before `until`.
    pub async fn activity(
        &self,
        trail: &Tenant,
        subject: Subject,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Activity, QueryError> {
        let period = Period { since, until };
        let question = move |view: Arc<View>, subject: Subject| async move {
            analyse::activity(&view, &subject, period).await
        };
        self.ask(|shared| &shared.own, trail, subject, question).await
    }

    /// Shows a detector what it has not seen of a trail, a million entries at most, and says whether there are more.
    /// What it saw before does not count again, so that it may be asked twice.
    pub(crate) async fn observe(
        &self,
        trail: &Tenant,
        detector: Arc<Mutex<Detector>>,
    ) -> Result<bool, QueryError> {
        let question = |view: Arc<View>, detector: Arc<Mutex<Detector>>| async move {
            analyse::observe(&view, &detector).await
        };
        self.ask(|shared| &shared.own, trail, detector, question).await
    }

    /// Which events are missing of producers that number theirs, of what happened from `since` on and before `until`.
    pub async fn producers(
        &self,
        trail: &Tenant,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Vec<Producer>, QueryError> {
        let period = Period { since, until };
        let question = move |view: Arc<View>, ()| async move { analyse::producers(&view, period).await };
        self.ask(|shared| &shared.own, trail, (), question).await
    }

    /// What happened from `since` on and before `until`.
    pub async fn report(
        &self,
        trail: &Tenant,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Report, QueryError> {
        let question = move |view: Arc<View>, ()| async move { analyse::report(&view, since, until).await };
        self.ask(|shared| &shared.own, trail, (), question).await
    }

    /// Asks one snapshot about `what`, on the threads of a lane.
    async fn ask<W, T, F>(
        &self,
        lane: fn(&Shared) -> &Lane,
        trail: &Tenant,
        what: W,
        question: impl Fn(Arc<View>, W) -> F + Send + Sync + 'static,
    ) -> Result<T, QueryError>
    where
        W: Clone + Send + Sync + 'static,
        T: Send + 'static,
        F: Future<Output = Result<T, QueryError>> + Send,
    {
        let Ok(_place) = lane(&self.shared).admitted.try_acquire() else { return Err(QueryError::Busy) };
        let (shared, trail, open) = (Arc::clone(&self.shared), trail.clone(), self.open.clone());
        let work = async move { shared.answer(lane, &trail, open.as_ref(), what, question).await };
        // Dropping a set cancels its task: the outer one when nobody waits any more, the inner one with it or
        // when time is up.
        let (mut task, mut clock) = (JoinSet::new(), JoinSet::new());
        task.spawn_on(work, lane(&self.shared).handle());
        let limit = self.shared.limits.time;
        let timed = async move { tokio::time::timeout(limit, task.join_next()).await };
        clock.spawn_on(timed, self.shared.own.handle());
        match clock.join_next().await {
            Some(Ok(Ok(Some(Ok(answer))))) => answer,
            Some(Ok(Err(_))) => Err(QueryError::Timeout(limit)),
            Some(Ok(Ok(Some(Err(error))))) | Some(Err(error)) => {
                tracing::error!(%error, "a query ended early");
                Err(QueryError::Internal("the question could not be answered: see the log".to_owned()))
            }
            Some(Ok(Ok(None))) | None => Err(QueryError::Busy),
        }
    }
}

impl Shared {
    /// Takes its turn and asks the trail as it stands then; once more if a segment was superseded meanwhile.
    async fn answer<W: Clone, T, F>(
        &self,
        lane: fn(&Shared) -> &Lane,
        trail: &Tenant,
        open: Option<&OpenContents>,
        what: W,
        question: impl Fn(Arc<View>, W) -> F,
    ) -> Result<T, QueryError>
    where
        F: Future<Output = Result<T, QueryError>>,
    {
        // The permit stays with the work: a cancelled question counts until it really ends.
        let _permit = lane(self).running.acquire().await;
        let view = self.view(trail, open).await?;
        let answer = question(Arc::clone(&view), what.clone()).await;
        if answer.is_ok() || !view.table.files().is_missing_one() {
            return answer;
        }
        question(self.view(trail, open).await?, what).await
    }

    async fn view(&self, trail: &Tenant, open: Option<&OpenContents>) -> Result<Arc<View>, QueryError> {
        let (reader, of) = (self.reader.clone(), trail.clone());
        let read = tokio::task::spawn_blocking(move || reader.snapshot(&of));
        let snapshot = read.await.map_err(|error| QueryError::Internal(error.to_string()))??;
        let reader = Some(self.reader.clone());
        let mut view = View::new(snapshot, reader, self.template.clone(), &self.memory, &self.limits);
        view.contents = open.map(|open| Opener {
            reader: self.reader.clone(),
            trail: trail.clone(),
            open: Arc::clone(open),
        });
        Ok(Arc::new(view))
    }
}

/// Where queries find memory, and that there is no disk.
pub(crate) fn memory(bytes: usize) -> DataFusionResult<RuntimeEnv> {
    let pool = TrackConsumersPool::new(GreedyMemoryPool::new(bytes), CONSUMERS_NAMED);
    // What is on record never goes to a second place on disk.
    let no_disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).with_disk_manager_builder(no_disk).build()
}

#[cfg(test)]
mod tests;
