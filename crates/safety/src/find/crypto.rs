//! Bitcoin and Ethereum addresses, by their checksums.

use sha2::Digest as _;

use super::Hit;
use crate::{Entity, text::Text};

/// The longest address: bech32 allows 90 characters.
const MAX_ADDRESS: usize = 90;

pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    match text.get(at)? {
        b'0' => ethereum(text, at),
        b'1' | b'3' => base58(text, at),
        b'b' | b'B' => segwit(text, at),
        _ => None,
    }
}

fn address<'a>(text: &Text<'a>, at: usize) -> Option<(&'a str, usize)> {
    let end = text.run(at, MAX_ADDRESS + 1, |b| b.is_ascii_alphanumeric());
    let address = std::str::from_utf8(text.slice(at, end)).ok()?;
    text.word_end(end).then_some((address, end))
}

/// Pay-to-public-key-hash and pay-to-script-hash: version, 20 bytes, four bytes of double SHA-256.
fn base58(text: &Text<'_>, at: usize) -> Option<Hit> {
    // Most numbers are done with here.
    if text.run(at, 26, |b| b.is_ascii_alphanumeric()) - at < 26 {
        return None;
    }
    let (address, end) = address(text, at)?;
    if address.len() > 35 {
        return None;
    }
    let mut bytes = [0; 25];
    if bs58::decode(address).onto(&mut bytes) != Ok(25) {
        return None;
    }
    let (payload, checksum) = bytes.split_at(21);
    let digest = sha2::Sha256::digest(sha2::Sha256::digest(payload));
    let valid = matches!(payload.first(), Some(0x00 | 0x05)) && digest.starts_with(checksum);
    valid.then(|| Hit::closed(Entity::Crypto, end))
}

/// Bech32 and bech32m.
fn segwit(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !text.starts_with(at, b"bc1") && !text.starts_with(at, b"BC1") {
        return None;
    }
    let (address, end) = address(text, at)?;
    bech32::segwit::decode(address).is_ok().then(|| Hit::closed(Entity::Crypto, end))
}

/// `0x` and 40 hex digits; where they mix cases, the cases are the checksum of EIP-55.
fn ethereum(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !text.starts_with(at, b"0x") {
        return None;
    }
    let start = at + 2;
    let end = text.run(start, 41, |b| b.is_ascii_hexdigit());
    let hex = text.slice(start, end);
    if hex.len() != 40 || !text.word_end(end) || hex.iter().all(|&b| b == b'0') {
        return None;
    }
    let mixed = hex.iter().any(u8::is_ascii_lowercase) && hex.iter().any(u8::is_ascii_uppercase);
    (!mixed || cases_hold(hex)).then(|| Hit::closed(Entity::Crypto, end))
}

fn cases_hold(hex: &[u8]) -> bool {
    let digest = sha3::Keccak256::digest(hex.to_ascii_lowercase());
    let nibbles = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    hex.iter().zip(nibbles).all(|(b, nibble)| b.is_ascii_digit() || b.is_ascii_uppercase() == (nibble >= 8))
}
