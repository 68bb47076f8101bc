//! Two threads for one file of entries: rows are made of entries on one, while the other compresses those before
//! them. They come in order, and little waits between them.

use arrow_array::RecordBatch;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::error::SegmentError;
use super::write::{Chunk, Encoder};

/// Chunks, or rows of one, between two threads: enough that neither waits for every hand-over.
const WAITING: usize = 2;

pub(super) struct Line {
    chunks: SyncSender<Chunk>,
    maker: JoinHandle<Result<(), SegmentError>>,
    encoder: JoinHandle<Result<Encoder, SegmentError>>,
}

impl Line {
    /// Goes on with what `encoder` has.
    pub(super) fn start(encoder: Encoder) -> Result<Line, SegmentError> {
        let (chunks, to_make) = sync_channel(WAITING);
        let (rows, to_encode) = sync_channel(WAITING);
        let thread = |name: &str| Builder::new().name(name.to_owned());
        let maker =
            thread("greffier-rows").spawn(move || make(&to_make, &rows)).map_err(SegmentError::Thread)?;
        let encoder = thread("greffier-encode")
            .spawn(move || encode(encoder, &to_encode))
            .map_err(SegmentError::Thread)?;
        Ok(Line { chunks, maker, encoder })
    }

    /// Hands a chunk over; says whether anybody still takes it. Why not, [`Line::finish`] says.
    pub(super) fn push(&self, chunk: Chunk) -> bool {
        self.chunks.send(chunk).is_ok()
    }

    /// Waits until all is encoded.
    pub(super) fn finish(self) -> Result<Encoder, SegmentError> {
        drop(self.chunks);
        let made = join(self.maker);
        let encoder = join(self.encoder);
        // What the first of them met is what made the other end.
        encoder.and_then(|encoder| made.map(|()| encoder))
    }
}

fn make(chunks: &Receiver<Chunk>, rows: &SyncSender<RecordBatch>) -> Result<(), SegmentError> {
    while let Ok(chunk) = chunks.recv() {
        if rows.send(chunk.rows()?).is_err() {
            break;
        }
    }
    Ok(())
}

fn encode(mut encoder: Encoder, rows: &Receiver<RecordBatch>) -> Result<Encoder, SegmentError> {
    while let Ok(rows) = rows.recv() {
        encoder.add(&rows)?;
    }
    Ok(encoder)
}

/// What a thread came to; a panic goes on here.
fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
