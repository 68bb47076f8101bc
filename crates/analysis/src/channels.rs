//! How events reached the trail: what the gateway enforced stands apart from what others claim.

use std::collections::{BTreeMap, HashMap};

use greffier_event::{Event, limits};
use serde::Serialize;

use crate::fact::Fact;

/// One of the channels, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(&'static str);

impl Channel {
    pub(crate) fn of(event: &Event) -> Channel {
        Channel::named(event.source.as_ref().map(|source| source.channel.as_str()))
    }

    /// By its name.
    pub fn named(name: Option<&str>) -> Channel {
        let known = limits::CHANNELS.into_iter().find(|known| name == Some(*known));
        Channel(known.unwrap_or("none"))
    }
}

/// What came by one channel. `gateway` is enforced, the others are claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChannelCounts {
    /// Events.
    pub events: u64,
    /// Calls; see [`crate::Activity::calls`].
    pub calls: u64,
    /// Input tokens, cached ones included.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Cost in millionths of a US dollar, as far as prices are known.
    pub cost_micros: u64,
}

impl ChannelCounts {
    fn merge(&mut self, other: &ChannelCounts) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.events, other.events);
        add(&mut self.calls, other.calls);
        add(&mut self.input_tokens, other.input_tokens);
        add(&mut self.output_tokens, other.output_tokens);
        add(&mut self.cost_micros, other.cost_micros);
    }
}

/// Counts by channel.
#[derive(Default)]
pub(crate) struct Channels(HashMap<Channel, ChannelCounts>);

impl Channels {
    pub(crate) fn add(&mut self, event: &Event) {
        self.add_fact(&Fact::of(event));
    }

    pub(crate) fn add_fact(&mut self, fact: &Fact<'_>) {
        let spent = ChannelCounts {
            events: 1,
            calls: 0,
            input_tokens: fact.input_tokens.unwrap_or(0),
            output_tokens: fact.output_tokens.unwrap_or(0),
            cost_micros: fact.cost_micros.unwrap_or(0),
        };
        self.0.entry(fact.channel).or_default().merge(&spent);
    }

    pub(crate) fn merge(&mut self, other: Channels) {
        for (channel, counts) in other.0 {
            self.0.entry(channel).or_default().merge(&counts);
        }
    }

    pub(crate) fn finish(self, calls: &HashMap<Channel, u64>) -> BTreeMap<&'static str, ChannelCounts> {
        let with_calls = |(channel, counts): (Channel, ChannelCounts)| {
            (channel.0, ChannelCounts { calls: calls.get(&channel).copied().unwrap_or(0), ..counts })
        };
        self.0.into_iter().map(with_calls).collect()
    }
}
