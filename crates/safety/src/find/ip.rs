//! IP addresses, but neither versions nor object identifiers, and no address that names nobody.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Hit;
use crate::{Entity, hints, text::Text};

/// `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255` has 45 bytes; a full stop or colon may follow.
const MAX_V6: usize = 47;

/// `255.255.255.255`.
const MAX_V4: usize = 15;

pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    v4(text, at).or_else(|| v6(text, at))
}

fn v4(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !text.get(at)?.is_ascii_digit() {
        return None;
    }
    let end = text.run(at, MAX_V4 + 1, |b| b.is_ascii_digit() || b == b'.');
    let run = text.slice(at, end);
    let run = run.strip_suffix(b".").unwrap_or(run);
    let end = at + run.len();
    let address: Ipv4Addr = std::str::from_utf8(run).ok()?.parse().ok()?;
    let names_host = !v4_names_nobody(address);
    (names_host && !v4_is_part(text, at, end) && !is_version(text, at, address))
        .then(|| Hit::closed(Entity::IpAddress, end))
}

/// Whether dots, letters or a dash join the run to something longer: `1.2.3.4.5`, `1.2.3.4-beta`.
fn v4_is_part(text: &Text<'_>, at: usize, end: usize) -> bool {
    let before = match text.before(at, 1) {
        Some(b'.' | b'_') => true,
        Some(b'-') => text.before(at, 2).is_some_and(|b| b.is_ascii_alphabetic()),
        _ => false,
    };
    let after = match text.get(end) {
        Some(b'.') => text.get(end + 1).is_some_and(|b| b.is_ascii_digit()),
        Some(b'-') => text.get(end + 1).is_some_and(|b| b.is_ascii_alphabetic()),
        _ => !text.word_end(end),
    };
    before || after
}

/// Loopback, unspecified, broadcast, and network masks.
fn v4_names_nobody(address: Ipv4Addr) -> bool {
    address.is_loopback()
        || address.octets()[0] == 0
        || address.octets()[0] == 255
            && address.to_bits().leading_ones() + address.to_bits().trailing_zeros() == 32
        || address.is_broadcast()
}

/// Whether the surroundings or the number itself say version or object identifier.
fn is_version(text: &Text<'_>, at: usize, address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    let product = match text.before(at, 1) {
        Some(b'^' | b'~') => true,
        Some(b'=') => matches!(text.before(at, 2), Some(b'=' | b'<' | b'>' | b'~' | b'!')),
        // `Chrome/120.0.0.0`
        Some(b'/') => text.before(at, 2).is_some_and(|p| p.is_ascii_alphanumeric()) && (c, d) == (0, 0),
        _ => false,
    };
    let identifier = (a, b, c) == (1, 3, 6) && d == 1 || (a, b) == (2, 5) && matches!(c, 4 | 29);
    // Under a key that says version, what comes first is one.
    let announced = at == 0 && text.hints.version || hints::announces_version(text.behind(at));
    product || identifier || announced
}

fn v6(text: &Text<'_>, at: usize) -> Option<Hit> {
    let first = text.get(at)?;
    let compressed = first == b':' && text.get(at + 1) == Some(b':');
    if !first.is_ascii_hexdigit() && !compressed {
        return None;
    }
    let joined = match text.before(at, 1) {
        Some(b':') => text.before(at, 2).is_some_and(|b| b.is_ascii_hexdigit() || b == b':'),
        Some(b) => b == b'.' || first == b':' && b.is_ascii_alphanumeric(),
        None => false,
    };
    if joined {
        return None;
    }
    // The first group shows quickly that most words are no address.
    let group = text.run(at, 5, |b| b.is_ascii_hexdigit());
    if group - at > 4 || text.get(group) != Some(b':') {
        return None;
    }
    let end = text.run(at, MAX_V6 + 1, |b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
    let mut run = text.slice(at, end);
    if run.ends_with(b".") || run.ends_with(b":") && !run.ends_with(b"::") {
        run = run.split_last().map_or(run, |(_, rest)| rest);
    }
    let address: Ipv6Addr = std::str::from_utf8(run).ok()?.parse().ok()?;
    let end = at + run.len();
    (text.word_end(end) && !v6_names_nobody(address) && !is_path(run))
        .then(|| Hit::closed(Entity::IpAddress, end))
}

/// Loopback, unspecified, both also mapped into IPv6.
fn v6_names_nobody(address: Ipv6Addr) -> bool {
    address.is_loopback() || address.is_unspecified() || address.to_ipv4_mapped().is_some_and(v4_names_nobody)
}

/// Whether a parsed address is rather a path of a program (`a::b`): few and short groups, or no digit at all.
fn is_path(run: &[u8]) -> bool {
    let groups = run.split(|&b| b == b':').filter(|group| !group.is_empty()).count();
    let first = run.iter().position(|&b| b == b':').unwrap_or_default();
    let digits = run.iter().any(u8::is_ascii_digit);
    // Eight pairs: the longer form of a hardware address.
    let pairs = groups == 8 && run.len() == 23;
    pairs || !digits || groups < 2 && first < 3 || groups < 4 && (1..=2).contains(&first)
}
