//! From a request's bytes to OTLP: its coding undone, its encoding known.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use greffier_event::limits;

use super::Malformed;
use crate::ingest::essence;
use crate::refuse::Refused;
use crate::respond::JSON;

pub(crate) const PROTOBUF: &str = "application/x-protobuf";

/// How messages are written; answers are written alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// What a media type says.
    pub(super) fn of(media: &str) -> Option<Encoding> {
        match essence(media).as_str() {
            PROTOBUF | "application/protobuf" => Some(Encoding::Protobuf),
            JSON => Some(Encoding::Json),
            _ => None,
        }
    }

    pub(super) fn media(self) -> &'static str {
        match self {
            Encoding::Protobuf => PROTOBUF,
            Encoding::Json => JSON,
        }
    }
}

/// Undoes the body's coding. What comes out is bounded as a body is that had none: a few bytes of gzip may stand for
/// gigabytes.
pub(super) fn decoded(coding: Option<&str>, body: &Bytes) -> Result<Bytes, Refused> {
    let coding = coding.unwrap_or("identity").trim().to_ascii_lowercase();
    let mut reader: Box<dyn Read + '_> = match coding.as_str() {
        "identity" | "" => return Ok(body.clone()),
        "gzip" | "x-gzip" => Box::new(MultiGzDecoder::new(body.as_ref())),
        "deflate" => Box::new(ZlibDecoder::new(body.as_ref())),
        _ => {
            return Err(Refused::new(415, "unsupported_encoding", "this content-encoding is not taken")
                .hint("send gzip, deflate, or the body as it is")
                .malformed());
        }
    };
    let mut out = Vec::new();
    let bound = limits::DOCUMENT_BYTES as u64 + 1;
    let read = reader.by_ref().take(bound).read_to_end(&mut out);
    match read {
        Err(_) => Err(Refused::from(Malformed("the body is not what its content-encoding says")).malformed()),
        Ok(_) if out.len() > limits::DOCUMENT_BYTES => {
            Err(Refused::new(413, "too_large", "the body is over 32 MiB once its coding is undone")
                .hint("send smaller batches")
                .malformed())
        }
        Ok(_) => Ok(out.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn check(coding: &str, body: &[u8]) -> String {
        match decoded(Some(coding), &Bytes::copy_from_slice(body)) {
            Ok(out) => format!("{} bytes", out.len()),
            Err(refused) => format!("{} {}: {}", refused.status, refused.code, refused.message),
        }
    }

    #[test]
    fn codings_are_undone_within_bounds() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(b"hello").unwrap();
        let gzip = gzip.finish().unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(b"hello").unwrap();
        let zlib = zlib.finish().unwrap();
        insta::assert_snapshot!(check("gzip", &gzip), @"5 bytes");
        insta::assert_snapshot!(check(" GZIP ", &[gzip.clone(), gzip.clone()].concat()), @"10 bytes");
        insta::assert_snapshot!(check("deflate", &zlib), @"5 bytes");
        insta::assert_snapshot!(check("identity", b"x"), @"1 bytes");
        insta::assert_snapshot!(check("gzip", b"hello"), @"400 invalid_otlp: the body is not what its content-encoding says");
        insta::assert_snapshot!(check("gzip", &gzip[..gzip.len() - 2]), @"400 invalid_otlp: the body is not what its content-encoding says");
        insta::assert_snapshot!(check("br", b"x"), @"415 unsupported_encoding: this content-encoding is not taken");
        // 40 MiB of zeros in some 40 KiB.
        let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
        for _ in 0..40 {
            bomb.write_all(&vec![0; 1 << 20]).unwrap();
        }
        insta::assert_snapshot!(check("gzip", &bomb.finish().unwrap()), @"413 too_large: the body is over 32 MiB once its coding is undone");
    }
}
