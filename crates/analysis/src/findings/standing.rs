//! What is on record about findings: that one was recorded, acknowledged, or that its rule is muted for whom it is
//! about. Such events name the finding in their resource, `audit://<tenant>/findings/<rule>/<id>`, and are Greffier's
//! own: no producer can send one.

use std::collections::HashMap;

use greffier_event::{EventId, EventType};

use super::{Finding, FindingKind, State, Whose};
use crate::fact::Fact;

/// The action of the event that records a finding.
pub const RAISED: &str = "finding:raise";
/// The action of the event by which a person acknowledges one.
pub const ACKNOWLEDGE: &str = "finding:acknowledge";
/// The action of the event by which a person mutes its rule for whom it is about.
pub const MUTE: &str = "finding:mute";
/// The action of the event by which that ends.
pub const UNMUTE: &str = "finding:unmute";

/// Where a finding stands, behind `audit://<tenant>/`.
pub fn place(finding: &Finding) -> String {
    format!("findings/{}/{}", finding.kind.as_str(), finding.id)
}

/// A word on a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Raised,
    Acknowledged,
    Muted,
    Unmuted,
}

/// Which finding an event of Greffier's own is about, and what it says of it.
pub(crate) fn word(fact: &Fact<'_>) -> Option<(EventId, Word)> {
    let word = match fact.action? {
        RAISED => Word::Raised,
        ACKNOWLEDGE => Word::Acknowledged,
        MUTE => Word::Muted,
        UNMUTE => Word::Unmuted,
        _ => return None,
    };
    // A denial, or a reader's question, changes nothing.
    if fact.kind != EventType::ActionExecuted {
        return None;
    }
    let id = fact.resource?.rsplit('/').next()?;
    Some((EventId(id.parse().ok()?), word))
}

/// The rules that are muted, each since which entry.
#[derive(Default)]
pub(crate) struct Muted(HashMap<(FindingKind, Whose), u64>);

impl Muted {
    pub(crate) fn set(&mut self, kind: FindingKind, whose: Whose, index: u64) {
        self.0.insert((kind, whose), index);
    }

    pub(crate) fn end(&mut self, kind: FindingKind, whose: Whose) {
        self.0.remove(&(kind, whose));
    }

    /// Marks a finding that nobody wants to hear of.
    pub(crate) fn mark(&self, finding: &mut Finding, whose: &Whose) {
        if self.0.is_empty() {
            return;
        }
        if let Some(index) = self.0.get(&(finding.kind, whose.clone())) {
            (finding.state, finding.by) = (State::Muted, Some(*index));
        }
    }
}
