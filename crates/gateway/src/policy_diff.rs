//! What changed from one set of policies to the next, file by file and line by line, and whose the files are.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use greffier_event::Timestamp;
use serde_json::{Value, json};
use similar::TextDiff;

/// Longest time for the lines of one file: past it the difference is coarser, not wrong.
const DIFF_TIME: Duration = Duration::from_millis(200);
/// Lines shown around what changes.
const AROUND: usize = 3;

/// The files that differ, each with its difference in unified form.
pub(crate) fn changes(old: &[(String, String)], new: &[(String, String)]) -> Vec<(String, String)> {
    let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) = (texts(old), texts(new));
    let mut names: Vec<&str> = old.keys().chain(new.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter_map(|name| {
            let (before, after) =
                (old.get(name).copied().unwrap_or_default(), new.get(name).copied().unwrap_or_default());
            let same = before == after && old.contains_key(name) == new.contains_key(name);
            (!same).then(|| (name.to_owned(), diff(name, before, after)))
        })
        .collect()
}

fn texts(files: &[(String, String)]) -> BTreeMap<&str, &str> {
    files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

fn diff(name: &str, before: &str, after: &str) -> String {
    let lines = TextDiff::configure().timeout(DIFF_TIME).diff_lines(before, after);
    lines.unified_diff().context_radius(AROUND).header(name, name).to_string()
}

/// The changes as a record carries them: with what the file system says of who wrote each file, and when.
pub(crate) fn document(changes: &[(String, String)], dir: &Path) -> Value {
    let change = |(name, diff): &(String, String)| {
        let file = std::fs::metadata(dir.join(name)).ok();
        let modified = file.as_ref().map(|file| {
            let micros = file.mtime().saturating_mul(1_000_000).saturating_add(file.mtime_nsec() / 1_000);
            Timestamp::from_micros(micros).to_string()
        });
        json!({ "file": name, "diff": diff, "modified": modified, "owner_uid": file.map(|file| file.uid()) })
    };
    changes.iter().map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: &[(&str, &str)], new: &[(&str, &str)]) -> String {
        let owned = |files: &[(&str, &str)]| -> Vec<(String, String)> {
            files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        changes(&owned(old), &owned(new)).into_iter().map(|(_, diff)| diff).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn files_that_differ() {
        let old = [("a.cedar", "1\n2\n3\n4\n5\n6\n7\n8\n9\n"), ("b.cedar", "x\n"), ("c.cedar", "same\n")];
        let new =
            [("a.cedar", "one\n2\n3\n4\n5\n6\n7\n8\nnine\n"), ("c.cedar", "same\n"), ("d.cedar", "new\n")];
        insta::assert_snapshot!(check(&old, &new), @"
        --- a.cedar
        +++ a.cedar
        @@ -1,4 +1,4 @@
        -1
        +one
         2
         3
         4
        @@ -6,4 +6,4 @@
         6
         7
         8
        -9
        +nine

        --- b.cedar
        +++ b.cedar
        @@ -1 +0,0 @@
        -x

        --- d.cedar
        +++ d.cedar
        @@ -0,0 +1 @@
        +new
        ");
        assert_eq!(check(&old, &old), "");
    }

    #[test]
    fn whose_files_they_are() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.cedar"), "x\n").unwrap();
        let told = document(
            &[("a.cedar".to_owned(), "d".to_owned()), ("gone".to_owned(), "e".to_owned())],
            dir.path(),
        );
        assert!(told[0]["owner_uid"].is_u64() && told[0]["modified"].as_str().unwrap().ends_with('Z'));
        assert!(told[1]["owner_uid"].is_null() && told[1]["modified"].is_null());
    }
}
