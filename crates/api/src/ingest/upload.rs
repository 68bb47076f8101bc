//! The body of an ingest as it arrives: never more of it in memory than a batch and a line.
//!
//! What is one event per line is cut into batches, each recorded while the next one arrives; nothing is read on while
//! a batch waits for the disk, so a fast sender is slowed down to the pace of the record. A single document and an
//! array are one thing and are read whole, bounded.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use greffier_event::limits::DOCUMENT_BYTES;
use http::header;
use tokio::sync::mpsc::Receiver;

use super::coding::{Decoder, Taken};
use crate::refuse::Refused;
use crate::visit::Visit;

/// Bytes of a batch, and at most one piece more: some thousand events, which share a sync.
const BATCH_BYTES: usize = 1024 * 1024;
/// How long whole lines wait for more of their batch, when a sender pauses.
const PAUSE: Duration = Duration::from_millis(20);
/// Bytes of one body when its coding is undone. A few kilobytes of zstd may stand for terabytes.
const MAX_EXPANDED: u64 = 4 * 1024 * 1024 * 1024;

/// One body.
pub(super) struct Upload {
    more: Option<Receiver<io::Result<Bytes>>>,
    decoder: Decoder,
    /// Decoded, and not in a batch yet.
    held: Vec<u8>,
    /// One behind the last line end in `held`.
    whole: usize,
    /// The number of the line that `held` begins with.
    line: usize,
    expanded: u64,
    ended: bool,
    /// Why it cannot be read on, while lines before that are on their way.
    broken: Option<Broken>,
}

/// Whole lines.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) bytes: Bytes,
    /// The number of the first of them, from 1.
    pub(super) line: usize,
}

/// Why a body cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Its sender is gone, or sends no more.
    Lost,
    /// It is not in the coding that its header names.
    Coding,
    /// A line, or a document, is longer than any may be.
    Long,
    /// It is longer than a body may be.
    Large,
}

impl Broken {
    pub(super) fn refused(self) -> Refused {
        let refused = match self {
            Broken::Lost => Refused::new(408, "timeout", "the body did not come to its end"),
            Broken::Coding => {
                Refused::new(400, "invalid_encoding", "the body is not what its content-encoding says")
            }
            Broken::Long => Refused::new(413, "too_large", "a document has at most 32 MiB")
                .hint("send one event per line, as application/x-ndjson"),
            Broken::Large => Refused::new(413, "too_large", "a body has at most 4 GiB, its coding undone"),
        };
        refused.malformed()
    }
}

impl Upload {
    /// The body of a visit, whichever way it comes.
    pub(super) fn open(visit: &mut Visit) -> Result<Upload, Refused> {
        let mut codings = visit.parts.headers.get_all(header::CONTENT_ENCODING).iter();
        let coding = codings.next().map(|value| value.to_str().unwrap_or("?").to_owned());
        if codings.next().is_some() {
            let refused = Refused::new(415, "unsupported_encoding", "a body has one content-encoding");
            return Err(refused.malformed());
        }
        let mut decoder = Decoder::of(coding.as_deref())?;
        let more = visit.upload.take();
        decoder.put(std::mem::take(&mut visit.body));
        if more.is_none() {
            decoder.end();
        }
        let held = Vec::new();
        Ok(Upload { more, decoder, held, whole: 0, line: 1, expanded: 0, ended: false, broken: None })
    }

    /// The whole body, where it is one document.
    pub(super) async fn all(mut self) -> Result<Bytes, Broken> {
        while !self.ended {
            if self.held.len() > DOCUMENT_BYTES {
                return Err(Broken::Long);
            }
            if self.decode()? == Taken::Starved {
                let piece = self.piece().await;
                self.put(piece)?;
            }
        }
        if self.held.len() > DOCUMENT_BYTES { Err(Broken::Long) } else { Ok(self.held.into()) }
    }

    /// The next lines; `None` at the end. What is whole when the body breaks off comes before the error.
    pub(super) async fn lines(&mut self) -> Result<Option<Batch>, Broken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        match self.batch().await {
            Err(broken) if self.whole > 0 => {
                self.broken = Some(broken);
                Ok(Some(self.cut(self.whole)))
            }
            batch => batch,
        }
    }

    async fn batch(&mut self) -> Result<Option<Batch>, Broken> {
        loop {
            if self.ended {
                let end = self.held.len();
                return Ok((end > 0).then(|| self.cut(end)));
            }
            if self.whole >= BATCH_BYTES {
                return Ok(Some(self.cut(self.whole)));
            }
            if self.held.len() - self.whole > DOCUMENT_BYTES {
                return Err(Broken::Long);
            }
            if self.decode()? != Taken::Starved {
                continue;
            }
            let piece = if self.whole == 0 {
                self.piece().await
            } else {
                // Before waiting long for more, what is here goes on its way.
                match tokio::time::timeout(PAUSE, self.piece()).await {
                    Ok(piece) => piece,
                    Err(_) => return Ok(Some(self.cut(self.whole))),
                }
            };
            self.put(piece)?;
        }
    }

    /// The number of the line that comes next.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    async fn piece(&mut self) -> Option<io::Result<Bytes>> {
        match &mut self.more {
            Some(more) => more.recv().await,
            None => None,
        }
    }

    fn put(&mut self, piece: Option<io::Result<Bytes>>) -> Result<(), Broken> {
        match piece {
            Some(Ok(piece)) => self.decoder.put(piece),
            Some(Err(_)) => return Err(Broken::Lost),
            None => self.decoder.end(),
        }
        Ok(())
    }

    /// Takes in a piece of what has arrived.
    fn decode(&mut self) -> Result<Taken, Broken> {
        let before = self.held.len();
        let taken = self.decoder.take(&mut self.held).map_err(|_| Broken::Coding)?;
        match taken {
            Taken::Bytes(bytes) => {
                self.expanded += bytes as u64;
                let new = self.held.get(before..).unwrap_or_default();
                if let Some(at) = new.iter().rposition(|&byte| byte == b'\n') {
                    self.whole = before + at + 1;
                }
                if self.expanded > MAX_EXPANDED {
                    return Err(Broken::Large);
                }
            }
            Taken::End => self.ended = true,
            Taken::Starved => {}
        }
        Ok(taken)
    }

    fn cut(&mut self, end: usize) -> Batch {
        let mut rest = self.held.split_off(end);
        if end >= BATCH_BYTES {
            // As much again is likely to come.
            rest.reserve(BATCH_BYTES);
        }
        let bytes = Bytes::from(std::mem::replace(&mut self.held, rest));
        let line = self.line;
        self.line += memchr::memchr_iter(b'\n', &bytes).count();
        self.whole = 0;
        Batch { bytes, line }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::sync::mpsc;

    use super::super::coding::tests::encoded;
    use super::*;

    fn upload(coding: &'static str, pieces: Vec<io::Result<Bytes>>) -> Upload {
        let (sender, more) = mpsc::channel(pieces.len().max(1));
        for piece in pieces {
            sender.try_send(piece).unwrap();
        }
        let decoder = Decoder::of(Some(coding)).unwrap();
        Upload {
            more: Some(more),
            decoder,
            held: Vec::new(),
            whole: 0,
            line: 1,
            expanded: 0,
            ended: false,
            broken: None,
        }
    }

    fn pieces(bytes: &[u8], size: usize) -> Vec<io::Result<Bytes>> {
        bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
    }

    /// All lines with their numbers.
    async fn numbered(mut upload: Upload) -> Result<Vec<(usize, Vec<u8>)>, Broken> {
        let mut all = Vec::new();
        while let Some(Batch { bytes, line }) = upload.lines().await? {
            let lines = bytes.split(|&byte| byte == b'\n').enumerate();
            all.extend(
                lines.filter(|(_, text)| !text.is_empty()).map(|(at, text)| (line + at, text.to_vec())),
            );
        }
        Ok(all)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// However lines are cut and coded on their way, each comes once with its number.
        #[test]
        fn lines_come_whole_and_numbered(
            lines in prop::collection::vec(prop_oneof![4 => 0..300_usize, 1 => 0..700_000_usize], 0..20),
            coding in prop::sample::select(&["identity", "gzip", "zstd"][..]),
            size in 500..100_000_usize,
            ends in any::<bool>(),
        ) {
            let text: Vec<String> = lines.iter().enumerate().map(|(at, len)| {
                let letter = char::from(b'a' + (at % 26) as u8);
                std::iter::repeat_n(letter, *len).collect()
            }).collect();
            let mut body = text.join("\n");
            if ends {
                body.push('\n');
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let sent = encoded(coding, body.as_bytes());
            let all = runtime.block_on(numbered(upload(coding, pieces(&sent, size)))).unwrap();
            let expected: Vec<(usize, Vec<u8>)> = text.iter().enumerate()
                .filter(|(_, text)| !text.is_empty())
                .map(|(at, text)| (at + 1, text.clone().into_bytes())).collect();
            prop_assert_eq!(all, expected);
        }
    }

    #[tokio::test]
    async fn what_breaks() {
        let lost = || Err(io::Error::other("gone"));
        assert_eq!(
            numbered(upload("identity", vec![Ok(Bytes::from("{}\n{")), lost()])).await,
            Err(Broken::Lost)
        );
        let gzip = encoded("gzip", b"{}\n{}\n");
        let cut = pieces(&gzip[..gzip.len() - 3], 9);
        assert_eq!(numbered(upload("gzip", cut)).await, Err(Broken::Coding));
        // A line without an end, in a few kilobytes.
        let bomb = encoded("zstd", &vec![b' '; DOCUMENT_BYTES + 2 * 65_536]);
        assert!(bomb.len() < 10_000);
        assert_eq!(numbered(upload("zstd", pieces(&bomb, 1_000))).await, Err(Broken::Long));
        assert_eq!(upload("zstd", pieces(&bomb, 1_000)).all().await, Err(Broken::Long));
    }

    #[tokio::test]
    async fn what_has_come_goes_on_while_the_sender_pauses() {
        let (sender, more) = mpsc::channel(4);
        let mut upload = upload("identity", Vec::new());
        upload.more = Some(more);
        sender.send(Ok(Bytes::from("{\"a\":1}\n{\"b\""))).await.unwrap();
        let batch = upload.lines().await.unwrap().unwrap();
        assert_eq!((batch.line, &batch.bytes[..]), (1, &b"{\"a\":1}\n"[..]));
        sender.send(Ok(Bytes::from(":2}"))).await.unwrap();
        drop(sender);
        let batch = upload.lines().await.unwrap().unwrap();
        assert_eq!((batch.line, &batch.bytes[..]), (2, &b"{\"b\":2}"[..]));
        assert!(upload.lines().await.unwrap().is_none());
    }
}
