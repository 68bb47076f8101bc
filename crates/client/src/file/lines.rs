//! Finding events in files of lines again: newest file first, no more of it in memory than is wanted.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use greffier_event::{Timestamp, limits};
use memchr::memmem;
use serde_json::Value;

use crate::event::AuditEvent;
use crate::filter::Filter;

/// Files set aside that are looked through; beyond, the oldest are left out.
const MAX_FILES: usize = 10_000;
/// Microseconds that another process may go on to write to a file that was set aside: twice what it takes to notice.
const NOTICED: i64 = 2_000_000;

/// What a query found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// In the order in which they were written.
    pub(crate) events: Vec<AuditEvent>,
    /// Lines that are no event, or cut.
    pub(crate) unreadable: u64,
}

/// Looks through a file and those that were set aside before it.
pub(crate) fn query(path: &Path, filter: &Filter) -> io::Result<Found> {
    let mut files = set_aside(path)?;
    // What was set aside before the time that is asked for holds nothing of it.
    let late = |latest: &Timestamp| Timestamp::from_micros(latest.as_micros().saturating_add(NOTICED));
    files.retain(|(latest, _)| filter.since.is_none_or(|since| late(latest) >= since));
    let mut newest_first = vec![path.to_owned()];
    newest_first.extend(files.into_iter().rev().take(MAX_FILES).map(|(_, file)| file));
    let mut found = Found::default();
    let mut pages = Vec::new();
    let mut room = filter.limit;
    for file in newest_first {
        if room == 0 {
            break;
        }
        let page = match File::open(&file) {
            Ok(file) => page(file, filter, room, &mut found.unreadable)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        room -= page.len();
        pages.push(page);
    }
    found.events = pages.into_iter().rev().flatten().collect();
    Ok(found)
}

/// The last so many events of one file that are wanted.
fn page(file: File, filter: &Filter, room: usize, unreadable: &mut u64) -> io::Result<VecDeque<AuditEvent>> {
    let needles = needles(filter);
    let mut wanted = VecDeque::new();
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = io::Read::take(&mut reader, limits::DOCUMENT_BYTES as u64).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(wanted);
        }
        let text = line.trim_ascii();
        if text.is_empty() || !may_match(text, &needles) {
            continue;
        }
        let Ok(value) = serde_json::from_slice::<Value>(text) else {
            *unreadable += 1;
            continue;
        };
        if !filter.matches(&value) {
            continue;
        }
        match std::str::from_utf8(text).ok().and_then(|text| AuditEvent::from_flat(text).ok()) {
            Some(event) => {
                if wanted.len() == room {
                    wanted.pop_front();
                }
                wanted.push_back(event);
            }
            None => *unreadable += 1,
        }
    }
}

/// What must stand in a line that is wanted: the values that are asked for, where JSON has one spelling of them.
fn needles(filter: &Filter) -> Vec<memmem::Finder<'_>> {
    let plain = |text: &&str| {
        text.len() > 2 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let texts = filter.equal.iter().filter_map(|(_, value)| value.as_str()).filter(plain);
    texts.map(memmem::Finder::new).collect()
}

/// Whether a line may be wanted. Who escapes what needs no escape is read in full.
fn may_match(line: &[u8], needles: &[memmem::Finder<'_>]) -> bool {
    needles.iter().all(|needle| needle.find(line).is_some()) || memmem::find(line, b"\\u00").is_some()
}

/// The name under which a file is set aside: by the latest time in it, so that names sort as their events do.
pub(super) fn aside(path: &Path, latest: Timestamp, number: u32) -> PathBuf {
    let (stem, extension) = names(path);
    let time = latest.to_string().replace([':', '-'], "");
    let number = if number == 0 { String::new() } else { format!("-{number:03}") };
    path.with_file_name(format!("{stem}.{time}{number}{extension}"))
}

/// The files that were set aside, oldest first, each with the latest time in it.
fn set_aside(path: &Path) -> io::Result<Vec<(Timestamp, PathBuf)>> {
    let (stem, extension) = names(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let time = name
            .to_str()
            .and_then(|name| name.strip_prefix(&stem)?.strip_prefix('.')?.strip_suffix(extension.as_str()))
            .and_then(time);
        if let Some(time) = time {
            files.push((time, path.with_file_name(&name)));
        }
    }
    files.sort();
    Ok(files)
}

/// `20260306T143207.891000Z` and what may follow it.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.split_once('-').map_or(text, |(time, _)| time);
    let (date, rest) = text.split_at_checked(8)?;
    let (hours, rest) = rest.strip_prefix('T')?.split_at_checked(2)?;
    let (minutes, seconds) = rest.split_at_checked(2)?;
    let (year, day) = date.split_at_checked(4)?;
    let (month, day) = day.split_at_checked(2)?;
    format!("{year}-{month}-{day}T{hours}:{minutes}:{seconds}").parse().ok()
}

fn names(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let extension = text(path.extension());
    let dot = if extension.is_empty() { "" } else { "." };
    (text(path.file_stem()), format!("{dot}{extension}"))
}
