//! Whether a version, or another number with dots that is no address, was announced.

/// Whether one of the two words behind says that a version or another dotted number follows.
pub(crate) fn announces(behind: &[u8]) -> bool {
    // Whole words only: in the middle of a random token, any letter would do.
    // Of `upgrade from 1.2.3.4 to 1.2.3.5`, the second is one as well.
    let links = |word: &&[u8]| {
        !word.iter().all(u8::is_ascii_digit) && !matches!(*word, b"to" | b"from" | b"and" | b"or" | b"is")
    };
    let mut words = behind.split(|b| !b.is_ascii_alphanumeric()).rev().filter(links);
    let last = words.next().unwrap_or_default();
    // `kernel 5.15.0.91`, but a line of a log begins with `kernel:` as well.
    let beside = [&b"kernel"[..], b"tag"].iter().any(|word| last.eq_ignore_ascii_case(word));
    let section = behind.trim_ascii_end().ends_with("§".as_bytes());
    beside || section || says(last) || words.next().is_some_and(says)
}

/// Whether a key says that what stands under it is one.
pub(super) fn says_key(key: &[u8]) -> bool {
    key.chunk_by(|a, b| {
        a.is_ascii_alphabetic() == b.is_ascii_alphabetic()
            && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
    })
    .any(says)
}

fn says(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 30] = [
        b"version",
        b"versions",
        b"ver",
        b"v",
        b"release",
        b"build",
        b"firmware",
        b"oid",
        b"section",
        b"sec",
        b"chapter",
        b"clause",
        b"revision",
        b"rev",
        b"patch",
        b"upgrade",
        b"driver",
        b"sdk",
        b"fw",
        b"gem",
        b"npm",
        b"nuget",
        b"semver",
        b"bump",
        b"bumps",
        b"bumped",
        b"upgraded",
        b"upgrading",
        b"downgrade",
        b"downgraded",
    ];
    // `AssemblyVersion`
    if word.len() > 8 {
        return word.ends_with(b"Version");
    }
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)) || word.ends_with(b"Version")
}
