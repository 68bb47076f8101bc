//! The finders: one kind of value per file, each a function from a place in the text to a hit that starts there.

pub(crate) mod address;
pub(crate) mod age;
pub(crate) mod assign;

pub(crate) mod card;
mod checksum;
pub(crate) mod crypto;
pub(crate) mod database_url;
pub(crate) mod date;
pub(crate) mod email;
pub(crate) mod encoded;
pub(crate) mod groups;
pub(crate) mod iban;
pub(crate) mod ip;
pub(crate) mod jwt;
pub(crate) mod labelled;
pub(crate) mod mac;
pub(crate) mod mark;
pub(crate) mod national;
pub(crate) mod pem;
pub(crate) mod person;
pub(crate) mod phone;
pub(crate) mod secret;
pub(crate) mod ssn;
mod swift;
mod token;
pub(crate) mod track;
pub(crate) mod uuid;

use crate::Entity;

/// What a finder found at the place it was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) entity: Entity,
    /// Byte behind what has been looked at so far.
    pub(crate) end: usize,
    /// What more belongs to it, if its end is not known yet.
    pub(crate) tail: Option<Tail>,
    /// What decided, for people who ask why.
    pub(crate) rule: &'static str,
    /// The label that said so, where the value alone does not.
    pub(crate) label: Option<&'static str>,
}

impl Hit {
    /// A hit whose end is known.
    pub(crate) fn closed(entity: Entity, end: usize) -> Self {
        Self { entity, end, tail: None, rule: entity.rule(), label: None }
    }

    /// A hit that goes on as `tail` says.
    pub(crate) fn open(entity: Entity, end: usize, tail: Option<Tail>) -> Self {
        Self { tail, ..Self::closed(entity, end) }
    }

    /// A hit that `rule` decided, and not what the table of entities says.
    pub(crate) fn by(self, rule: &'static str) -> Self {
        Self { rule, ..self }
    }

    /// A hit that a label stands behind.
    pub(crate) fn said_by(self, label: &'static str) -> Self {
        Self { label: Some(label), ..self }
    }
}

/// How a hit of unbounded length goes on: its rest is swallowed without being kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// More letters, digits, `_` and `-`.
    Token,
    /// More base64url segments joined by dots.
    Jwt,
    /// Everything up to and including the END line.
    Pem,
    /// More of the alphabet of base64.
    Base64,
}

/// How far a tail reaches in the text at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swallowed {
    /// It ends here.
    Ends(usize),
    /// It goes on from here when more text comes.
    GoesOn(usize),
}

impl Tail {
    /// Swallows from `at` on.
    pub(crate) fn swallow(self, text: &crate::text::Text<'_>, at: usize) -> Swallowed {
        let end = match self {
            Self::Token => text.run(at, usize::MAX, is_token_byte),
            Self::Jwt => jwt::rest(text, at),
            Self::Base64 => text.run(at, usize::MAX, encoded::is_base64),
            Self::Pem => return pem::swallow(text, at),
        };
        if text.take_starved() { Swallowed::GoesOn(end) } else { Swallowed::Ends(end) }
    }
}

/// The base64url alphabet, which most tokens keep to.
pub(crate) fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}
