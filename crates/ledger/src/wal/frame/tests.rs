use proptest::prelude::*;

use super::*;

fn part() -> impl Strategy<Value = SealedPart<'static>> {
    let bytes = |max| prop::collection::vec(any::<u8>(), 0..max);
    ("[a-z0-9:]{0,40}", bytes(80), bytes(200)).prop_map(|(holder, wrapped_key, content)| SealedPart {
        holder: holder.into(),
        wrapped_key: wrapped_key.into(),
        content: content.into(),
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        trail in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        entry in prop::collection::vec(any::<u8>(), 0..400),
        parts in prop::collection::vec(part(), 0..4),
        before in prop::collection::vec(any::<u8>(), 0..50),
        group in 0..1_000_000u64,
        index: u64,
    ) {
        let mut bytes = before.clone();
        let frame = Unplaced::encode(&trail, &entry, &parts).unwrap();
        frame.place(&mut bytes, group, index);
        prop_assert_eq!(bytes.len(), before.len() + frame.len());
        let expected = Frame { group, index, trail: &trail, entry: &entry, parts };
        prop_assert_eq!(read(&bytes, before.len()), Read::Frame(expected, bytes.len()));
        prop_assert_eq!(read(&bytes, bytes.len()), Read::End);
        // Cut anywhere, it is no frame.
        for end in before.len() + 1..bytes.len() {
            let zeros = is_zero(&bytes[before.len()..end]);
            prop_assert_eq!(
                read(&bytes[..end], before.len()),
                if zeros { Read::Zeros } else { Read::Damaged }
            );
        }
        // Space behind it is the end; one bit in it is damage.
        let end = bytes.len();
        bytes.resize(end + 64, 0);
        prop_assert_eq!(read(&bytes, end), Read::Zeros);
        bytes[end + (index % 64) as usize] = 1;
        prop_assert_eq!(read(&bytes, end), Read::Damaged);
    }

    #[test]
    fn no_bit_can_change_unseen(at in 0..200usize, bit in 0..8u8) {
        let mut bytes = Vec::new();
        Unplaced::encode("acme", &[7; 120], &[]).unwrap().place(&mut bytes, 32, 5);
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        prop_assert_eq!(read(&bytes, 0), Read::Damaged);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..310usize) {
        let _ = read(&bytes, at);
        let _ = later_group(&bytes, at);
        let _ = Header::decode(&bytes);
    }

    #[test]
    fn a_header_reads_back_and_no_bit_can_change_unseen(sequence: u64, previous_len: u64, at in 0..32usize, bit in 0..8u8) {
        let header = Header { sequence, previous_len };
        let mut bytes = header.encode();
        prop_assert_eq!(bytes.len(), HEADER_BYTES);
        prop_assert_eq!(Header::decode(&bytes), Ok(header));
        bytes[at] ^= 1 << bit;
        prop_assert!(Header::decode(&bytes).is_err());
    }
}

/// Frames of `groups`, each with so many entries; returns the bytes and where each frame starts.
fn log(groups: &[usize]) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Header { sequence: 1, previous_len: 0 }.encode();
    let mut starts = Vec::new();
    for entries in groups {
        let group = bytes.len() as u64;
        for _ in 0..*entries {
            starts.push(bytes.len());
            let entry = format!("entry {}", starts.len());
            let frame = Unplaced::encode("acme", entry.as_bytes(), &[]).unwrap();
            frame.place(&mut bytes, group, starts.len() as u64 - 1);
        }
    }
    (bytes, starts)
}

#[test]
fn damage_before_a_later_group_is_told_from_a_torn_last_group() {
    let (bytes, starts) = log(&[1, 3, 2]);
    // Entry by entry: is there a frame of a later group behind its damage?
    let later: Vec<bool> = starts.iter().map(|start| later_group(&bytes, *start).is_some()).collect();
    assert_eq!(later, [true, true, true, true, false, false]);
}

#[test]
fn too_large_is_refused() {
    assert_eq!(Unplaced::encode("acme", &vec![0; MAX_ENTRY_BYTES + 1], &[]).unwrap_err(), TooLarge);
    let part = SealedPart { holder: "".into(), wrapped_key: vec![].into(), content: vec![0; 8].into() };
    assert_eq!(Unplaced::encode("acme", b"", &vec![part; MAX_PARTS + 1]).unwrap_err(), TooLarge);
    let part = SealedPart {
        holder: "".into(),
        wrapped_key: vec![].into(),
        content: vec![0; MAX_CONTENT_BYTES].into(),
    };
    let largest =
        Unplaced::encode(&"t".repeat(64), &vec![0; MAX_ENTRY_BYTES], &vec![part; MAX_PARTS]).unwrap();
    let mut bytes = Vec::new();
    largest.place(&mut bytes, 0, 0);
    assert!(matches!(read(&bytes, 0), Read::Frame(..)));
}
