//! The files that pins lie in, one per server, a line per tool: so that they outlast the process, can be read, and kept
//! beside the configuration.
//!
//! A line is the digest, the tool's name as JSON, and, where the definition was last seen as another, that one's digest.
//! Deleting a line accepts what comes next; [`accept_definition`] accepts what was seen.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::super::ask;

/// Largest file read back: as many of the longest lines as one server can have.
const MAX_FILE: u64 = super::MAX_TOOLS as u64 * 1_024;

const HEADER: &str = "# Definitions of this MCP server's tools as first seen, and behind the name, what one was last seen as if it changed.\n\
                      # `greffier pins accept SERVER TOOL` accepts a change; deleting a line accepts whatever comes next.\n";

/// What is known of one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// SHA-256 of the definition that counts, in hex.
    pub digest: String,
    /// What it changed to, if it did.
    pub changed: Option<String>,
}

/// The pins of one server, by tool.
pub(super) type Book = BTreeMap<String, Pin>;

/// Where a server's pins lie.
pub(super) fn path(dir: &Path, server: &str) -> PathBuf {
    dir.join(format!("{server}.pins"))
}

/// A file's text; one that is not there has none.
pub(super) fn read(path: &Path) -> io::Result<String> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.len() > MAX_FILE => {
            let message = format!("{} is larger than any file of pins", path.display());
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        }
        Ok(_) => fs::read_to_string(path),
    }
}

/// What a text of pins says; `path` is for the error.
pub(super) fn parse(text: &str, path: &Path) -> io::Result<Book> {
    let lines = text.lines().enumerate();
    let said = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    said.map(|(number, line)| {
        pin(line).ok_or_else(|| {
            let place = format!("{}, line {}", path.display(), number + 1);
            let message = format!("{place}: expected a digest and a tool's name in quotes");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    })
    .collect()
}

fn pin(line: &str) -> Option<(String, Pin)> {
    let (digest, rest) = line.split_once(' ')?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let name = values.next()?.ok()?;
    let changed = match rest.get(values.byte_offset()..)?.trim() {
        "" => None,
        changed => Some(changed.to_owned()),
    };
    let whole =
        |digest: &str| digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let good = whole(digest) && changed.as_deref().is_none_or(whole) && ask::is_name(&name);
    good.then(|| (name, Pin { digest: digest.to_owned(), changed }))
}

/// The text of a server's pins.
pub(super) fn render(book: &Book) -> String {
    let mut text = String::from(HEADER);
    for (name, pin) in book {
        let name = serde_json::Value::String(name.clone());
        let changed = pin.changed.as_ref().map(|changed| format!(" {changed}")).unwrap_or_default();
        text.push_str(&format!("{} {name}{changed}\n", pin.digest));
    }
    text
}

/// Written beside, synced, renamed: a file of pins is whole or the one before.
pub(super) fn save(path: &Path, text: &str) -> io::Result<()> {
    let Some(dir) = path.parent() else { return Ok(()) };
    fs::create_dir_all(dir)?;
    let beside = path.with_extension("pins.new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    fs::File::open(dir)?.sync_all()
}

/// A server's pins, by tool.
///
/// # Errors
/// When the file cannot be read, or is none of pins.
pub fn pinned_definitions(dir: &Path, server: &str) -> io::Result<BTreeMap<String, Pin>> {
    let path = path(dir, server);
    parse(&read(&path)?, &path)
}

/// Accepts the definition that a tool was last seen with, and no other; `false` if it did not change. A gateway that runs
/// takes note of it within a second.
///
/// # Errors
/// When the file cannot be read or written.
pub fn accept_definition(dir: &Path, server: &str, tool: &str) -> io::Result<bool> {
    let mut book = pinned_definitions(dir, server)?;
    let Some(pin) = book.get_mut(tool) else { return Ok(false) };
    let Some(seen) = pin.changed.take() else { return Ok(false) };
    pin.digest = seen;
    save(&path(dir, server), &render(&book))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_pin_is_refused() {
        let digest = "0".repeat(64);
        let check = |line: String| match parse(&line, Path::new("crm.pins")) {
            Ok(book) => format!("{} pins", book.len()),
            Err(error) => error.to_string(),
        };
        assert_eq!(check(format!("# said\n\n{digest} \"a\"\n{digest} \"b\" {digest}")), "2 pins");
        for line in [
            "no".to_owned(),
            format!("{digest} a"),
            format!("{digest} \"a\" changed"),
            format!("{digest} \"method:a\""),
            format!("{} \"a\"", "G".repeat(64)),
            format!("{digest} 7"),
        ] {
            assert_eq!(check(line), "crm.pins, line 1: expected a digest and a tool's name in quotes");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            rows in proptest::collection::btree_map("\\PC{1,20}", ("[0-9a-f]{64}", proptest::option::of("[0-9a-f]{64}")), 0..8),
        ) {
            let named = rows.into_iter().filter(|(name, _)| ask::is_name(name));
            let book: Book = named.map(|(name, (digest, changed))| (name, Pin { digest, changed })).collect();
            prop_assert_eq!(parse(&render(&book), Path::new("x")).unwrap(), book);
        }
    }
}
