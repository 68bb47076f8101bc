//! `[[witness]]` and `[anchor]`: who vouches for the trails, and what that counts for.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use greffier_event::Tenant;
use greffier_gateway::may_fetch;
use greffier_ledger::{MAX_WITNESSES, QUORUM, Require, Witness};
use greffier_merkle::note::{Algorithm, Verifier};

use super::super::AnchorConfig;
use super::super::raw::{Raw, RawRequire, RawWitness, Text};
use super::{Checker, units};

/// Public witnesses ask for no more than a checkpoint of a log each second.
const EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// Below it a pause of the network would count; beyond it nobody would notice.
const STALE_AFTER: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(30 * 86_400);

impl Checker<'_> {
    /// `None` without witnesses, or where something is wrong.
    pub(super) fn anchor(&mut self, raw: &Raw) -> Option<AnchorConfig> {
        let names: Vec<&Text> = raw.witness.iter().map(|witness| &witness.name).collect();
        self.names(names.into_iter());
        let witnesses: Vec<Witness> =
            raw.witness.iter().filter_map(|witness| self.witness(witness)).collect();
        for (at, witness) in witnesses.iter().enumerate() {
            let key = witness.verifier.public_key();
            let twice = witnesses.iter().take(at).any(|earlier| earlier.verifier.public_key() == key);
            if let Some(written) =
                raw.witness.iter().find(|raw| *raw.name.get_ref() == witness.name).filter(|_| twice)
            {
                self.problem(&written.vkey, "this key stands twice: a witness counts once");
            }
        }
        if let Some(beyond) = raw.witness.get(MAX_WITNESSES) {
            self.problem(&beyond.name, format!("more than {MAX_WITNESSES} witnesses"));
        }
        let quorum = self.quorum(raw);
        let every = self.between(&raw.anchor.every, EVERY, "expected at least 1s and at most 1h");
        let stale_after =
            self.between(&raw.anchor.stale_after, STALE_AFTER, "expected at least 2s and at most 30d");
        if every.zip(stale_after).is_some_and(|(every, stale)| stale < 2 * every) {
            self.problem(&raw.anchor.stale_after, "expected at least twice `every`");
        }
        let require = self.require(raw);
        let (quorum, every, stale_after, require) = (quorum?, every?, stale_after?, require?);
        (!witnesses.is_empty()).then_some(AnchorConfig { witnesses, quorum, every, stale_after, require })
    }

    fn witness(&mut self, raw: &RawWitness) -> Option<Witness> {
        let name = raw.name.get_ref();
        if name == "none" || name == QUORUM {
            self.problem(&raw.name, "this name has a meaning of its own in trust policies: choose another");
        }
        let verifier = self.take(&raw.vkey, Verifier::parse(raw.vkey.get_ref()))?;
        if verifier.algorithm() != Algorithm::Cosignature {
            self.problem(&raw.vkey, "expected a witness's key, of type 0x04: this is a log's");
        }
        let url = raw.url.get_ref();
        if !may_fetch(url) || url.contains(['?', '#', '@']) {
            let message =
                "expected an https URL (http on loopback only), without query, fragment and credentials";
            self.problem(&raw.url, message);
        }
        let url = url.trim_end_matches('/').to_owned();
        Some(Witness { name: name.clone(), verifier, url })
    }

    fn quorum(&mut self, raw: &Raw) -> Option<usize> {
        let count = raw.witness.len();
        match &raw.anchor.quorum {
            None => Some(count),
            Some(quorum) if (1..=count).contains(quorum.get_ref()) => Some(*quorum.get_ref()),
            Some(quorum) if count == 0 => {
                self.problem(quorum, "there are no witnesses: add a [[witness]]");
                None
            }
            Some(quorum) => {
                self.problem(quorum, format!("expected 1 to {count}, the number of witnesses"));
                None
            }
        }
    }

    fn between(&mut self, text: &Text, range: RangeInclusive<Duration>, expected: &str) -> Option<Duration> {
        let time = units::duration(text.get_ref());
        let time =
            time.and_then(|time| range.contains(&time).then_some(time).ok_or_else(|| expected.to_owned()));
        self.take(text, time)
    }

    /// Of which trails only what witnesses cosigned is shown.
    fn require(&mut self, raw: &Raw) -> Option<Require> {
        let written = &raw.anchor.require;
        let require = match written.get_ref() {
            RawRequire::Word(word) if word == "*" => Require::All,
            RawRequire::Word(_) => {
                self.problem(written, "expected \"*\" or a list of tenants, as in [\"acme\"]");
                return None;
            }
            RawRequire::Tenants(names) if names.is_empty() => Require::None,
            RawRequire::Tenants(names) => {
                let bad = names.iter().find(|name| Tenant::new(name.as_str()).is_err());
                if let Some(bad) = bad {
                    self.problem(written, format!("`{bad}` is no tenant"));
                    return None;
                }
                Require::Trails(names.iter().cloned().collect::<BTreeSet<String>>())
            }
        };
        if require != Require::None && raw.witness.is_empty() {
            self.problem(written, "there are no witnesses: add a [[witness]]");
            return None;
        }
        Some(require)
    }
}
