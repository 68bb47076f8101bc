//! What the words before a value speak of, where its label has more than one meaning.

use crate::Entity;
use crate::text::{LOOK_BEHIND, Text};

/// Whether a number labelled so is that of an account at a bank.
pub(super) fn is_at_a_bank(text: &Text<'_>, at: usize, phrase: &str) -> bool {
    match phrase {
        "account" => speaks_of_money(text, at) || is_numbered(text, at) || is_booked(text, at),
        // `A/C 4829103847`
        "a c" => text.near(at).windows(3).any(|w| w.eq_ignore_ascii_case(b"a/c")),
        _ => true,
    }
}

/// `account # 4829103847`, but not that of a service: `AWS account #…`.
fn is_numbered(text: &Text<'_>, at: usize) -> bool {
    const SERVICES: [&[u8]; 22] = [
        b"aws",
        b"azure",
        b"gcp",
        b"google",
        b"github",
        b"gitlab",
        b"slack",
        b"stripe",
        b"twilio",
        b"cloud",
        b"user",
        b"customer",
        b"client",
        b"utility",
        b"service",
        b"tenant",
        b"merchant",
        b"loyalty",
        b"billing",
        b"sub",
        b"cloudflare",
        b"salesforce",
    ];
    let near = text.near(at);
    let gap = near.iter().rev().take_while(|b| !b.is_ascii_alphanumeric()).count();
    let Some((named, gap)) = near.split_at_checked(near.len() - gap) else { return false };
    if !gap.contains(&b'#') {
        return false;
    }
    let mut words = named.split(|b| !b.is_ascii_alphanumeric()).rev().filter(|word| !word.is_empty());
    let account = words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"account"));
    let digits = text.run(at, 18, |b| b.is_ascii_digit()) - at;
    account
        && (8..=17).contains(&digits)
        && words.next().is_none_or(|word| !SERVICES.iter().any(|service| word.eq_ignore_ascii_case(service)))
}

/// `Account 4829103847 was debited`
fn is_booked(text: &Text<'_>, at: usize) -> bool {
    const WORDS: [&[u8]; 6] = [
        b" was debited",
        b" was credited",
        b" is overdrawn",
        b" was overdrawn",
        b" has been debited",
        b" has been credited",
    ];
    let end = text.run(at, 18, |b| b.is_ascii_digit());
    (8..=17).contains(&(end - at)) && WORDS.iter().any(|word| text.starts_with(end, word))
}

/// Whether a plain number behind the plural of what a label names counts them: `total patients: 42365`.
pub(super) fn is_counted(text: &Text<'_>, at: usize, phrase: &str) -> bool {
    if !matches!(phrase, "patient" | "passport" | "phone" | "mobile" | "fax" | "cell") {
        return false;
    }
    let near = text.near(at);
    let label = near.iter().rposition(u8::is_ascii_alphabetic).and_then(|last| near.get(..=last));
    let (label, gap) = match label {
        Some(label) => (label, near.get(label.len()..).unwrap_or_default()),
        None if at == 0 => (text.hints.key(), &b":"[..]),
        None => return false,
    };
    let plural = label.strip_suffix(b"s").or(label.strip_suffix(b"S")).is_some_and(|one| {
        let start = one.len().checked_sub(phrase.len());
        start
            .and_then(|start| one.get(start..))
            .is_some_and(|end| end.eq_ignore_ascii_case(phrase.as_bytes()))
    });
    // In a list, and between quotes, they are told.
    let bare = gap.iter().all(|b| matches!(b, b' ' | b':' | b'=' | b'"')) && !gap.ends_with(b"\"");
    let end = text.run(at, 20, |b| b.is_ascii_digit());
    plural && bare && !text.starts_with(end, b", ") && text.word_end(end)
}

/// An account is one at a bank where the words before it speak of money.
fn speaks_of_money(text: &Text<'_>, at: usize) -> bool {
    const WORDS: [&[u8]; 15] = [
        b"bank",
        b"institution",
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
