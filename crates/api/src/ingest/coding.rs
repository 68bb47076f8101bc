//! A body in a content coding, undone as it comes: bytes are put in as they arrive and taken out a piece at a time, so
//! that neither a long body nor one that expands without end takes memory.

use std::io::{self, BufReader, Read};

use bytes::{Buf, Bytes};
use flate2::read::{MultiGzDecoder, ZlibDecoder};

use crate::refuse::Refused;

/// What is taken out at once.
const PIECE: usize = 64 * 1024;
/// Largest window of zstd, as a power of two: 8 MiB, what RFC 8878 asks every decoder to take. More would be memory
/// that a caller takes with a few bytes.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Undoes one body's coding.
pub(super) struct Decoder {
    coding: Coding,
    /// Where a piece is decoded to.
    room: Vec<u8>,
}

enum Coding {
    Identity(Feed),
    Gzip(MultiGzDecoder<Feed>),
    Deflate(ZlibDecoder<Feed>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<Feed>>>),
}

/// What was put in and not read yet. It says that there is nothing as long as more may come.
#[derive(Default)]
struct Feed {
    piece: Bytes,
    ended: bool,
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && !self.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let bytes = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(buffer.get_mut(..bytes).unwrap_or_default());
        Ok(bytes)
    }
}

/// What there is to take out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// So many bytes more.
    Bytes(usize),
    /// Nothing, before more is put in.
    Starved,
    /// It is all there.
    End,
}

impl Decoder {
    /// For what the header says.
    pub(super) fn of(coding: Option<&str>) -> Result<Decoder, Refused> {
        let feed = Feed::default();
        let coding = match coding.unwrap_or("identity").trim().to_ascii_lowercase().as_str() {
            "identity" | "" => Coding::Identity(feed),
            "gzip" | "x-gzip" => Coding::Gzip(MultiGzDecoder::new(feed)),
            "deflate" => Coding::Deflate(ZlibDecoder::new(feed)),
            "zstd" => {
                let decoder = zstd::stream::read::Decoder::with_buffer(BufReader::new(feed));
                let mut decoder = decoder.map_err(|error| Refused::internal("opening a decoder", &error))?;
                let window = decoder.window_log_max(ZSTD_WINDOW_LOG);
                window.map_err(|error| Refused::internal("opening a decoder", &error))?;
                Coding::Zstd(Box::new(decoder))
            }
            _ => {
                return Err(Refused::new(415, "unsupported_encoding", "this content-encoding is not taken")
                    .hint("send gzip, zstd, or the body as it is")
                    .malformed());
            }
        };
        // What has no coding needs no room: it is taken as it is.
        let room = if matches!(coding, Coding::Identity(_)) { Vec::new() } else { vec![0; PIECE] };
        Ok(Decoder { coding, room })
    }

    fn feed(&mut self) -> &mut Feed {
        match &mut self.coding {
            Coding::Identity(feed) => feed,
            Coding::Gzip(decoder) => decoder.get_mut(),
            Coding::Deflate(decoder) => decoder.get_mut(),
            Coding::Zstd(decoder) => decoder.get_mut().get_mut(),
        }
    }

    /// Puts in what arrived. Only what is starved may be fed.
    pub(super) fn put(&mut self, piece: Bytes) {
        self.feed().piece = piece;
    }

    /// Nothing more will arrive.
    pub(super) fn end(&mut self) {
        self.feed().ended = true;
    }

    /// Takes out a piece, behind what is in `out`. An error is the sender's: the body is not what its header says.
    pub(super) fn take(&mut self, out: &mut Vec<u8>) -> io::Result<Taken> {
        let room = self.room.as_mut_slice();
        let read = match &mut self.coding {
            Coding::Identity(feed) => {
                if feed.piece.is_empty() {
                    return Ok(if feed.ended { Taken::End } else { Taken::Starved });
                }
                let piece = std::mem::take(&mut feed.piece);
                out.extend_from_slice(&piece);
                return Ok(Taken::Bytes(piece.len()));
            }
            Coding::Gzip(decoder) => decoder.read(room),
            Coding::Deflate(decoder) => decoder.read(room),
            Coding::Zstd(decoder) => decoder.read(room),
        };
        match read {
            Ok(0) => Ok(Taken::End),
            Ok(bytes) => {
                out.extend_from_slice(self.room.get(..bytes).unwrap_or_default());
                Ok(Taken::Bytes(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Taken::Starved),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    /// Bytes in a coding.
    pub(crate) fn encoded(coding: &str, bytes: &[u8]) -> Vec<u8> {
        let fast = Compression::fast();
        match coding {
            "gzip" => {
                let mut to = GzEncoder::new(Vec::new(), fast);
                to.write_all(bytes).unwrap();
                to.finish().unwrap()
            }
            "deflate" => {
                let mut to = ZlibEncoder::new(Vec::new(), fast);
                to.write_all(bytes).unwrap();
                to.finish().unwrap()
            }
            "zstd" => zstd::encode_all(bytes, 1).unwrap(),
            _ => bytes.to_vec(),
        }
    }

    const CODINGS: [&str; 4] = ["identity", "gzip", "deflate", "zstd"];

    /// What comes out of pieces that arrive one by one.
    fn decoded<'a>(coding: &str, pieces: impl Iterator<Item = &'a [u8]>) -> io::Result<Vec<u8>> {
        let mut decoder = Decoder::of(Some(coding)).unwrap();
        let (mut out, mut pieces) = (Vec::new(), pieces);
        loop {
            match decoder.take(&mut out)? {
                Taken::Bytes(_) => {}
                Taken::End => return Ok(out),
                Taken::Starved => match pieces.next() {
                    Some(piece) => decoder.put(Bytes::copy_from_slice(piece)),
                    None => decoder.end(),
                },
            }
        }
    }

    #[test]
    fn what_is_cut_short_or_something_else_is_an_error() {
        for coding in ["gzip", "deflate", "zstd"] {
            let whole = encoded(coding, &b"hello, hello, hello ".repeat(40));
            for end in 1..whole.len() {
                assert!(decoded(coding, whole[..end].chunks(7)).is_err(), "{coding} cut at {end}");
            }
            assert!(decoded(coding, b"hello, hello, hello".chunks(7)).is_err(), "{coding}");
        }
        assert_eq!(Decoder::of(Some("br")).err().unwrap().status, 415);
        // A window of 256 MiB is not made for anybody.
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(28).unwrap();
        encoder.write_all(b"hello").unwrap();
        encoder.flush().unwrap();
        encoder.write_all(&vec![7; 1 << 20]).unwrap();
        let wide = encoder.finish().unwrap();
        assert!(decoded("zstd", wide.chunks(4096)).is_err());
    }

    proptest! {
        /// However a body is cut on its way, and of however many members it is made.
        #[test]
        fn pieces_do_not_matter(
            coding in prop::sample::select(&CODINGS[..]),
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3_000), 1..3),
            size in 1..200_usize,
        ) {
            let bodies = if coding == "deflate" { vec![bodies.concat()] } else { bodies };
            let sent: Vec<u8> = bodies.iter().flat_map(|body| encoded(coding, body)).collect();
            prop_assert_eq!(decoded(coding, sent.chunks(size)).unwrap(), bodies.concat());
        }
    }
}
