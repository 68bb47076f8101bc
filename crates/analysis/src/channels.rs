//! How events reached the trail: what the gateway enforced stands apart from what others claim.

use std::collections::BTreeMap;

use greffier_event::{Event, limits};
use serde::{Deserialize, Serialize};

use crate::fact::Fact;

/// What a channel has one of.
const EACH: usize = limits::CHANNELS.len() + 1;

/// One of the channels by its number, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(u8);

impl Channel {
    pub(crate) fn of(event: &Event) -> Channel {
        Channel::named(event.source.as_ref().map(|source| source.channel.as_str()))
    }

    /// By its name.
    pub fn named(name: Option<&str>) -> Channel {
        let known = limits::CHANNELS.iter().position(|known| name == Some(*known));
        Channel(known.unwrap_or(limits::CHANNELS.len()) as u8)
    }

    fn name(self) -> &'static str {
        limits::CHANNELS.get(usize::from(self.0)).copied().unwrap_or("none")
    }
}

/// What came by one channel. `gateway` is enforced, the others are claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// Something for each channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByChannel<T>([T; EACH]);

impl<T> ByChannel<T> {
    pub(crate) fn of(&self, channel: Channel) -> Option<&T> {
        self.0.get(usize::from(channel.0))
    }

    pub(crate) fn of_mut(&mut self, channel: Channel) -> Option<&mut T> {
        self.0.get_mut(usize::from(channel.0))
    }

    /// Takes in each of another.
    pub(crate) fn merge(&mut self, other: &ByChannel<T>, take: impl Fn(&mut T, &T)) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, more)| take(mine, more));
    }
}

/// Counts by channel.
#[derive(Default)]
pub(crate) struct Channels(ByChannel<ChannelCounts>);

impl Channels {
    pub(crate) fn add(&mut self, fact: &Fact<'_>) {
        let spent = ChannelCounts {
            events: 1,
            calls: 0,
            input_tokens: fact.input_tokens.unwrap_or(0),
            output_tokens: fact.output_tokens.unwrap_or(0),
            cost_micros: fact.cost_micros.unwrap_or(0),
        };
        if let Some(counts) = self.0.of_mut(fact.channel) {
            counts.merge(&spent);
        }
    }

    pub(crate) fn merge(&mut self, other: &Channels) {
        self.0.merge(&other.0, ChannelCounts::merge);
    }

    /// The channels by which something came.
    pub(crate) fn finish(self, calls: &ByChannel<u64>) -> BTreeMap<&'static str, ChannelCounts> {
        let channels = (0..).map(Channel).zip(self.0.0).filter(|(_, counts)| counts.events > 0);
        let with_calls = |(channel, counts): (Channel, ChannelCounts)| {
            (channel.name(), ChannelCounts { calls: calls.of(channel).copied().unwrap_or(0), ..counts })
        };
        channels.map(with_calls).collect()
    }
}
