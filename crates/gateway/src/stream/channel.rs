//! One streamed field on its way through its redactors.

use std::collections::BTreeMap;
use std::sync::Arc;

use greffier_event::RedactionAction;
use greffier_safety::{Entity, Marks, Met, Mode, Release, Restorer, Rules, Scanner, StreamRedactor, Vault};

/// The redactors of one field: one for the caller, under the rules, and one for the record, which never holds what
/// was found. Where the rules say the same as the record's the two are one.
pub(super) struct Channel {
    forward: StreamRedactor,
    record: Option<StreamRedactor>,
    /// Behind all inspection: the caller gets back what it sent.
    restorer: Option<Restorer>,
    closed: bool,
    /// What was found, by kind: a text that is said again has no more to say.
    counted: BTreeMap<Entity, u64>,
}

/// Whether the text is a document in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Document<'a> {
    /// It is plain text.
    None,
    /// It is one in a string: the string is the field.
    InString,
    /// It is one at this field, and has fields of its own.
    At(&'a str),
}

/// Text that left the redactors.
#[derive(Default)]
pub(super) struct Passed {
    /// For the caller.
    pub(super) forward: String,
    /// For the record.
    pub(super) record: String,
    pub(super) findings: Vec<Met>,
}

impl Channel {
    pub(super) fn new(
        scanner: &Arc<Scanner>,
        rules: Rules,
        marks: &Marks,
        vault: &Vault,
        document: Document<'_>,
    ) -> Channel {
        let mode = if document == Document::None { Mode::Text } else { Mode::JsonFragment };
        let forward = StreamRedactor::new(Arc::clone(scanner), rules.clone(), mode).marking(marks.clone());
        let forward = match document {
            Document::At(field) => forward.under(field),
            _ => forward,
        };
        let apart = !rules.only_redact();
        Channel {
            forward,
            restorer: (!vault.is_empty()).then(|| Restorer::new(vault.clone())),
            record: apart.then(|| StreamRedactor::new(Arc::clone(scanner), Rules::always_redact(), mode)),
            closed: false,
            counted: BTreeMap::new(),
        }
    }

    /// Of what was found in a text said again, what is new; it counts from now on.
    pub(super) fn unheard(&mut self, again: Vec<Met>) -> Vec<Met> {
        let mut now: BTreeMap<Entity, u64> = BTreeMap::new();
        let mut new = Vec::new();
        for met in again {
            let seen = now.entry(met.entity).or_default();
            *seen += 1;
            let counted = self.counted.entry(met.entity).or_default();
            if *seen > *counted {
                *counted = *seen;
                new.push(met);
            }
        }
        new
    }

    fn count(&mut self, findings: &[Met]) {
        for met in findings {
            *self.counted.entry(met.entity).or_default() += 1;
        }
    }

    /// Takes the field's next piece; `None` if the field had been ended and this is more of it.
    pub(super) fn push(&mut self, delta: &str) -> Option<Passed> {
        if self.closed {
            return delta.is_empty().then(Passed::default);
        }
        let mut passed =
            passed(self.forward.push(delta), self.record.as_mut().map(|record| record.push(delta)));
        if let Some(restorer) = &mut self.restorer {
            passed.forward = restorer.push(&passed.forward);
        }
        self.count(&passed.findings);
        Some(passed)
    }

    /// Ends the field and lets go what was held. Again it lets go nothing.
    pub(super) fn finish(&mut self) -> Passed {
        if std::mem::replace(&mut self.closed, true) {
            return Passed::default();
        }
        let mut passed = passed(self.forward.finish(), self.record.as_mut().map(StreamRedactor::finish));
        if let Some(restorer) = &mut self.restorer {
            passed.forward = restorer.push(&passed.forward) + &restorer.finish();
        }
        self.count(&passed.findings);
        passed
    }
}

fn passed(forward: Release, record: Option<Release>) -> Passed {
    let mut findings = forward.findings;
    // A block must not go unmentioned, however the redactor lists it.
    let missing = forward.blocked.filter(|entity| !findings.iter().any(|met| met.entity == *entity));
    findings.extend(missing.map(|entity| Met { entity, action: RedactionAction::Block }));
    let record = record.map_or_else(|| forward.text.clone(), |record| record.text);
    Passed { forward: forward.text, record, findings }
}
