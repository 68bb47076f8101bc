//! What stands in the place of a value: `<US_SSN>`, `****6789`, `<US_SSN:9f2c51d0a8b3e477>`, `<US_SSN_1>`.
//!
//! A mark is made of letters, digits and a few signs that no format escapes, so that it may stand in a string
//! of JSON, however deep, as it is. [`Rules`] says which mark it is; the record has none but placeholders.

use std::sync::Arc;

use greffier_event::RedactionAction;

use crate::{Entity, Rules, Span, Vault, placeholder};

/// The longest value that is masked, hashed or tokenised: a stream keeps it whole until it ends. A private key has
/// 3 KiB and a token 8; what is longer is redacted.
pub(crate) const MAX_VALUE: usize = 16 * 1024;

/// What a mask shows of a value, and the length from which it shows any.
const SHOWN: usize = 4;
const LONG_ENOUGH: usize = 8;
const MASK: &str = "****";

/// Characters of a hash that are shown: 64 bits, so that a billion values seldom meet.
pub(crate) const HASH: usize = 16;

/// What makes the keyed hash of a value: lower case hex digits, equal for equal values.
pub type Hasher = Arc<dyn Fn(Entity, &str) -> String + Send + Sync>;

/// Makes marks. Without a hasher or a vault, what needs one is redacted.
#[derive(Clone, Default)]
pub struct Marks {
    hasher: Option<Hasher>,
    vault: Option<Vault>,
}

impl std::fmt::Debug for Marks {
    /// The hasher knows a key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Marks").field("vault", &self.vault).finish_non_exhaustive()
    }
}

impl Marks {
    /// Marks with this hash.
    #[must_use]
    pub fn hashing(mut self, hasher: Hasher) -> Self {
        self.hasher = Some(hasher);
        self
    }

    /// Marks with tokens, which this vault can restore.
    #[must_use]
    pub fn tokens(mut self, vault: Vault) -> Self {
        self.vault = Some(vault);
        self
    }

    /// The mark of a value; none where the placeholder has to do.
    pub(crate) fn of(&self, action: RedactionAction, entity: Entity, value: &str) -> Option<String> {
        if value.len() > MAX_VALUE {
            return None;
        }
        match action {
            RedactionAction::Mask => Some(mask(value)),
            RedactionAction::Hash => {
                let mut tag: String =
                    self.hasher.as_ref()?(entity, &plain(value)).chars().take(HASH).collect();
                if tag.is_empty() {
                    return None;
                }
                // With a letter it is no number, whatever it is taken for.
                if tag.bytes().all(|b| b.is_ascii_digit()) {
                    tag.replace_range(..1, "a");
                }
                Some(format!("<{}:{tag}>", entity.name()))
            }
            RedactionAction::Tokenise => self.vault.as_ref()?.token(entity, value),
            _ => None,
        }
    }
}

/// Whether an action needs to know the value.
pub(crate) fn needs_value(action: RedactionAction) -> bool {
    matches!(action, RedactionAction::Mask | RedactionAction::Hash | RedactionAction::Tokenise)
}

/// The last four characters, where they are less than half.
fn mask(value: &str) -> String {
    let shown = |c: &char| c.is_alphanumeric() || matches!(c, '.' | '@' | '_');
    let letters: Vec<char> = value.chars().filter(shown).collect();
    let last = if letters.len() < LONG_ENOUGH {
        &[]
    } else {
        letters.get(letters.len() - SHOWN..).unwrap_or_default()
    };
    MASK.chars().chain(last.iter().copied()).collect()
}

/// A value as it is hashed: `4111 1111…` and `4111-1111…` are the same card.
fn plain(value: &str) -> String {
    let kept = |c: &char| !c.is_whitespace() && !matches!(c, '-' | '(' | ')');
    value.chars().filter(kept).flat_map(char::to_lowercase).collect()
}

/// The text with each hit replaced as the rules say. `spans` is what a scan of this text gave.
#[must_use]
pub fn replace_text(text: &str, spans: &[Span], rules: &Rules, marks: &Marks) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for span in spans {
        let action = rules.action(span.entity);
        if !action.hides() {
            continue;
        }
        out.push_str(text.get(copied..span.start).unwrap_or_default());
        let value = text.get(span.start..span.end).unwrap_or_default();
        let mark = if needs_value(action) { marks.of(action, span.entity, value) } else { None };
        out.push_str(&mark.unwrap_or_else(|| placeholder(span.entity)));
        copied = span.end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Scanner, samples};

    /// Marks for tests: the hash is only the value's letters and digits again, mixed.
    pub(crate) fn marks() -> Marks {
        let hash = |_: Entity, value: &str| {
            let mixed = value.bytes().fold(7_u64, |sum, b| sum.wrapping_mul(0x100_0000_01b3) ^ u64::from(b));
            format!("{mixed:016x}")
        };
        Marks::default().hashing(Arc::new(hash)).tokens(Vault::default())
    }

    pub(crate) const ACTIONS: [RedactionAction; 4] =
        [RedactionAction::Redact, RedactionAction::Mask, RedactionAction::Hash, RedactionAction::Tokenise];

    fn check(action: RedactionAction, text: &str) -> String {
        replace_text(text, &Scanner::new().scan(text), &Rules::new(action), &marks())
    }

    #[test]
    fn each_action_has_its_mark() {
        let text = "a@b.co and 123-45-6789, A@b.co, a@b.co, 4111 1111 1111 1111 or 4111111111111111";
        let all = ACTIONS.map(|action| check(action, text)).join("\n");
        insta::assert_snapshot!(all, @"
        <EMAIL_ADDRESS> and <US_SSN>, <EMAIL_ADDRESS>, <EMAIL_ADDRESS>, <CREDIT_CARD> or <CREDIT_CARD>
        **** and ****6789, ****, ****, ****1111 or ****1111
        <EMAIL_ADDRESS:0ca81d33aba797da> and <US_SSN:7659902102b324d4>, <EMAIL_ADDRESS:0ca81d33aba797da>, <EMAIL_ADDRESS:0ca81d33aba797da>, <CREDIT_CARD:bfffb67826253ff0> or <CREDIT_CARD:bfffb67826253ff0>
        <EMAIL_ADDRESS_1> and <US_SSN_1>, <EMAIL_ADDRESS_2>, <EMAIL_ADDRESS_1>, <CREDIT_CARD_1> or <CREDIT_CARD_2>
        ");
        assert_eq!(check(RedactionAction::Flag, text), text);
        assert_eq!(check(RedactionAction::Block, "ssn 123-45-6789"), "ssn <US_SSN>");
    }

    #[test]
    fn a_mask_shows_less_than_half() {
        assert_eq!(mask("123"), "****");
        assert_eq!(mask("12-34-56-7"), "****");
        assert_eq!(mask("12345678"), "****5678");
        assert_eq!(mask("pa\"ss\\wörter\n"), "****rter");
    }

    #[test]
    fn without_means_the_placeholder_has_to_do() {
        let text = "123-45-6789";
        let spans = Scanner::new().scan(text);
        for action in [RedactionAction::Hash, RedactionAction::Tokenise] {
            assert_eq!(replace_text(text, &spans, &Rules::new(action), &Marks::default()), "<US_SSN>");
        }
        assert_eq!(marks().of(RedactionAction::Mask, Entity::Jwt, &"x".repeat(MAX_VALUE + 1)), None);
    }

    proptest! {
        #[test]
        fn marks_are_not_found_again(text in samples::prose(), action in prop::sample::select(&ACTIONS[..])) {
            let once = check(action, &text);
            prop_assert_eq!(check(action, &once), once);
        }
    }
}
