//! The calls of late: what the events of one call add up to is counted once, whichever of them says it first.

use std::collections::VecDeque;

use crate::calls::Call;
use crate::fact::Fact;
use crate::keyed::{ByKey, Key};

/// Calls that are remembered, the last to begin. One that is still open after so many others counts as another when
/// it ends.
const MAX_RECENT: usize = 65_536;

/// What an event says of its call; what is new with one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) acted: bool,
    pub(crate) ended: bool,
    pub(crate) failed: bool,
    pub(crate) denied: bool,
    /// A read of what is classified.
    pub(crate) read: bool,
}

impl News {
    pub(crate) fn of(fact: &Fact<'_>) -> News {
        let call = Call::of(fact);
        // A read that was denied or only asked for took nothing.
        let read = fact.classified && fact.is_read && call.ended && !call.failed && !call.denied;
        News { acted: call.acted, ended: call.ended, failed: call.failed, denied: call.denied, read }
    }

    fn without(self, known: News) -> News {
        News {
            acted: self.acted && !known.acted,
            ended: self.ended && !known.ended,
            failed: self.failed && !known.failed,
            denied: self.denied && !known.denied,
            read: self.read && !known.read,
        }
    }

    fn or(self, other: News) -> News {
        News {
            acted: self.acted || other.acted,
            ended: self.ended || other.ended,
            failed: self.failed || other.failed,
            denied: self.denied || other.denied,
            read: self.read || other.read,
        }
    }
}

/// Remembers them.
#[derive(Default)]
pub(crate) struct Recent {
    calls: ByKey<News>,
    order: VecDeque<Key>,
}

impl Recent {
    /// What an event says of its call that no earlier one said.
    pub(crate) fn add(&mut self, call: Option<Key>, news: News) -> News {
        let Some(key) = call else { return news };
        if let Some(known) = self.calls.get_mut(&key) {
            let told = *known;
            *known = told.or(news);
            return news.without(told);
        }
        if self.order.len() >= MAX_RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.calls.remove(&oldest);
        }
        self.order.push_back(key);
        self.calls.insert(key, news);
        news
    }
}
