//! A line in a spool file: its length, a checksum of both, the line.

/// Bytes before the line.
pub(super) const HEAD: usize = 8;
/// Longest line: a document that a server takes.
const MAX_LINE: usize = greffier_event::limits::DOCUMENT_BYTES;

/// What stands at the start of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A line, and how many bytes its frame has.
    Whole(&'a str, usize),
    /// The beginning of a frame, as far as there are bytes: it needs so many.
    Cut(usize),
    /// Something else.
    Damaged,
}

/// Frames the line that stands behind [`HEAD`] bytes of room in `frame`; `false` if it is too long.
pub(super) fn seal(frame: &mut [u8]) -> bool {
    let Some((head, line)) = frame.split_at_mut_checked(HEAD) else { return false };
    let Some(length) = u32::try_from(line.len()).ok().filter(|_| line.len() <= MAX_LINE) else {
        return false;
    };
    let (of_length, of_sum) = head.split_at_mut(4);
    of_length.copy_from_slice(&length.to_le_bytes());
    of_sum.copy_from_slice(&sum(length, line).to_le_bytes());
    true
}

/// Reads what stands at the start.
pub(super) fn read(bytes: &[u8]) -> Frame<'_> {
    let word = |at: usize| {
        let word = bytes.get(at..at + 4).and_then(|word| <[u8; 4]>::try_from(word).ok());
        word.map(u32::from_le_bytes)
    };
    let (Some(length), Some(expected)) = (word(0), word(4)) else { return Frame::Cut(HEAD) };
    let bytes_needed = HEAD + length as usize;
    if length as usize > MAX_LINE || length == 0 {
        return Frame::Damaged;
    }
    let Some(line) = bytes.get(HEAD..bytes_needed) else { return Frame::Cut(bytes_needed) };
    match std::str::from_utf8(line) {
        Ok(line) if sum(length, line.as_bytes()) == expected => Frame::Whole(line, bytes_needed),
        _ => Frame::Damaged,
    }
}

fn sum(length: u32, line: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(line);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(line: &str) -> Vec<u8> {
        let mut frame = vec![0; HEAD];
        frame.extend_from_slice(line.as_bytes());
        assert!(seal(&mut frame));
        frame
    }

    proptest! {
        #[test]
        fn round_trip(line in "\\PC{1,60}", behind in prop::collection::vec(any::<u8>(), 0..9)) {
            let frame = framed(&line);
            let bytes = [frame.as_slice(), &behind].concat();
            prop_assert_eq!(read(&bytes), Frame::Whole(&line, frame.len()));
        }

        #[test]
        fn cut_anywhere_it_asks_for_the_rest(line in "\\PC{1,60}", cut in 0.0..1.0) {
            let frame = framed(&line);
            let kept = (frame.len() as f64 * cut) as usize;
            let needed = if kept < HEAD { HEAD } else { frame.len() };
            prop_assert_eq!(read(&frame[..kept]), Frame::Cut(needed));
        }

        #[test]
        fn another_byte_is_damage(line in "\\PC{1,60}", at: prop::sample::Index, flip in 1_u8..) {
            let mut frame = framed(&line);
            let at = at.index(frame.len());
            frame[at] ^= flip;
            let read = read(&frame);
            prop_assert!(!matches!(read, Frame::Whole(..)), "{:?}", read);
        }
    }
}
