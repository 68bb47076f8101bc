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
    if run.iter().filter(|b| **b == b'.').count() != 3 {
        return None;
    }
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
    let announced = at == 0 && text.hints.version || hints::version::announces(text.behind(at));
    product || identifier || announced || behind_a_product(text, at, address) || is_package(text, at, address)
}

/// Whether the number is joined to what it is the version of: `nginx/1.25.3.1`, `pkg@1.2.3.4`, `acme/api:1.2.3.4`. Versions
/// begin with small numbers; an address in a private network, or with a port behind it, is one.
fn is_package(text: &Text<'_>, at: usize, address: Ipv4Addr) -> bool {
    /// What stands in front of an address in paths and logs.
    const HOSTS: [&[u8]; 24] = [
        b"ip",
        b"ips",
        b"ipv4",
        b"ip4",
        b"host",
        b"hosts",
        b"hostname",
        b"dns",
        b"inet",
        b"tcp",
        b"udp",
        b"node",
        b"server",
        b"addr",
        b"src",
        b"dst",
        b"peer",
        b"via",
        b"route",
        b"net",
        b"cidr",
        b"localhost",
        b"whois",
        b"lookup",
    ];
    /// Who logs in somewhere.
    const USERS: [&[u8]; 10] =
        [b"root", b"admin", b"ubuntu", b"user", b"git", b"deploy", b"pi", b"centos", b"postgres", b"vagrant"];
    let first = address.octets()[0];
    let Some(joint @ (b'/' | b'@' | b':')) = text.before(at, 1) else { return false };
    if first >= 20 || first == 10 {
        return false;
    }
    let port = text.run(at, MAX_V4, |b| b.is_ascii_digit() || b == b'.');
    if text.get(port) == Some(b':') && text.get(port + 1).is_some_and(|b| b.is_ascii_digit()) {
        return false;
    }
    let near = text.near(at - 1);
    let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b'@' | b':');
    let start = near.iter().rposition(|b| !part(b)).map_or(0, |last| last + 1);
    let (before, name) = near.split_at_checked(start).unwrap_or_default();
    let is_one_of = |known: &[&[u8]]| known.iter().any(|known| name.eq_ignore_ascii_case(known));
    let starts = name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'@');
    let plain = |more: &[u8]| name.iter().all(|b| b.is_ascii_alphanumeric() || more.contains(b));
    let package = match joint {
        b'/' => plain(b"-_") && !is_one_of(&HOSTS),
        b'@' => plain(b"-_./@") && !is_one_of(&USERS) && !logs_in(before),
        _ => plain(b"-_./") && name.contains(&b'/'),
    };
    starts && package
}

/// Whether the words before a user's name say that somebody logs in.
fn logs_in(before: &[u8]) -> bool {
    const COMMANDS: [&[u8]; 8] = [b"ssh", b"scp", b"sftp", b"rsync", b"login", b"user", b"mosh", b"connect"];
    let mut words =
        before.split(|b| !b.is_ascii_alphanumeric()).rev().filter(|word| !word.is_empty()).take(6);
    words.any(|word| COMMANDS.iter().any(|command| word.eq_ignore_ascii_case(command)))
}

/// Whether the word before makes it a version: `AssemblyVersion("9.1.6.0")`, and of small numbers also a product,
/// `openssl 1.1.1.1`, which is any word but those that a host follows.
fn behind_a_product(text: &Text<'_>, at: usize, address: Ipv4Addr) -> bool {
    const HOSTS: [&[u8]; 36] = [
        b"ip",
        b"host",
        b"server",
        b"dns",
        b"from",
        b"to",
        b"at",
        b"via",
        b"by",
        b"is",
        b"was",
        b"and",
        b"or",
        b"on",
        b"for",
        b"with",
        b"of",
        b"the",
        b"ping",
        b"dig",
        b"curl",
        b"ssh",
        b"address",
        b"addr",
        b"peer",
        b"client",
        b"remote",
        b"source",
        b"resolver",
        b"nameserver",
        b"gateway",
        b"resolve",
        b"block",
        b"allow",
        b"deny",
        b"traceroute",
    ];
    /// Words that a call or quotes part from the number.
    const MARKS: &[u8] = b" (\"'=:";
    let near = text.near(at);
    let kept = near.iter().rposition(|b| !MARKS.contains(b)).map_or(0, |last| last + 1);
    let behind = near.get(..kept).unwrap_or_default();
    let start = behind.iter().rposition(|b| !b.is_ascii_alphabetic()).map_or(0, |last| last + 1);
    let word = behind.get(start..).unwrap_or_default();
    let ends_version = word
        .len()
        .checked_sub(b"version".len())
        .and_then(|from| word.get(from..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(b"version"));
    let small = address.octets().iter().all(|&octet| octet < 10);
    let product = small
        && near.len() == kept + 1
        && near.ends_with(b" ")
        && word.len() >= 3
        && !HOSTS.iter().any(|known| known.eq_ignore_ascii_case(word));
    ends_version || product
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

#[cfg(test)]
mod tests {
    use crate::Scanner;

    #[test]
    fn versions_are_told_from_addresses() {
        let found = |text: &str| {
            let spans = Scanner::new().scan(text);
            spans.iter().map(|span| text[span.start..span.end].to_owned()).collect::<Vec<_>>()
        };
        for version in [
            "nginx/1.25.3.1 started",
            "User-Agent: agent/1.2.3.4",
            "image: acme/api:1.2.3.4",
            "tag: 1.2.3.4",
            "kernel 5.15.0.91",
            "fw 4.2.1.9",
            "see § 4.3.2.1",
            "pkg@1.2.3.4",
            "@acme/ui@1.2.3.4",
            "gem 'rails', '6.1.7.2'",
            "Bumps foo from 6.1.7.1 to 6.1.7.2",
        ] {
            assert_eq!(found(version), Vec::<String>::new(), "{version}");
        }
        for address in [
            "ssh root@3.4.5.6",
            "ssh bob@3.4.5.6",
            "http://3.4.5.6/x",
            "db/3.4.5.6:5432",
            "host/10.0.0.5",
            "web/52.4.5.6",
            "GET /ip/8.8.8.8",
            "kernel: dropped 88.8.8.8",
            "addr:8.8.8.8",
        ] {
            assert_eq!(found(address).len(), 1, "{address}");
        }
    }
}
