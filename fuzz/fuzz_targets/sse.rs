//! Server-sent events: the same events, however the bytes are cut.
#![no_main]

use greffier_gateway::sse::{SseDecoder, SseError};
use libfuzzer_sys::fuzz_target;

fn events<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Vec<u8>>, SseError> {
    let (mut decoder, mut events) = (SseDecoder::new(), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        while let Some(event) = decoder.next_event()? {
            events.push(event.raw().to_vec());
        }
    }
    Ok(events)
}

fuzz_target!(|data: &[u8]| {
    assert_eq!(events(std::iter::once(data)), events(data.chunks(1)));
});
