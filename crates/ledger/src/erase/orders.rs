//! What a trail's own entries say about keeping and erasing: who asked, what was ordered, what is held.
//!
//! An order stands on the trail before anything is erased, so that whatever is missing is either explained by an
//! entry, by number, or was tampered with. Only Greffier writes such entries: agent `greffier` and channel
//! `gateway` are never taken from outside.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use greffier_event::{Event, EventType, Tenant, Timestamp};
use memchr::memmem::Finder;

use super::expire::Retention;
use super::target::{Scope, Target, place};

/// Actions of the entries that are looked at.
pub(crate) const ERASE: &str = "erase";
pub(crate) const HOLD: &str = "hold";
pub(crate) const RELEASE: &str = "release";
pub(crate) const EXPIRE: &str = "expire";
pub(crate) const RETAIN: &str = "retain";
/// What every such entry holds, as canonical bytes: most entries are passed over for the lack of it.
const MARK: &[u8] = br#""agent":{"id":"greffier""#;
/// Every entry of a trail is searched for it, when a trail is opened and when it is verified.
static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MARK));

/// Why a part is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gone {
    /// Entry `by` of the trail ordered its erasure.
    Erased {
        /// The entry.
        by: u64,
    },
    /// It was kept as long as it was to be kept, as entry `by` of the trail says.
    Expired {
        /// The entry.
        by: u64,
    },
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gone::Erased { by } => write!(f, "erased by entry {by}"),
            Gone::Expired { by } => write!(f, "expired by entry {by}"),
        }
    }
}

/// One entry that is about keeping or erasing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) index: u64,
    pub(crate) act: Act,
    /// The entry's event.
    pub(crate) event: Event,
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Somebody asks for an erasure.
    Asked(Target),
    /// Somebody else approved: the order itself.
    Ordered(Target),
    Denied(Target),
    Done(Target),
    Failed(Target),
    Held(Scope),
    Released(Scope),
    /// How long parts are kept from now on.
    Retained(Retention),
    /// Parts are kept no longer.
    PartsExpired(Cutoffs),
    /// Entries are kept no longer.
    EntriesExpired(EntriesCut),
    /// They are gone.
    ExpiryDone,
}

impl Notice {
    /// Whether these bytes of an entry are worth a second look.
    pub(crate) fn may_be(entry: &[u8]) -> bool {
        FINDER.find(entry).is_some()
    }

    /// Reads an entry of the trail `trail`.
    pub(crate) fn read(trail: &str, index: u64, entry: &[u8]) -> Option<Notice> {
        if !Notice::may_be(entry) {
            return None;
        }
        let event = Event::from_canonical(entry).ok().filter(|event| event.tenant.as_str() == trail)?;
        Some(Notice { index, act: Act::of(&event)?, event })
    }

    /// Joins the entries of one erasure, or of one hold.
    pub(crate) fn request(&self) -> &str {
        self.event.request_id.as_deref().unwrap_or_default()
    }
}

impl Act {
    /// What an event of Greffier itself says, if it is about keeping or erasing.
    pub(crate) fn of(event: &Event) -> Option<Act> {
        let own = event.agent.as_ref().is_some_and(|agent| agent.id == Tenant::NODE)
            && event.source.as_ref().is_some_and(|source| source.channel == "gateway");
        let uri = event.resource.as_ref().and_then(|resource| resource.uri.as_deref());
        let (Some(uri), Some(action), true) = (uri, &event.action, own && event.request_id.is_some()) else {
            return None;
        };
        let target = || Target::parse(&event.tenant, uri);
        let scope = || Scope::parse(&event.tenant, uri);
        match (action.name.as_str(), event.kind) {
            (ERASE, EventType::ActionRequest) => target().map(Act::Asked),
            (ERASE, EventType::ActionApproved) => target().map(Act::Ordered),
            (ERASE, EventType::ActionDenied) => target().map(Act::Denied),
            (ERASE, EventType::ActionExecuted) => target().map(Act::Done),
            (ERASE, EventType::ActionFailed) => target().map(Act::Failed),
            (HOLD, EventType::DataModify) => scope().map(Act::Held),
            (RELEASE, EventType::DataModify) => scope().map(Act::Released),
            (RETAIN, EventType::DataModify) => Retention::parse(&event.tenant, uri).map(Act::Retained),
            (EXPIRE, EventType::ActionApproved) => Cutoffs::parse(&event.tenant, uri)
                .map(Act::PartsExpired)
                .or_else(|| EntriesCut::parse(&event.tenant, uri).map(Act::EntriesExpired)),
            (EXPIRE, EventType::ActionExecuted) => Some(Act::ExpiryDone),
            _ => None,
        }
    }
}

impl Act {
    /// Whether this lets all expire that another did.
    pub(crate) fn goes_beyond(&self, other: &Act) -> bool {
        match (self, other) {
            (Act::PartsExpired(ours), Act::PartsExpired(theirs)) => ours.go_beyond(theirs),
            (Act::EntriesExpired(ours), Act::EntriesExpired(theirs)) => ours.end >= theirs.end,
            _ => false,
        }
    }
}

/// Until when parts were recorded that are kept no longer: by class, and without a class that has a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cutoffs {
    pub(crate) other: Option<Timestamp>,
    pub(crate) classes: BTreeMap<String, Timestamp>,
}

impl Cutoffs {
    /// Whether an event's parts have expired. Of several classes the one that keeps longest decides.
    pub(crate) fn cover(&self, event: &Event) -> bool {
        let recorded_at = event.recorded_at.unwrap_or(event.time);
        let classes = event.resource.iter().flat_map(|resource| &resource.classification);
        let ruled = classes.filter_map(|class| self.classes.get(class)).min();
        ruled.or(self.other.as_ref()).is_some_and(|cutoff| recorded_at < *cutoff)
    }

    /// Whether each part that others let expire is one of these.
    fn go_beyond(&self, others: &Cutoffs) -> bool {
        let of = |cutoffs: &Cutoffs, class: &String| cutoffs.classes.get(class).copied().or(cutoffs.other);
        let beyond = |class| of(self, class) >= of(others, class);
        self.other >= others.other && self.classes.keys().chain(others.classes.keys()).all(beyond)
    }

    /// `audit://<tenant>/parts/before/<micros or ->/<class>:<micros>/…`
    pub(crate) fn uri(&self, tenant: &Tenant) -> String {
        let other = self.other.map_or("-".to_owned(), |time| time.as_micros().to_string());
        let classes: String =
            self.classes.iter().map(|(class, time)| format!("/{class}:{}", time.as_micros())).collect();
        format!("audit://{tenant}/parts/before/{other}{classes}")
    }

    fn parse(tenant: &Tenant, uri: &str) -> Option<Cutoffs> {
        let mut pieces = place(tenant, uri)?.strip_prefix("parts/before/")?.split('/');
        let time = |micros: &str| micros.parse().ok().map(Timestamp::from_micros);
        let other = match pieces.next()? {
            "-" => None,
            micros => Some(time(micros)?),
        };
        let class = |piece: &str| {
            let (class, micros) = piece.rsplit_once(':')?;
            Some((class.to_owned(), time(micros)?))
        };
        Some(Cutoffs { other, classes: pieces.map(class).collect::<Option<_>>()? })
    }
}

/// Which entries are kept no longer: those before `end`, in segments that were recorded before a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntriesCut {
    pub(crate) end: u64,
    pub(crate) before: Timestamp,
}

impl EntriesCut {
    /// `audit://<tenant>/entries/before/<index>/<micros>`
    pub(crate) fn uri(&self, tenant: &Tenant) -> String {
        format!("audit://{tenant}/entries/before/{}/{}", self.end, self.before.as_micros())
    }

    fn parse(tenant: &Tenant, uri: &str) -> Option<EntriesCut> {
        let (end, micros) = place(tenant, uri)?.strip_prefix("entries/before/")?.split_once('/')?;
        let before = Timestamp::from_micros(micros.parse().ok()?);
        let cut = EntriesCut { end: end.parse().ok()?, before };
        (cut.uri(tenant) == uri).then_some(cut)
    }
}

/// All that one trail says about keeping and erasing, some 1 KiB for each entry that does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    notices: BTreeMap<u64, Notice>,
    /// By what is erased: the entries that ordered it.
    erased: BTreeMap<Target, Vec<u64>>,
    /// The entries that let parts expire.
    expiries: Vec<u64>,
}

impl Orders {
    /// Takes in one entry; the same one twice is fine.
    pub(crate) fn note(&mut self, notice: Notice) {
        let index = notice.index;
        match &notice.act {
            Act::Ordered(target) => add(self.erased.entry(target.clone()).or_default(), index),
            Act::PartsExpired(_) => add(&mut self.expiries, index),
            _ => {}
        }
        self.notices.insert(index, notice);
    }

    /// Every entry about keeping and erasing, in order.
    pub(crate) fn notices(&self) -> impl Iterator<Item = &Notice> {
        self.notices.values()
    }

    /// The order of an entry that lets older entries go.
    pub(crate) fn entries_cut(&self, by: u64) -> Option<EntriesCut> {
        match self.notices.get(&by)?.act {
            Act::EntriesExpired(cut) => Some(cut),
            _ => None,
        }
    }

    /// Whether an order is known, and its end.
    pub(crate) fn has_ended(&self, order: u64) -> bool {
        let ends = |notice: &Notice| matches!(notice.act, Act::Done(_) | Act::Failed(_) | Act::ExpiryDone);
        self.notices.get(&order).is_some_and(|order| {
            self.notices().any(|notice| ends(notice) && notice.request() == order.request())
        })
    }

    /// Forgets what stood before an entry.
    pub(crate) fn forget_before(&mut self, first: u64) {
        let gone: Vec<Notice> = std::mem::take(&mut self.notices).into_values().collect();
        *self = Orders::default();
        gone.into_iter().filter(|notice| notice.index >= first).for_each(|notice| self.note(notice));
    }

    /// The first entry that is known.
    pub(crate) fn start(&self) -> Option<u64> {
        self.notices.keys().next().copied()
    }

    /// Whether an entry is known.
    pub(crate) fn knows(&self, index: u64) -> bool {
        self.notices.contains_key(&index)
    }

    /// Why the part of an entry is gone, or is about to be. `holder` is whose key it is sealed under, where that
    /// is known.
    pub(crate) fn explain(
        &self,
        index: u64,
        event: &Event,
        part: &str,
        holder: Option<&str>,
    ) -> Option<Gone> {
        let by = |target: Target| self.erased.get(&target)?.iter().find(|by| **by >= index).copied();
        let subjects = event.resource.iter().flat_map(|resource| &resource.subjects);
        let erased = by(Target::Event(event.id))
            .or_else(|| by(Target::Part(event.id, part.to_owned())))
            .or_else(|| subjects.map(|subject| Target::Subject(subject.clone())).find_map(by))
            .or_else(|| by(Target::User(holder?.to_owned())));
        erased.map(|by| Gone::Erased { by }).or_else(|| self.expired(index, event, holder))
    }

    fn expired(&self, index: u64, event: &Event, holder: Option<&str>) -> Option<Gone> {
        let covers = |by: &&u64| {
            **by >= index
                && matches!(self.notices.get(by).map(|notice| &notice.act),
                    Some(Act::PartsExpired(cutoffs)) if cutoffs.cover(event))
                && !self.held_at(**by, event, holder.unwrap_or_default())
        };
        self.expiries.iter().find(covers).map(|by| Gone::Expired { by: *by })
    }
}

impl Orders {
    /// Whether a hold stood on an event when an entry was written: then the entry did not let it expire.
    fn held_at(&self, by: u64, event: &Event, holder: &str) -> bool {
        let mut holds: Vec<(&str, &Scope)> = Vec::new();
        for notice in self.notices.range(..by).map(|(_, notice)| notice) {
            match &notice.act {
                Act::Held(scope) => holds.push((notice.request(), scope)),
                Act::Released(_) => holds.retain(|(id, _)| *id != notice.request()),
                _ => {}
            }
        }
        holds.into_iter().any(|(_, scope)| scope.covers(event, holder))
    }
}

fn add(list: &mut Vec<u64>, index: u64) {
    if let Err(at) = list.binary_search(&index) {
        list.insert(at, index);
    }
}
