//! Keys and tokens that say by a fixed prefix what they are.

use super::{Hit, Tail, is_token_byte};
use crate::{Entity, text::Text};

/// How the part behind a prefix looks.
#[derive(Clone, Copy)]
enum Body {
    /// Exactly this many bytes of an alphabet, then something else.
    Exactly(usize, fn(u8) -> bool),
    /// Between these many letters and digits, then something else.
    Alphanumeric(usize, usize),
    /// At least this many letters, digits, `_`, `-`, and however many follow.
    Token(usize),
}

/// A form of secret: the prefix decides what it is, the check whether it is one.
struct Form {
    entity: Entity,
    prefix: &'static [u8],
    body: Body,
    holds: fn(&[u8]) -> bool,
}

const fn form(entity: Entity, prefix: &'static [u8], body: Body, holds: fn(&[u8]) -> bool) -> Form {
    Form { entity, prefix, body, holds }
}

/// Longer prefixes stand before the shorter ones that they start with.
const FORMS: [Form; 47] = {
    use Body::{Alphanumeric, Exactly, Token};
    use Entity as E;
    [
        form(E::AwsAccessKey, b"AKIA", Exactly(16, is_upper), is_random),
        form(E::AwsAccessKey, b"ASIA", Exactly(16, is_upper), is_random),
        form(E::AwsAccessKey, b"ABIA", Exactly(16, is_upper), is_random),
        form(E::AwsAccessKey, b"ACCA", Exactly(16, is_upper), is_random),
        form(E::GithubToken, b"ghp_", Exactly(36, is_alnum), crc_holds),
        form(E::GithubToken, b"gho_", Exactly(36, is_alnum), crc_holds),
        form(E::GithubToken, b"ghu_", Exactly(36, is_alnum), crc_holds),
        form(E::GithubToken, b"ghs_", Exactly(36, is_alnum), crc_holds),
        form(E::GithubToken, b"ghr_", Exactly(36, is_alnum), crc_holds),
        form(E::GithubToken, b"github_pat_", Token(60), is_random),
        form(E::SlackToken, b"xoxe.xoxp-", Token(20), is_random),
        form(E::SlackToken, b"xoxe.xoxb-", Token(20), is_random),
        form(E::SlackToken, b"xoxa-", Token(16), has_digit),
        form(E::SlackToken, b"xoxb-", Token(16), has_digit),
        form(E::SlackToken, b"xoxc-", Token(16), has_digit),
        form(E::SlackToken, b"xoxd-", Token(16), has_digit),
        form(E::SlackToken, b"xoxe-", Token(16), has_digit),
        form(E::SlackToken, b"xoxo-", Token(16), has_digit),
        form(E::SlackToken, b"xoxp-", Token(16), has_digit),
        form(E::SlackToken, b"xoxr-", Token(16), has_digit),
        form(E::SlackToken, b"xoxs-", Token(16), has_digit),
        form(E::SlackToken, b"xapp-", Token(20), has_digit),
        form(E::AnthropicKey, b"sk-ant-", Token(24), is_random),
        form(E::OpenaiKey, b"sk-proj-", Token(20), is_random),
        form(E::OpenaiKey, b"sk-svcacct-", Token(20), is_random),
        form(E::OpenaiKey, b"sk-admin-", Token(20), is_random),
        form(E::OpenaiKey, b"sk-None-", Token(20), is_random),
        form(E::OpenaiKey, b"sk-or-v1-", Token(32), is_random),
        form(E::OpenaiKey, b"sk-", Alphanumeric(20, 64), is_random),
        form(E::GoogleApiKey, b"AIza", Exactly(35, is_token_byte), is_random),
        form(E::StripeKey, b"sk_live_", Alphanumeric(16, 128), is_random),
        form(E::StripeKey, b"rk_live_", Alphanumeric(16, 128), is_random),
        form(E::GitlabToken, b"glpat-", Token(20), is_random),
        form(E::GitlabToken, b"gldt-", Token(20), is_random),
        form(E::GitlabToken, b"glrt-", Token(20), is_random),
        form(E::GitlabToken, b"glptt-", Token(20), is_random),
        form(E::GitlabToken, b"glsoat-", Token(20), is_random),
        form(E::GitlabToken, b"glcbt-", Token(20), is_random),
        form(E::GitlabToken, b"glft-", Token(20), is_random),
        form(E::GitlabToken, b"glimt-", Token(20), is_random),
        form(E::GitlabToken, b"gloas-", Token(20), is_random),
        form(E::NpmToken, b"npm_", Exactly(36, is_alnum), is_random),
        form(E::PypiToken, b"pypi-AgE", Token(50), is_random),
        form(E::HuggingfaceToken, b"hf_", Alphanumeric(30, 40), is_random),
        form(E::HuggingfaceToken, b"api_org_", Alphanumeric(30, 40), is_random),
        form(E::TwilioKey, b"SK", Exactly(32, is_lower_hex), is_random),
        form(E::SendgridKey, b"SG.", Exactly(66, is_sendgrid_byte), is_sendgrid),
    ]
};

/// The second letters of prefixes that begin so: most words are done with here.
fn seconds(first: u8) -> &'static [u8] {
    match first {
        b'A' => b"KSBCI",
        b'S' => b"KG",
        b'a' | b'n' => b"p",
        b'g' => b"hil",
        b'h' => b"f",
        b'p' => b"y",
        b'r' | b's' => b"k",
        b'x' => b"oa",
        _ => b"",
    }
}

pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    let first = text.get(at)?;
    if seconds(first).is_empty() || !seconds(first).contains(&text.get(at + 1)?) {
        return None;
    }
    let form =
        FORMS.iter().find(|form| form.prefix.first() == Some(&first) && text.starts_with(at, form.prefix))?;
    let start = at + form.prefix.len();
    let (end, whole, tail) = match form.body {
        Body::Exactly(length, class) => {
            let end = text.run(start, length + 1, class);
            (end, end - start == length && text.word_end(end), None)
        }
        Body::Alphanumeric(least, most) => {
            let end = text.run(start, most + 1, is_alnum);
            (end, (least..=most).contains(&(end - start)) && text.word_end(end), None)
        }
        Body::Token(least) => {
            let end = text.run(start, least, is_token_byte);
            (end, end - start == least, Some(Tail::Token))
        }
    };
    (whole && (form.holds)(text.slice(start, end))).then(|| Hit::open(form.entity, end, tail))
}

/// The secret that stands beside the id of an access key, with nothing to announce it.
pub(crate) fn beside_access_key(text: &Text<'_>, at: usize) -> Option<Hit> {
    let end = text.run(at, 41, |b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'+'));
    let value = text.slice(at, end);
    super::assign::is_aws_secret(value)
        .then(|| Hit::closed(Entity::AwsSecretKey, end).said_by("an access key before"))
}

fn is_alnum(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

fn is_upper(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit()
}

fn is_lower_hex(b: u8) -> bool {
    b.is_ascii_digit() || (b'a'..=b'f').contains(&b)
}

fn is_sendgrid_byte(b: u8) -> bool {
    is_token_byte(b) || b == b'.'
}

/// 22 and 43 bytes, joined by a dot.
fn is_sendgrid(body: &[u8]) -> bool {
    body.get(22) == Some(&b'.') && body.iter().filter(|&&b| b == b'.').count() == 1 && is_random(body)
}

fn has_digit(body: &[u8]) -> bool {
    body.iter().any(u8::is_ascii_digit) && !is_dummy(body)
}

/// Whether a machine made it up: many different bytes, and not only small letters.
fn is_random(body: &[u8]) -> bool {
    let mut seen = [false; 256];
    let different =
        body.iter().filter(|&&b| seen.get_mut(usize::from(b)).is_some_and(|s| !std::mem::replace(s, true)));
    let varied = different.count() >= 8;
    let mixed = body.iter().any(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    varied && mixed && !is_dummy(body)
}

/// Whether a person put it in place of a secret: `your-key-here`, `xxxxxxxx`, `…EXAMPLE`.
fn is_dummy(body: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] = [b"your", b"placeholder", b"changeme", b"redacted", b"insert", b"example"];
    let said = WORDS.iter().any(|word| body.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word)));
    let repeated = body.windows(6).any(|w| w.windows(2).all(|pair| pair.first() == pair.last()));
    said || repeated
}

/// The last six of 36 letters are the CRC-32 of the others, in base 62.
fn crc_holds(body: &[u8]) -> bool {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some((random, checksum)) = body.split_at_checked(30) else { return false };
    let written = checksum.iter().try_fold(0u64, |value, b| {
        DIGITS
            .iter()
            .position(|digit| digit == b)
            .and_then(|digit| u64::try_from(digit).ok())
            .map(|d| value * 62 + d)
    });
    written == Some(u64::from(crc32fast::hash(random)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_prefix_begins_otherwise() {
        for form in &FORMS {
            let [first, second, ..] = form.prefix else { panic!("{:?} is too short", form.prefix) };
            assert!(seconds(*first).contains(second), "{:?}", form.prefix);
        }
    }
}
