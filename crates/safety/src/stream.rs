//! Redaction of text that arrives in pieces.
//!
//! The pieces that come out, joined, are what redacting the whole text at once would have given, however the
//! text was cut. Held back is only what a finder has to see more of; what a hit swallows is not kept.

mod fragment;
mod lane;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use greffier_event::RedactionAction;

use crate::{Entity, Rules, Scanner};
use fragment::Fragment;
use lane::Lane;

/// What the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Plain text.
    Text,
    /// A JSON document in the making, as tool arguments are streamed: strings are inspected decoded, keys say
    /// what stands below them, and what comes out is as well-formed as what went in.
    JsonFragment,
}

/// What may go on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// Text, redacted.
    pub text: String,
    /// What was found since the last release, whatever the rules say about it.
    pub findings: Vec<Entity>,
    /// A kind that the rules block: the text ends before it, and nothing follows.
    pub blocked: Option<Entity>,
}

/// Redacts one stream of text.
pub struct StreamRedactor {
    // Finders keep nothing of their own yet; holding the scanner keeps what it loaded alive.
    _scanner: Arc<Scanner>,
    rules: Rules,
    state: State,
    blocked: Option<Entity>,
}

enum State {
    Text(Box<Lane>),
    Json(Box<Fragment>),
}

impl std::fmt::Debug for StreamRedactor {
    /// What is held back may be personal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamRedactor")
            .field("rules", &self.rules)
            .field("held", &self.held())
            .field("blocked", &self.blocked)
            .finish()
    }
}

impl StreamRedactor {
    /// A stream at its beginning.
    #[must_use]
    pub fn new(scanner: Arc<Scanner>, rules: Rules, mode: Mode) -> Self {
        let state = match mode {
            Mode::Text => State::Text(Box::default()),
            Mode::JsonFragment => State::Json(Box::default()),
        };
        Self { _scanner: scanner, rules, state, blocked: None }
    }

    /// Takes the next piece and gives what is certain by now.
    pub fn push(&mut self, piece: &str) -> Release {
        self.advance(|state, out| match state {
            State::Text(lane) => {
                lane.feed(piece);
                lane.drain(false, out, crate::placeholder);
            }
            State::Json(fragment) => fragment.push(piece, out),
        })
    }

    /// The text ends here: gives the rest.
    pub fn finish(&mut self) -> Release {
        self.advance(|state, out| match state {
            State::Text(lane) => lane.drain(true, out, crate::placeholder),
            State::Json(fragment) => fragment.finish(out),
        })
    }

    /// Bytes held back until more is known.
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.state {
            State::Text(lane) => lane.held(),
            State::Json(fragment) => fragment.held(),
        }
    }

    fn advance(&mut self, step: impl FnOnce(&mut State, &mut Sink<'_>)) -> Release {
        if self.blocked.is_some() {
            return Release { blocked: self.blocked, ..Release::default() };
        }
        let mut out = Sink { rules: &self.rules, release: Release::default() };
        step(&mut self.state, &mut out);
        let release = out.release;
        if release.blocked.is_some() {
            self.blocked = release.blocked;
            self.state = State::Text(Box::default());
        }
        release
    }
}

/// Where released text goes, and what the rules say about hits.
struct Sink<'r> {
    rules: &'r Rules,
    release: Release,
}

impl Sink<'_> {
    /// Notes a hit; tells whether its text is to be hidden.
    fn found(&mut self, entity: Entity) -> bool {
        self.release.findings.push(entity);
        if self.rules.action(entity) == RedactionAction::Block {
            self.release.blocked = Some(entity);
        }
        self.rules.hides(entity)
    }

    fn is_blocked(&self) -> bool {
        self.release.blocked.is_some()
    }
}
