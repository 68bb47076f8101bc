//! What is done about findings in one call: the rules of both directions, what makes marks, and the tokens that its
//! reply is restored from. It lives as long as the call, and no part of it is recorded.

use std::sync::Arc;

use greffier_event::{RedactionAction, Stage, Target, Tenant};
use greffier_ledger::Appender;
use greffier_safety::{Marks, Rulebook, Rules, Vault, Way};

use crate::inspect::is_json;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Handling {
    input: Rules,
    output: Rules,
    marks: Marks,
    vault: Vault,
    /// Whether it is a model that is called: its formats have places for data that is no text.
    pub(crate) of_model: bool,
}

impl Handling {
    /// What the rulebook says about a tenant's call of a model or a tool. Hashes are keyed with the node's key, and
    /// the same value has another in each tenant.
    pub(crate) fn new(
        rulebook: &Rulebook,
        appender: &Appender,
        tenant: &Tenant,
        target: &Target,
    ) -> Handling {
        let tool = match target {
            Target::Model { .. } => None,
            Target::Tool { name, .. } | Target::Session { name, .. } => Some(name.clone()),
            Target::Resource { server, uri } => Some(format!("{server}:{uri}")),
        };
        let tool = tool.as_deref();
        let rules = |stage| rulebook.rules(Way { stage, tenant: tenant.as_str(), tool });
        let (input, output) = (rules(Stage::Input), rules(Stage::Output));
        let vault = Vault::default();
        let mut marks = Marks::default().tokens(vault.clone());
        if input.may(RedactionAction::Hash) || output.may(RedactionAction::Hash) {
            let (appender, tenant) = (appender.clone(), tenant.clone());
            marks = marks.hashing(Arc::new(move |entity, value| {
                let reference = appender.keys().reference(&tenant, entity.name(), value);
                reference.trim_start_matches("ref:").to_owned()
            }));
        }
        Handling { input, output, marks, vault, of_model: tool.is_none() }
    }

    pub(crate) fn rules(&self, stage: Stage) -> &Rules {
        match stage {
            Stage::Input => &self.input,
            Stage::Output => &self.output,
        }
    }

    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// What a streamed reply is restored from.
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Looks at what the caller sends before anything in it is replaced: what looks like a token there is none of ours.
    pub(crate) fn before(&self, raw: &[u8]) {
        if self.input.may(RedactionAction::Tokenise) {
            self.vault.keep_clear_of(raw);
        }
    }

    /// A reply in which tokens have given way to what they stood for.
    pub(crate) fn restored(&self, media: &str, reply: Vec<u8>) -> Vec<u8> {
        if self.vault.is_empty() {
            return reply;
        }
        match String::from_utf8(reply) {
            Ok(text) if is_json(media) => self.vault.restore_json(&text).into_bytes(),
            Ok(text) => self.vault.restore(&text).into_bytes(),
            // No text that we sent comes back in what is none.
            Err(error) => error.into_bytes(),
        }
    }
}
