//! Erasing, and what stands against it.
//!
//! ```text
//! order (an entry of the tenant's trail, durable) -> register (in the keys folder, synced)
//!   -> user:   the key of the holder is destroyed
//!   -> others: the log is sealed and trimmed, files of parts are written anew, the old ones go
//! -> register: done -> outcome (an entry) -> acknowledged
//! ```
//!
//! A crash may follow any step: opening the directory does what is left before it records again (`replay.rs`),
//! and so it does with data or keys that come from an older copy. Only parts are erased. Entries, hashes and every
//! proof stay as they are, and a part that is missing is explained by the number of the entry that ordered it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use greffier_event::{Action, ActionKind, Agent, Draft, Effect, Event, EventId, EventType, Outcome};
use greffier_event::{OutcomeStatus, Resource, Source, Tenant, Timestamp};
use greffier_merkle::Receipt;
use greffier_merkle::hash::sha256;
use tokio::sync::oneshot;

use crate::append::{Appender, Command};
use crate::error::AppendError;
use crate::keys::KeyError;
use crate::keys::register::{Noted, Register};
use crate::ledger::wall_clock;
use crate::read::{ReadError, Reader};
use crate::sealer::{SealError, Sealer, Wanted};

mod entries;
mod expire;
mod orders;
mod plan;
pub(crate) mod prefix;
pub(crate) mod replay;
mod requests;
mod target;

pub use entries::Expiring;
pub use expire::Retention;
pub use orders::Gone;
pub(crate) use orders::{Act, EntriesCut, Notice, Orders};
pub use plan::Plan;
pub use prefix::Kept;
pub use requests::{Held, Request, State};
pub use target::{Scope, Target};

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The entry that ordered it.
    pub order: Receipt,
    /// What there was to erase.
    pub plan: Plan,
}

/// Why nothing was erased, or not all of it yet.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The event does not order what it should.
    #[error("the event is not an order of that kind")]
    NotAnOrder,
    /// Legal holds stand against it.
    #[error("refused by legal hold {}: release it first", .0.join(", "))]
    Held(Vec<String>),
    /// Somebody decided already.
    #[error("this erasure is decided already")]
    Decided,
    /// The trail cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The order could not be recorded.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// It is ordered, and will be done: by the next try, and before the next start ends.
    #[error("ordered by entry {by} of the trail, but not done yet: {reason}; it is tried again by itself")]
    Unfinished {
        /// The entry.
        by: u64,
        /// What went wrong.
        reason: String,
    },
    /// The ledger is closing.
    #[error("the ledger is closed")]
    Closed,
}

/// Erases, and holds. Cheap to clone; orders are carried out one after the other.
#[derive(Clone)]
pub struct Eraser(Arc<Inner>);

struct Inner {
    reader: Reader,
    appender: Appender,
    node: String,
    /// Opened with the first order: before that, it is the start that has it.
    register: Mutex<Option<Register>>,
    one: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Eraser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Eraser").finish_non_exhaustive()
    }
}

/// An order on its way through the threads: the committer begins a new file of the log, the publisher signs what
/// the old ones hold, the sealer empties them and takes the parts out.
pub(crate) struct Erasure {
    trail: Tenant,
    wanted: Wanted,
    orders: Arc<Orders>,
    /// The first file of the log that holds nothing of what was there when it was ordered.
    pub(crate) file: u64,
    reply: oneshot::Sender<Result<u64, String>>,
}

impl Erasure {
    /// Ends it before its time.
    pub(crate) fn fail(self, error: &dyn std::fmt::Display) {
        let _ = self.reply.send(Err(error.to_string()));
    }

    /// The last step, by whoever holds the chain of manifests.
    pub(crate) fn carry_out(self, sealer: &mut Sealer) {
        let done = take_out(sealer, self.file, &self.trail, &self.wanted, &self.orders);
        if let Err(error) = &done {
            tracing::error!(%error, "an erasure is not done yet");
        }
        let _ = self.reply.send(done.map_err(|error| error.to_string()));
    }
}

/// Empties the log before `file`, then takes out what the orders say is gone. Returns the manifest since which it
/// is.
pub(crate) fn take_out(
    sealer: &mut Sealer,
    file: u64,
    trail: &Tenant,
    wanted: &Wanted,
    orders: &Orders,
) -> Result<u64, SealError> {
    sealer.drain(file)?;
    match wanted {
        Wanted::Prefix(by, cut) => sealer.cut(trail, *by, cut, orders)?,
        _ => drop(sealer.rewrite(trail, wanted, orders)?),
    }
    Ok(sealer.manifest())
}

impl Target {
    /// Where its parts are to be looked for; `None` where a key is destroyed instead.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        match self {
            Target::User(_) => None,
            // As canonical JSON holds it.
            Target::Subject(subject) => {
                let quoted = serde_json::Value::String(subject.clone()).to_string();
                Some(Wanted::Holding(quoted))
            }
            Target::Event(id) | Target::Part(id, _) => Some(Wanted::Id(*id)),
        }
    }
}

impl Eraser {
    pub(crate) fn new(reader: Reader, appender: Appender, node: String) -> Eraser {
        let (register, one) = (Mutex::new(None), tokio::sync::Mutex::new(()));
        Eraser(Arc::new(Inner { reader, appender, node, register, one }))
    }

    /// The parts of a user, by the `sub` that stands in events.
    pub fn user(&self, tenant: &Tenant, sub: &str) -> String {
        self.0.appender.keys().holder(tenant, Some(sub))
    }

    /// A subject, by its value or by its keyed reference.
    pub fn subject(&self, tenant: &Tenant, value: &str) -> String {
        if value.starts_with(greffier_event::limits::REFERENCE_PREFIX) {
            value.to_owned()
        } else {
            self.0.appender.keys().reference(tenant, "subject", value)
        }
    }

    /// Records an order (`action.approved`, action `erase`) and carries it out. When this returns, what was
    /// ordered is in no file and in no memory of this node. The event comes without parts of its own.
    pub async fn erase(&self, order: Draft) -> Result<Erased, EraseError> {
        let Some(Act::Ordered(target)) = Act::of(&order.event).filter(|_| order.parts.is_empty()) else {
            return Err(EraseError::NotAnOrder);
        };
        let event = order.event.clone();
        let tenant = event.tenant.clone();
        let _one = self.0.one.lock().await;
        let plan = self.blocking({
            let (tenant, target) = (tenant.clone(), target.clone());
            move |eraser| eraser.plan(&tenant, &target)
        });
        let plan = refuse_held(plan.await?)?;
        self.refuse_decided(&event).await?;
        // From here to the end of a key nobody seals under it: what stands before the order is erased, and what
        // stands behind it is not.
        let alone = self.0.appender.alone().await?;
        let plan = self.blocking(move |eraser| eraser.plan_further(plan));
        let plan = refuse_held(plan.await?)?;
        let receipt = self.0.appender.append_alone(order, &alone).await?;
        let by = receipt.index;
        let unfinished = |reason: String| EraseError::Unfinished { by, reason };
        let noted = Noted { trail: tenant.to_string(), index: by, event: event.clone() };
        let holder = if let Target::User(holder) = &target { Some(holder.clone()) } else { None };
        let begun = self.blocking(move |eraser| {
            eraser.register(|register| register.note(noted)).map_err(|error| error.to_string())?;
            let destroy = |holder: String| eraser.0.appender.keys().destroy_holder_key(&holder);
            holder.map_or(Ok(()), destroy).map_err(|error: KeyError| error.to_string())
        });
        begun.await.map_err(unfinished)?;
        drop(alone);
        self.finish(&event, by, &target).await.map_err(unfinished)?;
        Ok(Erased { order: receipt, plan })
    }

    /// Of two who approve at once, one orders.
    async fn refuse_decided(&self, order: &Event) -> Result<(), EraseError> {
        let (tenant, id) = (order.tenant.clone(), order.request_id.clone().unwrap_or_default());
        let requests = self.blocking(move |eraser| eraser.requests(&tenant)).await?;
        let decided = requests.iter().any(|request| request.id == id && request.state != State::Pending);
        if decided { Err(EraseError::Decided) } else { Ok(()) }
    }

    /// What follows the order, and the end of a user's key.
    async fn finish(&self, order: &Event, by: u64, target: &Target) -> Result<(), String> {
        let (tenant, id) = (order.tenant.clone(), order.id);
        let manifest = match target.wanted() {
            None => 0,
            Some(wanted) => {
                let orders = self.blocking({
                    let tenant = tenant.clone();
                    move |eraser| eraser.0.reader.orders(&tenant)
                });
                let orders = orders.await.map_err(|error: ReadError| error.to_string())?;
                if !orders.knows(by) {
                    return Err("the order cannot be read back".to_owned());
                }
                let (reply, done) = oneshot::channel();
                let erasure = Erasure { trail: tenant.clone(), wanted, orders, file: 0, reply };
                self.0.appender.command(Command::Erase(Box::new(erasure)));
                done.await.map_err(|_| "the ledger is closing".to_owned())??
            }
        };
        let done = self.blocking(move |eraser| eraser.register(|register| register.done(id, manifest)));
        done.await.map_err(|error: io::Error| error.to_string())?;
        let outcome = outcome(order, Some(&self.0.node), wall_clock());
        let recorded = self.0.appender.append(Draft { event: outcome, parts: Vec::new() }).await;
        recorded.map(drop).map_err(|error| error.to_string())
    }

    /// Carries out what was ordered and is not done: after something went wrong on the way. Says how many there
    /// were.
    pub async fn finish_all(&self) -> Result<u64, EraseError> {
        let _one = self.0.one.lock().await;
        let open = self.blocking(Eraser::unfinished).await?;
        let count = open.len() as u64;
        for (event, by, target) in open {
            let unfinished = |reason: String| EraseError::Unfinished { by, reason };
            if let Target::User(holder) = &target {
                let holder = holder.clone();
                let destroy = move |eraser: &Eraser| eraser.0.appender.keys().destroy_holder_key(&holder);
                self.blocking(destroy).await.map_err(|error| unfinished(error.to_string()))?;
            }
            self.finish(&event, by, &target).await.map_err(unfinished)?;
        }
        Ok(count)
    }

    /// Records a hold or its release (`data.modify`, actions `hold` and `release`). When this returns, it counts.
    pub async fn hold(&self, draft: Draft) -> Result<Receipt, EraseError> {
        if !matches!(Act::of(&draft.event), Some(Act::Held(_) | Act::Released(_))) {
            return Err(EraseError::NotAnOrder);
        }
        // Not while an erasure is between asking for holds and its order.
        let _one = self.0.one.lock().await;
        let event = draft.event.clone();
        let receipt = self.0.appender.append(draft).await?;
        let noted = Noted { trail: receipt.trail.clone(), index: receipt.index, event };
        let by = receipt.index;
        let note = self.blocking(move |eraser| eraser.register(|register| register.note(noted)));
        note.await.map_err(|error| EraseError::Unfinished { by, reason: error.to_string() })?;
        Ok(receipt)
    }

    fn register<T>(&self, with: impl FnOnce(&mut Register) -> io::Result<T>) -> io::Result<T> {
        let mut register = self.0.register.lock().unwrap_or_else(PoisonError::into_inner);
        if register.is_none() {
            *register = Some(Register::open(self.0.appender.keys().dir())?);
        }
        register.as_mut().map_or_else(|| Err(io::ErrorKind::NotFound.into()), with)
    }

    /// Where a step may wait for the disk without holding up others.
    async fn blocking<T: Send + 'static, E: Send + 'static>(
        &self,
        step: impl FnOnce(&Eraser) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let eraser = self.clone();
        match tokio::task::spawn_blocking(move || step(&eraser)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going down, and with it whoever waits for this.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

fn refuse_held(plan: Plan) -> Result<Plan, EraseError> {
    if plan.held.is_empty() { Ok(plan) } else { Err(EraseError::Held(plan.held)) }
}

/// The entry which says that an order is done. Its id follows from the order's, so that there is one at most.
fn outcome(order: &Event, node: Option<&str>, now: Timestamp) -> Event {
    let mut bytes: [u8; 32] =
        sha256(&[b"greffier/erasure-outcome/v1\0", order.id.as_bytes().as_slice()].concat());
    bytes[6] = bytes[6] & 0x0F | 0x80;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let id = hex::encode(bytes.get(..16).unwrap_or_default());
    let id = serde_json::from_value::<EventId>(id.into()).unwrap_or(order.id);
    let mut event = Event::new(id, EventType::ActionExecuted, order.tenant.clone(), now);
    event.recorded_at = Some(now);
    event.request_id = order.request_id.clone();
    event.agent = Some(Agent { id: Tenant::NODE.to_owned(), verified: true, ..Agent::default() });
    event.action = order.action.clone().map(|action| Action {
        kind: Some(ActionKind::Admin),
        effect: Some(Effect::Delete),
        ..action
    });
    event.resource = Some(Resource {
        uri: order.resource.as_ref().and_then(|resource| resource.uri.clone()),
        ..Resource::default()
    });
    event.outcome = Some(Outcome {
        attempts: Vec::new(),
        code: None,
        duration_us: None,
        error: None,
        status: OutcomeStatus::Success,
    });
    event.source =
        Some(Source { channel: "gateway".to_owned(), node: node.map(str::to_owned), ..Source::default() });
    event
}

#[cfg(test)]
pub(crate) mod tests;
