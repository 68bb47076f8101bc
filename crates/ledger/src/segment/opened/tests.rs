use super::*;

const BOUNDS: Bounds = Bounds { row_groups: 1, rows_per_group: 10, batch: 10 };

/// What is said of a file that is nothing but this footer.
fn check(footer: &[u8]) -> String {
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    let file = Bytes::from([b"PAR1", footer, &length, b"PAR1"].concat());
    Opened::open(file, &Schema::empty(), BOUNDS).unwrap_err().to_string()
}

/// A footer: a schema that is `depth` groups deep, no rows, and this for a list of row groups.
fn footer(depth: usize, row_groups: &[u8]) -> Vec<u8> {
    let groups = [0x35, 0, 0x18, 1, b'g', 0x15, 2, 0].repeat(depth);
    let leaf = [0x15, 2, 0x25, 0, 0x18, 1, b'l', 0];
    // One more element than groups, as a number of 14 bits.
    let elements = [(depth + 1) as u8 & 0x7f | 0x80, ((depth + 1) >> 7) as u8];
    [&[0x15, 2, 0x19, 0xfc], &elements[..], &groups, &leaf, &[0x16, 0, 0x19], row_groups, &[0]].concat()
}

#[test]
fn a_footer_that_lies_is_refused() {
    insta::assert_snapshot!(check(&footer(255, &[0x0c])), @"the file is damaged or was not sealed by greffier: its footer does not fit the file");
    insta::assert_snapshot!(check(&footer(256, &[0x0c])), @"the file is damaged or was not sealed by greffier: its footer is damaged");
    insta::assert_snapshot!(check(&footer(1, &[0xfc, 0xff, 0xff, 0xff, 0xff, 0x07])), @"the file is damaged or was not sealed by greffier: its footer is damaged");
    insta::assert_snapshot!(check(&[]), @"the file is damaged or was not sealed by greffier: its footer is damaged");
    let file = |bytes: &'static [u8]| {
        Opened::open(Bytes::from_static(bytes), &Schema::empty(), BOUNDS).unwrap_err().to_string()
    };
    insta::assert_snapshot!(file(b""), @"the file is damaged or was not sealed by greffier: it is cut short");
    insta::assert_snapshot!(file(b"PAR1\xff\xff\xff\xffPAR1"), @"the file is damaged or was not sealed by greffier: its footer has an impossible length");
    insta::assert_snapshot!(file(b"PAR1PARE"), @"the file is damaged or was not sealed by greffier: it is cut short or no Parquet file");
}
