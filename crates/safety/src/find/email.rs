//! E-mail addresses, but neither the user part of a URL nor `icon@2x.png` or `pkg@1.2.3`.

use super::Hit;
use crate::alphabet::{Alphabet, alphabet};
use crate::{Entity, text::Text};

/// RFC 5321, 4.5.3.1.
const MAX_LOCAL: usize = 64;
/// RFC 5321, 4.5.3.1; what a DNS name can hold.
const MAX_DOMAIN: usize = 253;
/// RFC 1035, 2.3.4.
const MAX_LABEL: usize = 63;
/// The longest top-level domain in use has 24 letters.
const MAX_TOP: usize = 24;

/// How many dots and dashes in front of an address are skipped in search of the start of a longer one.
const MAX_LEADING: usize = 8;

pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    if continues(text, at) {
        return None;
    }
    let local_end = text.run(at, MAX_LOCAL + 1, |b| LOCAL.has(b));
    if text.get(local_end)? != b'@' {
        return None;
    }
    let domain = local_end + 1;
    let local = text.slice(at, local_end);
    if local.is_empty() || local.len() > MAX_LOCAL || local.ends_with(b".") {
        return None;
    }
    let end = domain_end(text, domain)?;
    let other = is_remote(text, local, end) || is_login(text, at) || is_message(text, at);
    (!other && !is_place(text.slice(domain, end))).then(|| Hit::closed(Entity::EmailAddress, end))
}

/// Where the `@` of an address that starts at `at` would stand.
pub(crate) fn at_sign(text: &Text<'_>, at: usize) -> usize {
    text.run(at, MAX_LOCAL + 1, |b| LOCAL.has(b))
}

/// Whether `at` stands within a local part that starts earlier.
fn continues(text: &Text<'_>, at: usize) -> bool {
    if text.before(at, 1).is_none_or(|b| b.is_ascii_alphanumeric()) {
        return false;
    }
    let joint = |b: u8| matches!(b, b'.' | b'_' | b'+' | b'-');
    let leading = (1..=MAX_LEADING).take_while(|&back| text.before(at, back).is_some_and(joint)).count();
    let Some(previous) = text.before(at, leading + 1) else { return false };
    let latin = is_latin_tail(previous) && text.before(at, leading + 2).is_some_and(is_latin_lead);
    previous.is_ascii_alphanumeric() || latin
}

/// Where the domain ends: behind the last label that can be a top-level domain. A file's extension cannot,
/// but the label before it may: `bob@example.com.txt`.
fn domain_end(text: &Text<'_>, start: usize) -> Option<usize> {
    let mut best = None;
    let (mut at, mut labels, mut numeric) = (start, 0, 0);
    loop {
        let end = text.run(at, MAX_LABEL + 1, |b| LABEL.has(b));
        let label = text.slice(at, end);
        if label.is_empty() || label.len() > MAX_LABEL || label.starts_with(b"-") || end - start > MAX_DOMAIN
        {
            break;
        }
        let letters = label.iter().take_while(|&&b| is_letter(b)).count();
        let whole = letters == label.len() || label.get(letters) == Some(&b'-');
        if labels > 0 && whole && (2..=MAX_TOP).contains(&letters) && !is_extension(label) {
            best = Some(at + letters);
        }
        numeric += usize::from(label.iter().all(u8::is_ascii_digit));
        labels += 1;
        // `pkg@1.2.3-beta.rc`: a version.
        if numeric == 2 && labels == 2 {
            return None;
        }
        if text.get(end) != Some(b'.') {
            break;
        }
        at = end + 1;
    }
    best
}

/// `git@host:path`, the name of a repository or of a place on another machine.
fn is_remote(text: &Text<'_>, local: &[u8], end: usize) -> bool {
    let repository = matches!(local, b"git" | b"hg" | b"svn") && matches!(text.get(end), Some(b':' | b'/'));
    // `root@db7.internal:~#`, `app@db7.example.com:/srv`
    repository || text.get(end) == Some(b':') && matches!(text.get(end + 1), Some(b'~' | b'/'))
}

/// Whether the command before it logs in there: `ssh app@db7.example.com`.
fn is_login(text: &Text<'_>, at: usize) -> bool {
    text.before(at, 1) == Some(b' ') && text.near(at).ends_with(b"ssh ")
}

/// Whether it is the id of a message: `Message-ID: <2024.1@mail.example.com>`.
fn is_message(text: &Text<'_>, at: usize) -> bool {
    const FIELDS: [&[u8]; 3] = [b"message-id: <", b"in-reply-to: <", b"references: <"];
    let names = |near: &[u8], field: &[u8]| {
        let start = near.len().checked_sub(field.len());
        start.and_then(|start| near.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(field))
    };
    text.before(at, 1) == Some(b'<') && FIELDS.iter().any(|field| names(text.near(at), field))
}

/// Whether the domain is one that gets no mail: that within a cluster of Kubernetes, or a version, `pkg@v1.2.zip`.
fn is_place(domain: &[u8]) -> bool {
    let numbers = |b: &&[u8]| !b.is_empty() && b.iter().all(u8::is_ascii_digit);
    let mut labels = domain.split(|b| *b == b'.');
    let version = labels.next().and_then(|first| first.strip_prefix(b"v")).filter(numbers).is_some();
    domain.ends_with(b"cluster.local") || version && labels.next().filter(numbers).is_some()
}

/// What the local part is made of; the letters are those of Latin-1 and Latin Extended too, of two bytes in UTF-8.
static LOCAL: Alphabet = alphabet!(
    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | 0x80..=0xBF | 0xC3..=0xC9 | b'.' | b'_' | b'+' | b'-'
);

/// What a label of a domain is made of.
static LABEL: Alphabet =
    alphabet!(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | 0x80..=0xBF | 0xC3..=0xC9 | b'-');

fn is_letter(b: u8) -> bool {
    b.is_ascii_alphabetic() || is_latin_lead(b) || is_latin_tail(b)
}

pub(crate) const fn is_latin_lead(b: u8) -> bool {
    matches!(b, 0xC3..=0xC9)
}

fn is_latin_tail(b: u8) -> bool {
    (0x80..=0xBF).contains(&b)
}

/// Extensions of files that are no top-level domains one sends mail to.
fn is_extension(label: &[u8]) -> bool {
    const EXTENSIONS: [&[u8]; 40] = [
        b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"ico", b"bmp", b"tiff", b"pdf", b"txt", b"csv",
        b"json", b"jsonl", b"xml", b"html", b"htm", b"css", b"scss", b"js", b"jsx", b"ts", b"tsx", b"mjs",
        b"vue", b"py", b"rb", b"go", b"java", b"yaml", b"yml", b"toml", b"lock", b"log", b"doc", b"docx",
        b"xls", b"xlsx", b"eml", b"gz",
    ];
    EXTENSIONS.iter().any(|known| label.eq_ignore_ascii_case(known))
}
