//! What lies where in an evidence pack, and how large it may be: see `docs/evidence-pack.md`.
//!
//! ```text
//! events/00001.jsonl …    the entries in trail order, with parts shown and withheld, and the proofs of their runs
//! checkpoint              the signed checkpoint with its cosignatures, as it was published
//! trust                   a C2SP trust policy: whom the packer says to trust
//! successions/2.note …    where the log changed its key: the notes in which one key names the next
//! pack.json               what was asked, when, and what was found
//! README.txt              what this is and how to check it
//! report.json, .html      where the pack goes with a report: its data, and the same for people
//! SHA256SUMS              the digests of all of these, for `sha256sum -c`
//! ```

/// The signed checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// The packer's trust policy.
pub(crate) const TRUST: &str = "trust";
/// What was asked and found.
pub(crate) const ABOUT: &str = "pack.json";
/// For people.
pub(crate) const README: &str = "README.txt";
/// The report whose sampled events these are, as data.
pub(crate) const REPORT: &str = "report.json";
/// The same, for people.
pub(crate) const REPORT_PAGE: &str = "report.html";
/// The digests of all other files.
pub(crate) const SUMS: &str = "SHA256SUMS";
/// The folder of the events.
pub(crate) const EVENTS: &str = "events";

/// The folder of the key successions.
pub(crate) const SUCCESSIONS: &str = "successions";

/// Keys that followed each other: a change each week for twenty years.
pub(crate) const MAX_SUCCESSIONS: u32 = 1_000;
/// Files of events: 50,000 of some 4 MiB each are far more than an archive holds.
pub(crate) const MAX_CHUNKS: usize = 50_000;
/// All files.
pub(crate) const MAX_FILES: usize = MAX_CHUNKS + MAX_SUCCESSIONS as usize + 7;
/// A file of events ends with the line that makes it longer than this.
pub(crate) const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// The longest file of events: one line behind the bound, an entry with 32 parts of 1 MiB in base64.
pub(crate) const MAX_CHUNK_BYTES: u64 = 64 * 1024 * 1024;
/// The longest of the other files: digests of 50,000 files.
pub(crate) const MAX_SMALL_BYTES: u64 = 8 * 1024 * 1024;

/// The file of events with this number; they count from 1.
pub(crate) fn chunk_name(number: usize) -> String {
    format!("{EVENTS}/{number:05}.jsonl")
}

/// Whether a pack may hold a file of this name.
pub(crate) fn is_name(name: &str) -> bool {
    matches!(name, CHECKPOINT | TRUST | ABOUT | README | REPORT | REPORT_PAGE | SUMS)
        || chunk_number(name).is_some()
        || succession_number(name).is_some()
}

/// The number of a file of events.
pub(crate) fn chunk_number(name: &str) -> Option<usize> {
    let number = name.strip_prefix(EVENTS)?.strip_prefix('/')?.strip_suffix(".jsonl")?.parse().ok()?;
    ((1..=MAX_CHUNKS).contains(&number) && chunk_name(number) == name).then_some(number)
}

/// The file of the note that names the key of this generation.
pub(crate) fn succession_name(generation: u32) -> String {
    format!("{SUCCESSIONS}/{generation}.note")
}

/// The generation of the key that a file's note names.
pub(crate) fn succession_number(name: &str) -> Option<u32> {
    let number = name.strip_prefix(SUCCESSIONS)?.strip_prefix('/')?.strip_suffix(".note")?.parse().ok()?;
    ((1..=MAX_SUCCESSIONS).contains(&number) && succession_name(number) == name).then_some(number)
}
