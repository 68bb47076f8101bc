//! What a successful call to data leaves beside its outcome: an event of type `data.access` or `data.modify`.
//!
//! Every call has a decision and an outcome, of types of their own, by which its two halves are joined. Where the tool or a
//! rule says that it is about data (`kind = "data"`), and where a resource of an MCP server was read, a third follows,
//! under the types by which people look for accesses to data, count and report them. It repeats who did what to whose
//! data, and holds no content.

use greffier_event::{Action, ActionKind, Effect, Event, EventId, EventType};

use crate::mcp::ask;
use crate::route::Destination;

/// Which event follows a call's success, if any.
pub(crate) fn follows(destination: &Destination, action: &Action) -> Option<EventType> {
    let brings_it = match destination {
        Destination::Tool(_) => true,
        // Prompts and subscriptions are about data too, but bring none of it.
        Destination::Mcp => ask::reads_resource(&action.name),
        Destination::Model(_) | Destination::Caller => false,
    };
    (brings_it && action.kind == Some(ActionKind::Data)).then_some(match action.effect {
        Some(Effect::Read) => EventType::DataAccess,
        // What is not known to only read may have changed something.
        _ => EventType::DataModify,
    })
}

/// The event, made of the outcome.
pub(crate) fn event(outcome: &Event, kind: EventType, id: EventId) -> Event {
    Event { id, kind, usage: None, content_safety: None, ..outcome.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::Api;
    use crate::tools::tests::tool;

    #[test]
    fn types() {
        let check = |kind, effect, to: &Destination| {
            let action = Action { kind: Some(kind), effect, ..Action::default() };
            follows(to, &action).map(EventType::as_str)
        };
        let named = |name: &str, kind| {
            let effect = Some(Effect::Read);
            let action = Action { name: name.to_owned(), kind: Some(kind), effect, ..Action::default() };
            follows(&Destination::Mcp, &action).map(EventType::as_str)
        };
        let tool = Destination::Tool(tool(Api::default()));
        assert_eq!(check(ActionKind::Data, Some(Effect::Read), &tool), Some("data.access"));
        assert_eq!(check(ActionKind::Data, Some(Effect::Create), &tool), Some("data.modify"));
        assert_eq!(check(ActionKind::Data, None, &tool), Some("data.modify"));
        assert_eq!(check(ActionKind::Tool, Some(Effect::Read), &tool), None);
        assert_eq!(check(ActionKind::Data, Some(Effect::Read), &Destination::Mcp), None);
        assert_eq!(named("crm:method:resources/read", ActionKind::Data), Some("data.access"));
        assert_eq!(named("crm:method:resources/subscribe", ActionKind::Data), None);
        assert_eq!(named("crm:method:prompts/get", ActionKind::Data), None);
        // What a server asks of a client is no access of the client's.
        assert_eq!(named("crm:method:resources/read", ActionKind::Tool), None);
    }
}
