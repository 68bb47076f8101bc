//! What the words before a value speak of, where its label has more than one meaning.

use crate::Entity;
use crate::text::{LOOK_BEHIND, Text};

/// An account is one at a bank where the words before it speak of money.
pub(super) fn speaks_of_money(text: &Text<'_>, at: usize) -> bool {
    const WORDS: [&[u8]; 14] = [
        b"bank",
        b"rout",
        b"transfer",
        b"wire",
        b"ach ",
        b"deposit",
        b"checking",
        b"saving",
        b"payment",
        b"payout",
        b"refund",
        b"iban",
        b"swift",
        b"aba ",
    ];
    says_one_of(text, at, &WORDS)
}

/// An expiry is that of a card where the words before it speak of cards.
pub(in crate::find) fn speaks_of_a_card(text: &Text<'_>, at: usize) -> bool {
    const WORDS: [&[u8]; 9] =
        [b"card", b"visa", b"amex", b"mastercard", b"cvv", b"cvc", b"valid thru", b"good thru", b"pan"];
    let key = text.hints.said.announces(Entity::CardExpiry).is_some()
        || memchr::memmem::find(&text.hints.key().to_ascii_lowercase(), b"card").is_some();
    key || text.follows_card(at) || says_one_of(text, at, &WORDS)
}

fn says_one_of(text: &Text<'_>, at: usize, words: &[&[u8]]) -> bool {
    let behind = text.slice(at.saturating_sub(LOOK_BEHIND), at).to_ascii_lowercase();
    words.iter().any(|word| memchr::memmem::find(&behind, word).is_some())
}
