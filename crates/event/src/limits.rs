//! One table of what every string and every list of an event may hold.
//!
//! Lengths are in characters. The bound that counts in the end is [`ENTRY_BYTES`]; those of single fields keep
//! one caller's field from using up an entry, and keep pages and indexes readable.

use std::net::IpAddr;

use crate::InvalidEvent;
use crate::invalid::at;

/// Longest entry, in bytes: C2SP `tlog-tiles` entry bundles prefix each entry with a 16-bit length.
pub const ENTRY_BYTES: usize = 65_535;

/// Largest integer: RFC 8785 numbers are IEEE 754 doubles, exact up to 2^53 - 1.
pub const INTEGER: u64 = (1 << 53) - 1;

/// Longest document of a seed form: the gateway's body limit, 32 MiB.
pub const DOCUMENT_BYTES: usize = 32 * 1024 * 1024;

/// Deepest nesting of a document; the reader recurses, and no real event comes near.
pub const DOCUMENT_DEPTH: usize = 128;

/// What a string may look like, beyond its length. No grammar lets an empty string or a control character pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// Any text on one line.
    Line,
    /// A URI or path: no white space, and neither query nor fragment, where personal data likes to travel.
    Uri,
    /// A machine-readable word: an ASCII letter, then letters, digits and `_ . : -`.
    Word,
    /// An entity type: `[A-Z][A-Z0-9_]*`.
    Entity,
    /// A part's name: `[a-z][a-z0-9_]*`.
    PartName,
    /// Exactly so many lowercase hex digits as the field may have characters.
    Hex,
    /// As [`Grammar::Hex`], not all zeros (W3C trace context).
    TraceHex,
    /// An IP address, or a keyed reference to one.
    Address,
    /// A keyed reference, `ref:…`.
    Reference,
    /// One of the five channels.
    Channel,
}

/// How an event may reach the trail.
pub const CHANNELS: [&str; 5] = ["gateway", "hook", "sdk", "otlp", "import"];

/// What every keyed reference starts with.
pub const REFERENCE_PREFIX: &str = "ref:";

/// The rule of one string field.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The field's path.
    pub field: &'static str,
    /// Longest value, in characters.
    pub max: usize,
    /// What it may look like.
    pub grammar: Grammar,
}

/// The rule of one list field.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// The field's path.
    pub field: &'static str,
    /// Most items.
    pub max: usize,
}

macro_rules! texts {
    ($($name:ident = $field:literal, $max:literal, $grammar:ident;)*) => {
        $(#[doc = concat!("Rule of `", $field, "`.")]
        pub const $name: Text = Text { field: $field, max: $max, grammar: Grammar::$grammar };)*
        /// Every string rule, for documentation and tests.
        pub const TEXTS: &[Text] = &[$($name),*];
    };
}

macro_rules! lists {
    ($($name:ident = $field:literal, $max:literal;)*) => {
        $(#[doc = concat!("Rule of `", $field, "`.")]
        pub const $name: List = List { field: $field, max: $max };)*
        /// Every list rule, for documentation and tests.
        pub const LISTS: &[List] = &[$($name),*];
    };
}

texts! {
    ACTION_CALL_ID = "action.call_id", 256, Line;
    ACTION_METHOD = "action.method", 64, Line;
    ACTION_NAME = "action.name", 256, Line;
    AGENT_ID = "agent.id", 256, Line;
    AGENT_TIER = "agent.tier", 128, Line;
    AGENT_VERSION = "agent.version", 128, Line;
    AGENT_VIA_ISS = "agent.via.iss", 512, Uri;
    AGENT_VIA_SUB = "agent.via.sub", 256, Line;
    REDACTION_PATH = "content_safety.redactions.path", 512, Line;
    REDACTION_TYPE = "content_safety.redactions.type", 64, Entity;
    ATTEMPT_UPSTREAM_ID = "outcome.attempts.upstream_request_id", 256, Line;
    OUTCOME_ERROR = "outcome.error", 128, Word;
    PART_DIGEST = "parts.digest", 64, Hex;
    PART_MEDIA = "parts.media", 128, Line;
    PART_NAME = "parts.name", 64, PartName;
    PARTS_ROOT = "parts_root", 64, Hex;
    POLICY_REASON = "policy.reason", 512, Line;
    POLICY_RULE = "policy.rule", 512, Line;
    POLICY_SCOPE = "policy.scopes", 256, Line;
    POLICY_VERSION = "policy.version", 128, Line;
    REQUEST_ID = "request_id", 256, Line;
    RESOURCE_CLASS = "resource.classification", 64, Line;
    RESOURCE_SUBJECT = "resource.subjects", 256, Reference;
    RESOURCE_URI = "resource.uri", 2048, Uri;
    SESSION_ID = "session_id", 256, Line;
    SOURCE_CHANNEL = "source.channel", 16, Channel;
    SOURCE_CLIENT = "source.client", 256, Line;
    SOURCE_DIGEST = "source.digest", 64, Hex;
    SOURCE_IP = "source.ip", 256, Address;
    SOURCE_NODE = "source.node", 128, Line;
    SOURCE_OAUTH_CLIENT = "source.oauth_client", 256, Line;
    SOURCE_PRODUCER = "source.producer", 128, Line;
    SOURCE_PROTOCOL = "source.protocol", 128, Line;
    SOURCE_TOKEN = "source.token", 64, Hex;
    SPAN_ID = "trace.span_id", 16, TraceHex;
    TRACE_ID = "trace.trace_id", 32, TraceHex;
    USAGE_MODEL = "usage.model", 256, Line;
    USAGE_PROVIDER = "usage.provider", 128, Line;
    USER_ISS = "user.iss", 512, Uri;
    USER_ROLE = "user.roles", 256, Line;
    USER_SUB = "user.sub", 256, Line;
}

lists! {
    // Ten earlier actors are kept, the rest is counted in `via_dropped`.
    AGENT_VIA = "agent.via", 10;
    // At some 300 bytes each they fill half an entry.
    REDACTIONS = "content_safety.redactions", 128;
    // A call is given up long before.
    ATTEMPTS = "outcome.attempts", 32;
    // Far above the kinds of content that one call has.
    PARTS = "parts", 32;
    // A token has at most 16 KiB, and a name in it takes four characters at least.
    POLICY_SCOPES = "policy.scopes", 4096;
    USER_ROLES = "user.roles", 4096;
    RESOURCE_CLASSES = "resource.classification", 32;
    // References of 70 bytes: a fifth of an entry.
    RESOURCE_SUBJECTS = "resource.subjects", 256;
}

impl Text {
    /// Checks one value.
    pub fn check(&self, value: &str) -> Result<(), InvalidEvent> {
        self.check_named(value, || self.field.to_owned())
    }

    /// Checks an optional value.
    pub fn check_some(&self, value: Option<&str>) -> Result<(), InvalidEvent> {
        value.map_or(Ok(()), |value| self.check(value))
    }

    /// Checks the value of a field inside a list, whose name only the caller knows.
    pub(crate) fn check_named(&self, value: &str, name: impl Fn() -> String) -> Result<(), InvalidEvent> {
        let fail = |problem: String| Err(InvalidEvent::new(name(), problem));
        if value.is_empty() {
            return fail("must not be empty; leave it out instead".to_owned());
        }
        // Bytes are at least as many as characters, so most values need no count.
        if value.len() > self.max && value.chars().count() > self.max {
            return fail(format!("must have at most {} characters", self.max));
        }
        if has_control(value) {
            return fail("must not hold control characters".to_owned());
        }
        if self.grammar.accepts(value, self.max) { Ok(()) } else { fail(self.grammar.expects(self.max)) }
    }
}

impl List {
    /// Checks the length, and each item by `text`, named by its index.
    pub(crate) fn check_texts(&self, items: &[String], text: &Text) -> Result<(), InvalidEvent> {
        self.check_len(items.len())?;
        items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| text.check_named(item, || at(self.field, index)))
    }

    /// Checks the length.
    pub(crate) fn check_len(&self, items: usize) -> Result<(), InvalidEvent> {
        if items <= self.max {
            Ok(())
        } else {
            Err(InvalidEvent::new(self.field, format!("must have at most {} items", self.max)))
        }
    }
}

/// Whether a control character stands in it. Nearly all values are printable ASCII, which is looked through once and without
/// a branch.
fn has_control(value: &str) -> bool {
    let printable = |byte: u8| byte.wrapping_sub(b' ') < 0x7f - b' ';
    !value.bytes().fold(true, |all, byte| all & printable(byte)) && value.chars().any(char::is_control)
}

impl Grammar {
    fn accepts(self, value: &str, max: usize) -> bool {
        let hex = || value.len() == max && value.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let starts = |head: fn(&u8) -> bool| value.as_bytes().first().is_some_and(head);
        match self {
            Grammar::Line => true,
            Grammar::Uri => !value.contains(|c: char| c.is_whitespace() || matches!(c, '?' | '#')),
            Grammar::Word => {
                let tail = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
                starts(u8::is_ascii_alphabetic) && value.bytes().all(tail)
            }
            Grammar::Entity => {
                let tail = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
                starts(u8::is_ascii_uppercase) && value.bytes().all(tail)
            }
            Grammar::PartName => {
                let tail = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
                starts(u8::is_ascii_lowercase) && value.bytes().all(tail)
            }
            Grammar::Hex => hex(),
            Grammar::TraceHex => hex() && value.bytes().any(|b| b != b'0'),
            Grammar::Address => value.parse::<IpAddr>().is_ok() || Grammar::Reference.accepts(value, max),
            Grammar::Reference => value
                .strip_prefix(REFERENCE_PREFIX)
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic())),
            Grammar::Channel => CHANNELS.contains(&value),
        }
    }

    fn expects(self, max: usize) -> String {
        match self {
            Grammar::Line => "must be one line of text".to_owned(),
            Grammar::Uri => "must have no white space, no query and no fragment".to_owned(),
            Grammar::Word => {
                "must be a word of ASCII letters, digits and `_.:-`, free text is a part".to_owned()
            }
            Grammar::Entity => "must match [A-Z][A-Z0-9_]*".to_owned(),
            Grammar::PartName => "must match [a-z][a-z0-9_]*".to_owned(),
            Grammar::Hex => format!("must be {max} lowercase hex digits"),
            Grammar::TraceHex => format!("must be {max} lowercase hex digits, not all zeros"),
            Grammar::Address => "must be an IP address or a keyed reference, `ref:…`".to_owned(),
            Grammar::Reference => "must be a keyed reference, `ref:…`".to_owned(),
            Grammar::Channel => format!("must be one of {}", CHANNELS.join(", ")),
        }
    }
}
