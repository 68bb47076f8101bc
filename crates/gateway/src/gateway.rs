//! What all calls share, and the node's own life: start, its pace once a second, and stop.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures_util::StreamExt;
use greffier_event::{Call, Content, Draft, EventType, Part, Principal, Target, Tenant, Timestamp};
use greffier_ledger::{Appender, Recovered};
use greffier_policy::Policies;
use greffier_safety::Rulebook;
use http::HeaderMap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::account::Totals;
use crate::adapt::LlmRequest;
use crate::chain::Chains;
use crate::clock::{self, Clock};
use crate::handling::Handling;
use crate::head_list::{self, HeadList};
use crate::heartbeat::{self, Heartbeat, Pulse};
use crate::hook::OpenHooks;
use crate::http_client::{self, HttpClient};
use crate::identify::{self, Identities};
use crate::inspect::{Inspector, is_json};
use crate::issuer_keys::KeysError;
use crate::malformed::Malformed;
use crate::mcp::Mcp;
use crate::media;
use crate::metrics::Metrics;
use crate::policy_diff;
use crate::policy_watch::{self, Watched};
use crate::prices::Prices;
use crate::record::Recorder;
use crate::refusals::Refusals;
use crate::refuse::Refused;
use crate::remote::{OnFailure, Remote, Unanswered};
use crate::route::Route;
use crate::settings::{Limits, Secret, Settings, ToolServer, Upstream};
use crate::site::{Receiver, Site};
use crate::stored::{NotYours, Owner, StoredResponses};

/// A step of the wall clock against the steady one that is worth an event.
const CLOCK_STEP: Duration = Duration::from_secs(2);
/// Open decisions closed at once at start: as many as share one sync without crowding the ledger's queue.
const CLOSED_AT_ONCE: usize = 256;
/// Longest wait at a stop for the account to be written: a few of the ledger's own tries, one a second.
const LAST_WAIT: Duration = Duration::from_secs(4);
/// Seconds between two lines in the log about what is owed: should the process die, they are all that is left of it.
const SAID_EACH: u64 = 60;
/// Between two looks during that wait.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What all calls share.
pub(crate) struct Gateway {
    pub(crate) node: String,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) tools: Vec<ToolServer>,
    pub(crate) mcp: Mcp,
    pub(crate) prices: Prices,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) client: HttpClient,
    pub(crate) identities: Identities,
    pub(crate) policies: ArcSwap<Policies>,
    pub(crate) inspector: Inspector,
    pub(crate) recorder: Recorder,
    pub(crate) refusals: Refusals,
    pub(crate) malformed: Malformed,
    /// Uses of tools that hooks asked about, and whose end is not told yet.
    pub(crate) hooks: OpenHooks,
    /// Which calls belong together.
    pub(crate) chains: Chains,
    pub(crate) metrics: Metrics,
    /// Whose the responses are that providers keep.
    pub(crate) stored: StoredResponses,
    /// Calls under way; a stop waits for them.
    pub(crate) calls: TaskTracker,
    /// Who answers what is not governed.
    pub(crate) site: Option<Arc<dyn Site>>,
    /// Cancelled when the gateway stops.
    pub(crate) stop: CancellationToken,
    rulebook: Rulebook,
    remote: Option<Remote>,
    config_text: String,
    /// Its digest, as heartbeats carry it.
    config_digest: String,
    /// Whether the node's start is on record.
    on_record: AtomicBool,
    /// Which heads of trails the node's trail lists already.
    head_list: tokio::sync::Mutex<HeadList>,
}

impl Gateway {
    pub(crate) fn new(
        settings: Settings,
        mcp: Mcp,
        policies: Policies,
        appender: Appender,
        site: Option<Arc<dyn Site>>,
        stop: CancellationToken,
    ) -> Result<Gateway, KeysError> {
        let client = http_client::new();
        let identities = Identities::new(settings.issuers, &client)?;
        let inspector = Inspector::new(settings.scanner);
        let metrics = Metrics::new();
        let clock = settings.clock;
        let recorder = Recorder::new(
            appender,
            inspector.clone(),
            metrics.clone(),
            clock.clone(),
            &settings.node,
            settings.continues,
        );
        Ok(Gateway {
            refusals: Refusals::new(recorder.clone()),
            malformed: Malformed::new(recorder.clone()),
            hooks: OpenHooks::default(),
            chains: Chains::default(),
            node: settings.node,
            upstreams: settings.upstreams,
            tools: settings.tools,
            mcp,
            prices: settings.prices,
            limits: settings.limits,
            clock,
            client,
            identities,
            policies: ArcSwap::from_pointee(policies),
            inspector,
            recorder,
            metrics,
            stored: StoredResponses::default(),
            calls: TaskTracker::new(),
            site,
            stop,
            rulebook: settings.rules,
            remote: settings.remote,
            config_digest: format!(
                "sha256:{}",
                hex::encode(greffier_merkle::hash::sha256(settings.config_text.as_bytes()))
            ),
            config_text: settings.config_text,
            on_record: AtomicBool::new(false),
            head_list: tokio::sync::Mutex::default(),
        })
    }

    /// What is done about findings in a call.
    pub(crate) fn handling(&self, tenant: &Tenant, target: &Target) -> Handling {
        Handling::new(&self.rulebook, &self.recorder.appender, tenant, target)
    }

    /// Puts a call of a stored response where it belongs: to the model that made it.
    pub(crate) fn place(
        &self,
        route: &Route,
        chat: Option<&LlmRequest>,
        caller: &Owner,
        call: &mut Call,
    ) -> Result<(), Refused> {
        let not_there =
            |NotYours| Refused::new(404, "response_not_found", "no stored response of yours has this id");
        if let Some(previous) = chat.and_then(|chat| chat.previous_response.as_deref()) {
            self.stored.model(previous, caller).map_err(not_there)?;
        }
        if let Route::Stored(stored) = route
            && let Some(model) = self.stored.model(&stored.id, caller).map_err(not_there)?
        {
            call.resource.uri = Some(format!("model://{model}/responses/{}", stored.id));
            call.target = Target::Model { name: model };
        }
        Ok(())
    }

    /// What inspects a call: our own detector, with what another analyser says about its texts, if one is asked; and why
    /// it said nothing.
    pub(crate) async fn analysed(&self, call: &Call) -> (Inspector, Option<(Unanswered, OnFailure)>) {
        let Some(remote) = &self.remote else { return (self.inspector.clone(), None) };
        let contents = Vec::from_iter(call.contents.iter().map(|content| texts_of(content, &call.target)));
        match remote.analyse(&self.client, &contents).await {
            Ok(others) => (Inspector::new(Arc::new(self.inspector.scanner().with_others(others))), None),
            Err(error) => {
                tracing::warn!(%error, "the other analyser did not answer");
                (self.inspector.clone(), Some((error, remote.on_failure)))
            }
        }
    }

    /// Whether calls may be governed now; if not, why. The node's own start comes first on the record: until then
    /// nobody could tell which calls the last stop left open.
    pub(crate) fn ready(&self) -> Result<(), String> {
        self.recorder.ready()?;
        if self.on_record.load(Ordering::Acquire) {
            Ok(())
        } else {
            Err("starting: closing the last run's calls".to_owned())
        }
    }

    /// Whether a call that comes in here may be governed now: the rest of its way decides whether it may be made. Before
    /// the node's start is on record, nothing goes on: nobody could tell under which configuration it did.
    pub(crate) fn may_govern(&self, route: &Route) -> Result<(), String> {
        let goes_on = self.on_record.load(Ordering::Acquire) && self.recorder.continues.may_take(route);
        if goes_on { Ok(()) } else { self.ready() }
    }

    /// All destinations, by name, and whether each is left alone now.
    pub(crate) fn reaches(&self) -> impl Iterator<Item = (&str, Option<Duration>)> {
        let now = Instant::now();
        let upstreams = self.upstreams.iter().map(|upstream| (upstream.name.as_str(), &upstream.reach));
        let tools = self.tools.iter().map(|tool| (tool.name.as_str(), &tool.reach));
        upstreams.chain(tools).chain(self.mcp.reaches()).map(move |(name, reach)| (name, reach.rests(now)))
    }

    /// Who is left alone now, in words.
    pub(crate) fn resting(&self) -> Vec<String> {
        let said = |(name, rest): (&str, Option<Duration>)| {
            Some(format!("`{name}` failed again and again and is left alone for {} s", rest?.as_secs() + 1))
        };
        self.reaches().filter_map(said).collect()
    }

    /// Whom the site tells of what it finds.
    pub(crate) fn receivers(&self) -> Vec<Receiver> {
        self.site.as_ref().map(|site| site.receivers()).unwrap_or_default()
    }

    /// Whether calls are made unrecorded now.
    pub(crate) fn is_continuing(&self) -> bool {
        let may = self.on_record.load(Ordering::Acquire) && !self.recorder.continues.is_empty();
        may && self.recorder.ready().is_err()
    }

    /// Who calls, and the token that says so. A caller nobody vouches for is refused once that is on record.
    pub(crate) async fn identify(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
        protocol: &str,
        audience: Option<&str>,
        request_id: &str,
        now: Timestamp,
    ) -> Result<(Principal, Secret), Refused> {
        let identified = match identify::bearer(headers) {
            Ok(token) => {
                self.identities.identify(&token, audience, now).await.map(|principal| (principal, token))
            }
            Err(refusal) => Err(refusal),
        };
        match identified {
            Ok(identified) => Ok(identified),
            Err(refusal) => {
                self.refusals.record(peer, protocol, refusal, request_id, now).await?;
                Err(refusal.into())
            }
        }
    }

    /// Who sent a request that is answered before it is looked at, if anybody vouches for them.
    pub(crate) async fn sender(&self, headers: &HeaderMap) -> Option<Principal> {
        let token = identify::bearer(headers).ok()?;
        self.identities.identify(&token, None, self.clock.now()).await.ok()
    }

    /// The node's first entries: what the recovery found, which calls it closes, what is in force now.
    pub(crate) async fn started(&self, recovered: Recovered) {
        if recovered.unclean || !recovered.repairs.is_empty() {
            let what = serde_json::json!({ "repairs": recovered.repairs, "open_decisions": recovered.open_decisions.len() });
            self.own(EventType::Error, "node:unclean_stop", "audit://node", Some(what)).await;
        }
        // Together, so that they share syncs. A failure is logged by the recorder; the decision stays open and is
        // closed at the next start.
        let closed = self.hooks.reopened(recovered.open_decisions);
        futures_util::stream::iter(&closed)
            .for_each_concurrent(CLOSED_AT_ONCE, async |decision| {
                drop(self.recorder.append(self.recorder.closing(decision)).await);
            })
            .await;
        let version = serde_json::json!({ "version": env!("CARGO_PKG_VERSION") });
        self.own(EventType::AgentStart, "node:start", "audit://node", Some(version)).await;
        let config = serde_json::json!({ "text": self.config_text, "digest": self.config_digest });
        self.own(EventType::DataModify, "config:in_force", "policy://configuration", Some(config)).await;
        self.policies_in_force(&self.policies.load(), None).await;
        self.on_record.store(true, Ordering::Release);
    }

    /// The texts of the policies in force, named by their digest; of changed ones what changed, and from what.
    async fn policies_in_force(&self, policies: &Policies, changed: Option<serde_json::Value>) {
        let texts: serde_json::Map<String, serde_json::Value> =
            policies.texts().iter().map(|(name, text)| (name.clone(), text.clone().into())).collect();
        let mut what = serde_json::json!({ "digest": policies.digest(), "texts": texts });
        if let (Some(fields), Some(changed)) = (what.as_object_mut(), changed) {
            fields.insert("changed".to_owned(), changed);
        }
        let uri = format!("policy://{}", policies.digest());
        self.own(EventType::DataModify, "policy:in_force", &uri, Some(what)).await;
    }

    /// Every ten seconds: keys that are no longer fresh. On its own, because a provider may be slow to answer.
    pub(crate) async fn keep_keys(self: Arc<Self>) {
        let mut pace = tokio::time::interval(Duration::from_secs(10));
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            self.identities.refresh().await;
        }
    }

    /// Once a second: policies, counted refusals, the clock.
    pub(crate) async fn keep_pace(self: Arc<Self>, dir: std::path::PathBuf) {
        let mut watched = Watched::new(dir.clone(), &self.policies.load());
        let mut pace = tokio::time::interval(Duration::from_secs(1));
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last: (Instant, Timestamp) = (Instant::now(), clock::system_now());
        let mut heartbeat = Heartbeat::new(last);
        for second in 0_u64.. {
            pace.tick().await;
            last = self.watch_clock(last).await;
            match watched.look().await {
                policy_watch::Change::None => {}
                policy_watch::Change::Good(policies) => {
                    let before = self.policies.swap(Arc::clone(&policies));
                    tracing::info!(digest = policies.digest(), "policies changed");
                    let changes = policy_diff::changes(before.texts(), policies.texts());
                    let changed = serde_json::json!({
                        "from": before.digest(), "files": policy_diff::document(&changes, &dir),
                    });
                    self.policies_in_force(&policies, Some(changed)).await;
                }
                policy_watch::Change::Bad(error) => {
                    tracing::error!(%error, "changed policies are not valid; the old ones stay in force");
                    let what =
                        serde_json::json!({ "error": error, "in_force": self.policies.load().digest() });
                    self.own(EventType::Error, "policy:rejected", "policy://rejected", Some(what)).await;
                }
            }
            self.recorder.settle_all().await;
            self.mcp.settle(&self, false).await;
            if second.is_multiple_of(SAID_EACH) {
                self.recorder.say_what_is_owed();
            }
            self.refusals.settle(self.clock.now(), false).await;
            self.malformed.settle(self.clock.now(), false).await;
            self.hooks.settle(&self, self.clock.now()).await;
            // Behind what settles the past: a heartbeat says what is still owed.
            if self.on_record.load(Ordering::Acquire) && heartbeat.is_due(self.clock.now()) {
                self.beat(&mut heartbeat, last).await;
            }
            if self.head_list.lock().await.is_due(Instant::now()) {
                self.list_heads().await;
            }
        }
    }

    /// A heartbeat on the node's own trail.
    async fn beat(&self, heartbeat: &mut Heartbeat, clocks: (Instant, Timestamp)) {
        let (recorded, failed) = self.metrics.appended();
        let policies = self.policies.load().digest().to_owned();
        let owed = self.recorder.account.totals();
        let configuration = self.config_digest.clone();
        let pulse = Pulse { recorded, failed, owed, clocks, policies, configuration };
        let uri = heartbeat::uri(&pulse.policies, &pulse.configuration);
        let now = self.clock.now();
        let mut event = self.recorder.node_event(EventType::ActionExecuted, now, heartbeat::ACTION, &uri);
        let content = heartbeat.tell(&mut event, &pulse).to_string().into_bytes();
        let part = Part { name: "metadata".to_owned(), media: "application/json".to_owned(), content };
        // What could not be recorded is a minute without a heartbeat, and that says enough.
        drop(self.recorder.append(Draft { event, parts: vec![part] }).await);
    }

    /// The heads of the trails that grew, on the node's own trail. What cannot be recorded is listed the next time.
    async fn list_heads(&self) {
        let mut list = self.head_list.lock().await;
        for heads in list.entries(self.recorder.heads().signed_heads()) {
            let uri = "audit://greffier/heads";
            let event = self.recorder.node_event(EventType::DataAccess, self.clock.now(), "node:heads", uri);
            let content = head_list::document(&heads).to_string().into_bytes();
            let part = Part { name: "metadata".to_owned(), media: "application/json".to_owned(), content };
            if self.recorder.append(Draft { event, parts: vec![part] }).await.is_err() {
                return;
            }
            list.recorded(&heads);
        }
    }

    /// The system's clock: one that was set on purpose is not a step.
    async fn watch_clock(&self, (steady, wall): (Instant, Timestamp)) -> (Instant, Timestamp) {
        let now = (Instant::now(), clock::system_now());
        let expected = i64::try_from((now.0 - steady).as_micros()).unwrap_or(i64::MAX);
        let step = now.1.as_micros() - wall.as_micros() - expected;
        if step.unsigned_abs() > u64::try_from(CLOCK_STEP.as_micros()).unwrap_or(u64::MAX) {
            let what = serde_json::json!({ "step_us": step });
            self.own(EventType::Error, "node:clock_step", "audit://node/clock", Some(what)).await;
        }
        now
    }

    /// The node's last entries. What is left in the account is lost with the process: a moment is waited for it, in
    /// which the ledger tries again.
    pub(crate) async fn stopped(&self) -> Totals {
        let waiting = Instant::now();
        self.mcp.settle(self, true).await;
        self.recorder.settle_all().await;
        while !self.recorder.account.trails().is_empty() && waiting.elapsed() < LAST_WAIT {
            tokio::time::sleep(LOOK_AGAIN).await;
            self.recorder.settle_all().await;
        }
        self.refusals.settle(self.clock.now(), true).await;
        self.malformed.settle(self.clock.now(), true).await;
        self.list_heads().await;
        self.own(EventType::AgentStop, "node:stop", "audit://node", None).await;
        self.recorder.account.totals()
    }

    async fn own(&self, kind: EventType, action: &str, uri: &str, what: Option<serde_json::Value>) {
        let event = self.recorder.node_event(kind, self.clock.now(), action, uri);
        let parts = what.map(|what| Part {
            name: "metadata".to_owned(),
            media: "application/json".to_owned(),
            content: what.to_string().into_bytes(),
        });
        // The recorder logs a failure; the node's own notes do not stop it from refusing or serving.
        drop(self.recorder.append(Draft { event, parts: parts.into_iter().collect() }).await);
    }
}

/// What another analyser is asked about: of a call to a model not its images, which are no text and may be large.
fn texts_of(content: &Content, target: &Target) -> Content {
    let text = std::str::from_utf8(&content.bytes).ok();
    let text = text.filter(|_| matches!(target, Target::Model { .. }) && is_json(&content.media));
    let bytes =
        text.map_or_else(|| content.bytes.clone(), |text| media::texts(text).into_owned().into_bytes());
    Content { bytes, ..content.clone() }
}
