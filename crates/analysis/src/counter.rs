//! What counts events in any order, and in parts of a trail that are merged.

use greffier_event::Event;

use crate::fact::Fact;

/// Something that names stand for in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// An action: a tool, a model, what was done.
    Action,
    /// A resource, by its URI.
    Resource,
    /// A user, by `sub`.
    User,
    /// An agent, by its id.
    Agent,
    /// A type of sensitive values that were found.
    Redaction,
}

/// Counts the events of a period. Names are counted apart from the rest of the facts: whoever holds columns knows how
/// often each came, and says it once.
pub trait Counter: Sized {
    /// Takes in the facts of one event but the names in it, and says whether they count here.
    fn add_fact(&mut self, fact: &Fact<'_>) -> bool;

    /// Takes in a name that came so many times in events that count here.
    fn add_name(&mut self, of: Name, name: &str, times: u64);

    /// Takes in another part of the trail, counted for the same purpose.
    fn merge(&mut self, other: Self);
}

/// Takes in one event with all its names.
pub(crate) fn add(counter: &mut impl Counter, event: &Event) {
    let fact = Fact::of(event);
    if !counter.add_fact(&fact) {
        return;
    }
    let names = [
        (Name::Action, fact.action),
        (Name::Resource, fact.resource),
        (Name::User, fact.user),
        (Name::Agent, fact.agent),
    ];
    for (of, name) in names {
        if let Some(name) = name {
            counter.add_name(of, name, 1);
        }
    }
    for redaction in event.content_safety.iter().flat_map(|safety| &safety.redactions) {
        counter.add_name(Name::Redaction, &redaction.entity, redaction.count);
    }
}
