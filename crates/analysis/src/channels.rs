//! How events reached the trail: what the gateway enforced stands apart from what others claim.

use std::collections::{BTreeMap, HashMap};

use greffier_event::{Event, Usage, limits};
use serde::Serialize;

/// One of the channels, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Channel(&'static str);

impl Channel {
    pub(crate) fn of(event: &Event) -> Channel {
        let channel = event.source.as_ref().map(|source| source.channel.as_str());
        let known = limits::CHANNELS.into_iter().find(|known| channel == Some(*known));
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
    fn spend(&mut self, usage: &Usage) {
        let add = |sum: &mut u64, more: Option<u64>| *sum = sum.saturating_add(more.unwrap_or(0));
        add(&mut self.input_tokens, usage.input_tokens);
        add(&mut self.output_tokens, usage.output_tokens);
        add(&mut self.cost_micros, usage.cost_micros);
    }
}

/// Counts by channel.
#[derive(Default)]
pub(crate) struct Channels(HashMap<Channel, ChannelCounts>);

impl Channels {
    pub(crate) fn add(&mut self, event: &Event) {
        let counts = self.0.entry(Channel::of(event)).or_default();
        counts.events += 1;
        if let Some(usage) = &event.usage {
            counts.spend(usage);
        }
    }

    pub(crate) fn finish(self, calls: &HashMap<Channel, u64>) -> BTreeMap<&'static str, ChannelCounts> {
        let with_calls = |(channel, counts): (Channel, ChannelCounts)| {
            (channel.0, ChannelCounts { calls: calls.get(&channel).copied().unwrap_or(0), ..counts })
        };
        self.0.into_iter().map(with_calls).collect()
    }
}
