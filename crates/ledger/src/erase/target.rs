//! What is erased, and what is held: people, events and times of one tenant, each named by a URI.
//!
//! The URI stands in the leaf of the entry that orders it, so that whoever reads the trail knows what was ordered
//! without anything else. It names people by keyed references only.

use greffier_event::{EventId, Tenant, Timestamp};

/// Whose or which parts an erasure takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// All parts whose holder this is: the user's key goes, and with it everything sealed under it.
    User(String),
    /// All parts of events that name this subject.
    Subject(String),
    /// All parts of one event.
    Event(EventId),
    /// One part of one event.
    Part(EventId, String),
}

/// What a legal hold protects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything of the tenant.
    Tenant,
    /// The parts of one holder.
    User(String),
    /// The events that name this subject.
    Subject(String),
    /// One event.
    Event(EventId),
    /// What was recorded from one time on, before another.
    Recorded {
        /// From this time on; without it, from the beginning.
        from: Option<Timestamp>,
        /// Before this time; without it, for ever.
        until: Option<Timestamp>,
    },
}

const SCHEME: &str = "audit://";

impl Target {
    /// `audit://<tenant>/users/<ref>/parts`, and so on.
    pub fn uri(&self, tenant: &Tenant) -> String {
        let place = match self {
            Target::User(holder) => format!("users/{}/parts", escaped(holder)),
            Target::Subject(subject) => format!("subjects/{}/parts", escaped(subject)),
            Target::Event(id) => format!("events/{id}/parts"),
            Target::Part(id, name) => format!("events/{id}/parts/{name}"),
        };
        format!("{SCHEME}{tenant}/{place}")
    }

    /// Reads what [`Target::uri`] wrote for the same tenant.
    pub fn parse(tenant: &Tenant, uri: &str) -> Option<Target> {
        let (kind, rest) = place(tenant, uri)?.split_once('/')?;
        let (name, parts) = rest.split_once('/')?;
        let target = match (kind, parts.split_once('/')) {
            ("users", None) => Target::User(plain(name)?),
            ("subjects", None) => Target::Subject(plain(name)?),
            ("events", None) => Target::Event(event_id(name)?),
            ("events", Some((_, part))) => Target::Part(event_id(name)?, part.to_owned()),
            _ => return None,
        };
        // One spelling only, so that nothing is ordered twice under two names.
        (target.uri(tenant) == uri).then_some(target)
    }
}

impl Scope {
    /// `audit://<tenant>/users/<ref>`, and so on.
    pub fn uri(&self, tenant: &Tenant) -> String {
        let micros =
            |time: &Option<Timestamp>| time.map_or("-".to_owned(), |time| time.as_micros().to_string());
        let place = match self {
            Scope::Tenant => "trail".to_owned(),
            Scope::User(holder) => format!("users/{}", escaped(holder)),
            Scope::Subject(subject) => format!("subjects/{}", escaped(subject)),
            Scope::Event(id) => format!("events/{id}"),
            Scope::Recorded { from, until } => format!("recorded/{}/{}", micros(from), micros(until)),
        };
        format!("{SCHEME}{tenant}/{place}")
    }

    /// Reads what [`Scope::uri`] wrote for the same tenant.
    pub fn parse(tenant: &Tenant, uri: &str) -> Option<Scope> {
        let time = |text: &str| match text {
            "-" => Some(None),
            micros => Some(Some(Timestamp::from_micros(micros.parse().ok()?))),
        };
        let scope = match place(tenant, uri)?.split_once('/') {
            None => Scope::Tenant,
            Some(("users", name)) => Scope::User(plain(name)?),
            Some(("subjects", name)) => Scope::Subject(plain(name)?),
            Some(("events", id)) => Scope::Event(event_id(id)?),
            Some(("recorded", times)) => {
                let (from, until) = times.split_once('/')?;
                Scope::Recorded { from: time(from)?, until: time(until)? }
            }
            Some(_) => return None,
        };
        (scope.uri(tenant) == uri).then_some(scope)
    }
}

/// What stands behind `audit://<tenant>/`.
pub(super) fn place<'a>(tenant: &Tenant, uri: &'a str) -> Option<&'a str> {
    uri.strip_prefix(SCHEME)?.strip_prefix(tenant.as_str())?.strip_prefix('/')
}

fn event_id(text: &str) -> Option<EventId> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
}

/// A reference as one segment of a path.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'.' | b'_' | b'-' => {
                escaped.push(byte.into());
            }
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

fn plain(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tenant() -> Tenant {
        Tenant::new("acme").unwrap()
    }

    #[test]
    fn uris_say_what_is_meant() {
        let id = event_id("00000000-0000-7000-8000-000000000001").unwrap();
        let uri = |target: Target| target.uri(&tenant());
        insta::assert_snapshot!(uri(Target::User("ref:0a".into())), @"audit://acme/users/ref:0a/parts");
        insta::assert_snapshot!(uri(Target::Subject("ref:a/b?".into())), @"audit://acme/subjects/ref:a%2Fb%3F/parts");
        insta::assert_snapshot!(uri(Target::Event(id)), @"audit://acme/events/00000000-0000-7000-8000-000000000001/parts");
        insta::assert_snapshot!(uri(Target::Part(id, "prompt".into())), @"audit://acme/events/00000000-0000-7000-8000-000000000001/parts/prompt");
        for wrong in [
            "audit://beta/users/ref:0a/parts",
            "audit://acme/users/ref:0a",
            "audit://acme/users//parts",
            "audit://acme/events/1/parts",
            "audit://acme/users/ref%3A0a/parts",
            "x",
        ] {
            assert_eq!(Target::parse(&tenant(), wrong), None, "{wrong}");
        }
    }

    fn id() -> impl Strategy<Value = EventId> {
        any::<u128>().prop_map(|n| {
            event_id(&format!(
                "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                n >> 96,
                (n >> 80) & 0xffff,
                (n >> 64) & 0xffff,
                (n >> 48) & 0xffff,
                n & 0xffff_ffff_ffff
            ))
            .unwrap()
        })
    }

    fn time() -> impl Strategy<Value = Option<Timestamp>> {
        proptest::option::of(any::<i64>().prop_map(Timestamp::from_micros))
    }

    proptest! {
        #[test]
        fn every_target_comes_back(name in "ref:[!-~]{1,40}", id in id(), part in "[a-z][a-z0-9_]{0,9}") {
            for target in [Target::User(name.clone()), Target::Subject(name.clone()), Target::Event(id),
                Target::Part(id, part.clone())]
            {
                prop_assert_eq!(Target::parse(&tenant(), &target.uri(&tenant())), Some(target));
            }
        }

        #[test]
        fn every_scope_comes_back(name in "ref:[!-~]{1,40}", id in id(), from in time(), until in time()) {
            for scope in [Scope::Tenant, Scope::User(name.clone()), Scope::Subject(name.clone()), Scope::Event(id),
                Scope::Recorded { from, until }]
            {
                prop_assert_eq!(Scope::parse(&tenant(), &scope.uri(&tenant())), Some(scope));
            }
        }

        #[test]
        fn whatever_is_given_nothing_falls_over(uri in "(audit://acme/)?[!-~]{0,60}") {
            let _ = (Target::parse(&tenant(), &uri), Scope::parse(&tenant(), &uri));
        }
    }
}
