use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::default();
    let mut bytes: Vec<u8> = Vec::new();
    for (name, content) in files {
        bytes.extend(zip.file(name, content).unwrap());
    }
    bytes.extend(zip.finish().unwrap());
    bytes
}

/// Every file in it, or why it is refused.
fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut zip = ZipReader::open(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let names: Vec<String> = zip.files().map(|(name, _)| name.to_owned()).collect();
    let file = |name: String| match zip.read(&name, 1_000) {
        Ok(content) => Ok((name, content.unwrap())),
        Err(error) => Err(error.to_string()),
    };
    names.into_iter().map(file).collect()
}

const SOME: &[(&str, &[u8])] = &[("events/00001.jsonl", b"{}\n"), ("checkpoint", b"x"), ("trust", b"")];

#[test]
fn what_is_written_is_read() {
    let owned = |files: &[(&str, &[u8])]| -> Vec<_> {
        files.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect()
    };
    for files in [SOME, &[]] {
        assert_eq!(read(&archive(files)), Ok(owned(files)));
    }
    // By the format's own specification: a local header, stored, with its checksum in front.
    insta::assert_snapshot!(hex::encode(&archive(SOME)[..51]), @"504b03040a00000000000000210006b0a1dd0300000003000000120000006576656e74732f30303030312e6a736f6e6c7b7d0a");
}

#[test]
fn every_change_is_found() {
    let good = archive(SOME);
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[at] ^= 1 << bit;
            assert!(read(&changed).is_err(), "byte {at} bit {bit}");
        }
        assert!(read(&good[..at]).is_err(), "cut at {at}");
        assert!(read(&[&good[at..], &good[..at]].concat()).is_err() || at == 0, "turned at {at}");
    }
    assert!(read(&[good.as_slice(), b" "].concat()).is_err());
    assert!(read(&[b" ".as_slice(), &good].concat()).is_err());
}

#[test]
fn hostile_archives_are_refused() {
    for (files, why) in [
        (&[("../trust", b"".as_slice())][..], "does not belong"),
        (&[("/etc/passwd", b"")], "does not belong"),
        (&[("events/../trust", b"")], "does not belong"),
        (&[("events/1.jsonl", b"")], "does not belong"),
        (&[("trust", b"a"), ("trust", b"b")], "one twice"),
        (&[("trust", &[b'a'; 1_001])], "larger than a pack's file can be"),
    ] {
        let said = read(&archive(files)).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
    // A directory that promises more than there is, or overlaps files.
    let mut bomb = archive(&[("trust", b"abc"), ("checkpoint", b"def")]);
    let end = bomb.len() - END_BYTES;
    bomb[end + 8] = 200;
    bomb[end + 10] = 200;
    insta::assert_snapshot!(read(&bomb).unwrap_err(), @"this is not an evidence pack as greffier writes it: its directory is damaged");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes: Vec<u8>, at: usize, put in proptest::collection::vec(any::<u8>(), 1..8)) {
        let _ = read(&bytes);
        let mut changed = archive(SOME);
        let at = at % changed.len();
        for (place, byte) in changed.iter_mut().skip(at).zip(put) {
            *place = byte;
        }
        if let Ok(files) = read(&changed) {
            prop_assert_eq!(files.len(), SOME.len());
            prop_assert_eq!(changed, archive(SOME));
        }
    }
}
