//! Values that hide in base64: a run that decodes to text is searched like text.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::alphabet::{Alphabet, alphabet};
use crate::{Entity, text::Text};

/// The shortest run worth decoding: nothing that is looked for is shorter than nine bytes.
pub(crate) const MIN_RUN: usize = 12;

/// Of a longer run, this much is decoded; a stream holds back no more.
const MAX_RUN: usize = 1024;

/// Decoded first, to see that most runs are no text.
const PROBE: usize = 12;

const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
static STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, CONFIG);
static URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, CONFIG);

/// A run that may encode a text.
pub(crate) struct Run {
    /// What it decodes to, if that is text to its end.
    bytes: Option<Vec<u8>>,
    /// Byte behind what was read of it.
    pub(crate) end: usize,
    /// Whether it is longer.
    pub(crate) goes_on: bool,
}

/// The run that starts at `at`, if its beginning decodes to text.
pub(crate) fn read(text: &Text<'_>, at: usize) -> Option<Run> {
    let probe = text.run(at, PROBE, is_base64);
    if probe - at < MIN_RUN || !begins_text(text.slice(at, probe)) {
        return None;
    }
    let end = text.run(at, MAX_RUN, is_base64);
    let padded = text.run(end, 2, |b| b == b'=');
    let bytes = decode(text.slice(at, end)).filter(|bytes| is_text(bytes));
    Some(Run { bytes, end: padded, goes_on: end - at == MAX_RUN })
}

impl Run {
    /// The first kind of value in the text.
    pub(crate) fn holds(&self) -> Option<Entity> {
        crate::scan::first_within(self.bytes.as_deref()?)
    }
}

pub(crate) fn is_base64(b: u8) -> bool {
    BASE64.has(b)
}

/// Both alphabets of base64.
static BASE64: Alphabet = alphabet!(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'/' | b'-' | b'_');

/// Whether the beginning of a run decodes to text.
fn begins_text(probe: &[u8]) -> bool {
    let mut bytes = [0; PROBE];
    let length = engine(probe).decode_slice(probe, &mut bytes);
    length.ok().and_then(|length| bytes.get(..length)).is_some_and(is_text)
}

fn engine(run: &[u8]) -> &'static GeneralPurpose {
    if run.iter().any(|b| matches!(b, b'-' | b'_')) { &URL_SAFE } else { &STANDARD }
}

fn decode(run: &[u8]) -> Option<Vec<u8>> {
    // One character more than full quads says nothing.
    let run = run.get(..run.len() - usize::from(run.len() % 4 == 1))?;
    engine(run).decode(run).ok()
}

/// Whether bytes are UTF-8 without control characters; a character may be cut off at the end.
fn is_text(bytes: &[u8]) -> bool {
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    valid && bytes.iter().all(|&b| b >= b' ' || matches!(b, b'\n' | b'\r' | b'\t'))
}
