//! What an erasure would take: a dry run, over the trail's entries one after the other.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use greffier_event::{Event, Tenant};

use super::orders::Orders;
use super::{EraseError, Eraser, Held, Scope, Target};
use crate::keys::KeyRing;

/// Holds that are named; one is enough to refuse.
const MAX_NAMED: usize = 16;

/// What there is of a target, and what stands against erasing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The trail.
    pub tenant: Tenant,
    /// Whose or which parts.
    pub target: Target,
    /// Events with parts that would go.
    pub events: u64,
    /// Those parts.
    pub parts: u64,
    /// Their contents, in bytes, as they were given.
    pub bytes: u64,
    /// The holds that refuse it, some of them.
    pub held: Vec<String>,
    /// How far the trail was looked at.
    pub(super) seen: u64,
}

impl Eraser {
    /// What an erasure would take. Changes nothing. Blocks while it reads the whole trail.
    pub fn plan(&self, tenant: &Tenant, target: &Target) -> Result<Plan, EraseError> {
        let (tenant, target) = (tenant.clone(), target.clone());
        self.plan_further(Plan { tenant, target, events: 0, parts: 0, bytes: 0, held: Vec::new(), seen: 0 })
    }

    /// Adds what came since.
    pub(super) fn plan_further(&self, mut plan: Plan) -> Result<Plan, EraseError> {
        let orders = self.0.reader.orders(&plan.tenant)?;
        let holds: Vec<Held> = orders.holds();
        let keys = self.0.appender.keys();
        let mut held: BTreeSet<String> = plan.held.drain(..).collect();
        let seen = self.0.reader.each(&plan.tenant.clone(), plan.seen, |index, entry| {
            if !plan.target.may_take(entry) {
                return ControlFlow::Continue(());
            }
            let Ok(event) = Event::from_canonical(entry) else { return ControlFlow::Continue(()) };
            let holder = keys.holder(&event.tenant, event.user.as_ref().map(|user| user.sub.as_str()));
            if !plan.target.takes(&event, &holder) {
                return ControlFlow::Continue(());
            }
            plan.count(index, &event, &holder, &orders);
            let against = holds.iter().filter(|hold| hold.scope.covers(&event, &holder));
            held.extend(against.map(|hold| hold.id.clone()).take(MAX_NAMED));
            ControlFlow::Continue(())
        })?;
        plan.seen = seen;
        plan.held = held.into_iter().take(MAX_NAMED).collect();
        Ok(plan)
    }

    /// Shows every entry about one user or subject, in order, by its index.
    pub fn about(
        &self,
        tenant: &Tenant,
        target: &Target,
        mut visit: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<(), EraseError> {
        let keys: &KeyRing = self.0.appender.keys();
        self.0.reader.each(tenant, 0, |index, entry| {
            let event = Some(entry).filter(|entry| target.may_take(entry));
            let event = event.and_then(|entry| Event::from_canonical(entry).ok());
            let about = event.is_some_and(|event| {
                let holder = keys.holder(&event.tenant, event.user.as_ref().map(|user| user.sub.as_str()));
                target.names(&event, &holder)
            });
            if about { visit(index) } else { ControlFlow::Continue(()) }
        })?;
        Ok(())
    }
}

impl Plan {
    fn count(&mut self, index: u64, event: &Event, holder: &str, orders: &Orders) {
        let mut any = false;
        for part in &event.parts {
            let wanted = !matches!(&self.target, Target::Part(_, name) if *name != part.name);
            if wanted && orders.explain(index, event, &part.name, Some(holder)).is_none() {
                any = true;
                self.parts += 1;
                self.bytes += part.bytes;
            }
        }
        self.events += u64::from(any);
    }
}

impl Target {
    /// Whether an entry of these bytes can be about it: what is cheap to ask.
    fn may_take(&self, entry: &[u8]) -> bool {
        let holds = |text: &str| entry.windows(text.len()).any(|window| window == text.as_bytes());
        match self {
            Target::User(_) => true,
            Target::Subject(subject) => holds(&serde_json::Value::String(subject.clone()).to_string()),
            Target::Event(id) | Target::Part(id, _) => holds(&id.to_string()),
        }
    }

    /// Whether parts of the event go.
    fn takes(&self, event: &Event, holder: &str) -> bool {
        !event.parts.is_empty() && self.names(event, holder)
    }

    /// Whether the event is about it.
    fn names(&self, event: &Event, holder: &str) -> bool {
        match self {
            Target::User(user) => user == holder,
            Target::Subject(subject) => names_subject(event, subject),
            Target::Event(id) => *id == event.id,
            Target::Part(id, name) => *id == event.id && event.parts.iter().any(|part| part.name == *name),
        }
    }
}

impl Scope {
    /// Whether it protects the event.
    pub(super) fn covers(&self, event: &Event, holder: &str) -> bool {
        let recorded_at = event.recorded_at.unwrap_or(event.time);
        match self {
            Scope::Tenant => true,
            Scope::User(user) => user == holder,
            Scope::Subject(subject) => names_subject(event, subject),
            Scope::Event(id) => *id == event.id,
            Scope::Recorded { from, until } => {
                from.is_none_or(|from| recorded_at >= from) && until.is_none_or(|until| recorded_at < until)
            }
        }
    }
}

fn names_subject(event: &Event, subject: &str) -> bool {
    event.resource.iter().flat_map(|resource| &resource.subjects).any(|named| named == subject)
}
