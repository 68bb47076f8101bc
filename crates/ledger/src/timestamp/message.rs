//! The two messages of RFC 3161: a request is written, a response is read. Pure: bytes in, bytes out.
//!
//! Of a response as much is read as says what it is about. The certificates and signatures behind that are for who
//! knows whom to believe.

use greffier_event::Timestamp;
use greffier_merkle::Hash;
use greffier_merkle::hash::sha256;

use super::der::{BOOLEAN, EXPLICIT_0, INTEGER, NULL, OCTETS, OID, Reader, SEQUENCE, SET, TIME, UTF8, value};

/// The largest response: a token with a chain of certificates has some 6 KiB.
pub const MAX_RESPONSE: usize = 64 * 1024;
/// Random bytes in a request.
pub const NONCE_BYTES: usize = 8;

/// sha256, 2.16.840.1.101.3.4.2.1.
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// id-signedData, 1.2.840.113549.1.7.2.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// id-ct-TSTInfo, 1.2.840.113549.1.9.16.1.4.
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];

/// Why a response is no time stamp of what was asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TimestampError {
    /// Longer than [`MAX_RESPONSE`].
    #[error("the time stamp is larger than 64 KiB")]
    TooLarge,
    /// Not the form of a response.
    #[error("malformed time stamp: {0}")]
    Malformed(&'static str),
    /// The authority refused.
    #[error("the time stamping authority refused (status {status}): {why}")]
    Refused {
        /// PKIStatus, as a number.
        status: u8,
        /// In its own words, in printable characters.
        why: String,
    },
    /// Over other bytes.
    #[error("the time stamp is of something else: its imprint is not SHA-256 of the checkpoint")]
    OtherImprint,
    /// The answer to another request.
    #[error("the time stamp answers another request: its nonce is another")]
    OtherNonce,
}

/// What a response says, as far as it can be read without knowing who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When, by the authority's clock.
    pub time: Timestamp,
    imprint: Hash,
    nonce: Option<Vec<u8>>,
}

/// The request of a stamp for these bytes, with the authority's certificate in the answer.
pub fn request(stamped: &[u8], nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
    let algorithm = value(SEQUENCE, &[&value(OID, &[SHA256]), &value(NULL, &[])]);
    let imprint = value(SEQUENCE, &[&algorithm, &value(OCTETS, &[&sha256(stamped)])]);
    let version = value(INTEGER, &[&[1]]);
    let certificates = value(BOOLEAN, &[&[0xff]]);
    value(SEQUENCE, &[&version, &imprint, &value(INTEGER, &[&positive(nonce)]), &certificates])
}

/// The nonce as a number that is positive and in its shortest form.
fn positive(mut nonce: [u8; NONCE_BYTES]) -> [u8; NONCE_BYTES] {
    if let Some(first) = nonce.first_mut() {
        *first = *first & 0x3f | 0x40;
    }
    nonce
}

impl Stamp {
    /// Reads a response.
    pub fn read(response: &[u8]) -> Result<Stamp, TimestampError> {
        if response.len() > MAX_RESPONSE {
            return Err(TimestampError::TooLarge);
        }
        let mut whole = Reader::new(response);
        let mut body = whole.take(SEQUENCE, "it is no response")?;
        whole.end()?;
        granted(body.take(SEQUENCE, "it has no status")?)?;
        let mut token = body.take(SEQUENCE, "it is granted, but there is no token")?;
        body.end()?;
        if token.take(OID, "the token has no type")?.rest() != SIGNED_DATA {
            return Err(TimestampError::Malformed("the token is not signed data"));
        }
        let mut content = token.take(EXPLICIT_0, "the token is empty")?;
        token.end()?;
        let mut signed = content.take(SEQUENCE, "the token is empty")?;
        content.end()?;
        signed.integer("the token has no version")?;
        signed.take(SET, "the token names no digests")?;
        let mut info = signed.take(SEQUENCE, "the token has no content")?;
        // Certificates and signatures follow: they are for who checks them.
        if info.take(OID, "the token's content has no type")?.rest() != TST_INFO {
            return Err(TimestampError::Malformed("the token's content is no time stamp"));
        }
        let mut wrapped = info.take(EXPLICIT_0, "the token's content is empty")?;
        info.end()?;
        let octets = wrapped.take(OCTETS, "the token's content is empty")?;
        wrapped.end()?;
        let mut inner = octets;
        let info = inner.take(SEQUENCE, "the token's content is no time stamp")?;
        inner.end()?;
        Stamp::read_info(info)
    }

    /// TSTInfo, up to its nonce.
    fn read_info(mut info: Reader<'_>) -> Result<Stamp, TimestampError> {
        if info.integer("the time stamp has no version")? != [1] {
            return Err(TimestampError::Malformed("the time stamp's version is not 1"));
        }
        info.take(OID, "the time stamp has no policy")?;
        let mut imprint = info.take(SEQUENCE, "the time stamp has no imprint")?;
        let mut algorithm = imprint.take(SEQUENCE, "the imprint has no algorithm")?;
        if algorithm.take(OID, "the imprint has no algorithm")?.rest() != SHA256 {
            return Err(TimestampError::Malformed("the imprint is not SHA-256"));
        }
        algorithm.optional(NULL)?;
        algorithm.end()?;
        let digest = imprint.take(OCTETS, "the imprint has no digest")?.rest();
        imprint.end()?;
        let imprint =
            digest.try_into().map_err(|_| TimestampError::Malformed("the imprint is not 32 bytes"))?;
        info.integer("the time stamp has no serial number")?;
        let time = time(info.take(TIME, "the time stamp has no time")?.rest())?;
        // Accuracy and ordering say nothing that is relied on.
        info.optional(SEQUENCE)?;
        info.optional(BOOLEAN)?;
        let nonce = match info.rest().first() {
            Some(&INTEGER) => Some(info.integer("")?.to_vec()),
            _ => None,
        };
        Ok(Stamp { time, imprint, nonce })
    }

    /// Whether it is a stamp of these bytes.
    pub fn check(&self, stamped: &[u8]) -> Result<(), TimestampError> {
        if self.imprint == sha256(stamped) { Ok(()) } else { Err(TimestampError::OtherImprint) }
    }

    /// Whether it answers the request with this nonce: an old answer is no news.
    pub fn check_nonce(&self, nonce: [u8; NONCE_BYTES]) -> Result<(), TimestampError> {
        if self.nonce.as_deref() == Some(&positive(nonce)) { Ok(()) } else { Err(TimestampError::OtherNonce) }
    }
}

/// PKIStatusInfo: granted, or granted with modifications, or why not.
fn granted(mut info: Reader<'_>) -> Result<(), TimestampError> {
    let status = match info.integer("the status is no number")? {
        [status @ 0..=127] => *status,
        _ => return Err(TimestampError::Malformed("the status is no number that there is")),
    };
    if status <= 1 {
        return Ok(());
    }
    let mut why = String::new();
    if let Some(mut texts) = info.optional(SEQUENCE)? {
        while let Some(text) = texts.optional(UTF8)? {
            // Somebody else's words: bounded, and nothing that steers a terminal.
            let text = String::from_utf8_lossy(text.rest());
            why.extend(text.chars().filter(|c| !c.is_control()).take(200));
        }
    }
    Err(TimestampError::Refused { status, why })
}

/// GeneralizedTime as RFC 3161 has it: seconds, perhaps a fraction, in UTC.
fn time(text: &[u8]) -> Result<Timestamp, TimestampError> {
    let wrong = || TimestampError::Malformed("its time is not YYYYMMDDhhmmss[.f]Z");
    let text = std::str::from_utf8(text).map_err(|_| wrong())?;
    let (digits, fraction) =
        text.strip_suffix('Z').ok_or_else(wrong)?.split_at_checked(14).ok_or_else(wrong)?;
    let fraction_is_good = match fraction.strip_prefix('.') {
        None => fraction.is_empty(),
        Some(rest) => {
            (1..=9).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_digit()) && !rest.ends_with('0')
        }
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) || !fraction_is_good {
        return Err(wrong());
    }
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    // Microseconds are what we keep.
    let fraction: String = fraction.chars().take(7).collect();
    let text = format!(
        "{}-{}-{}T{}:{}:{}{fraction}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14)
    );
    text.parse().map_err(|_| wrong())
}

#[cfg(test)]
pub(crate) mod tests;
