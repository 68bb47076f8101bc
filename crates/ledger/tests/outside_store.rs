//! What makes bytes durable goes through one seam, `store.rs`, behind which the tests put a disk that fails and
//! forgets. Whoever writes past it, writes past them: each such file is named here, with its reason.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What changes a file system, or says that it has.
const CALLS: [&str; 16] = [
    "File::create",
    "File::options",
    "OpenOptions::new",
    "fs::write",
    "fs::copy",
    "fs::rename",
    "fs::hard_link",
    "fs::remove_",
    "fs::create_dir",
    "DirBuilder",
    "fs::set_permissions",
    "set_len(",
    "sync_all",
    "sync_data",
    "tempfile",
    "symlink(",
];

/// Who may, and why.
const ALLOWED: [(&str, &str); 7] = [
    ("store.rs", "the seam itself"),
    ("store/folder.rs", "folders above the seam: it begins inside them"),
    ("keys.rs", "keys lie outside the data directory and are created once, for their owner only"),
    (
        "keys/holders.rs",
        "holders' keys, for their owner only; each failure leaves the file to be written anew",
    ),
    (
        "keys/signing.rs",
        "generations of keys change names without ever replacing one, which the seam cannot say",
    ),
    ("backup.rs", "a folder of keys that was copied becomes its owner's alone"),
    ("backup/target.rs", "a copy lies elsewhere, is streamed, and counts only once it is whole"),
];

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Files and folders of modules that only tests have.
fn of_tests(path: &Path, text: &str) -> Vec<PathBuf> {
    let inside = match path.file_name().unwrap().to_str().unwrap() {
        "lib.rs" => path.parent().unwrap().to_owned(),
        _ => path.with_extension(""),
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let modules = lines.windows(2).filter_map(|pair| {
        let &["#[cfg(test)]", item] = pair else { return None };
        item.strip_prefix("pub(crate) ").unwrap_or(item).strip_prefix("mod ")?.strip_suffix(';')
    });
    modules.map(|name| inside.join(name)).collect()
}

#[test]
fn nothing_writes_past_the_store() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let texts: Vec<(PathBuf, String)> =
        paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    let tests: Vec<PathBuf> = texts.iter().flat_map(|(path, text)| of_tests(path, text)).collect();
    let (mut writing, mut looked) = (BTreeSet::new(), 0);
    for (path, text) in &texts {
        if tests.iter().any(|test| path.with_extension("").starts_with(test)) {
            continue;
        }
        looked += 1;
        // Tests at the end of a file are not its code.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        if code.into_iter().any(|line| CALLS.iter().any(|call| line.contains(call))) {
            writing.insert(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
        }
    }
    assert!(looked > 80, "{looked} files");
    let allowed: BTreeSet<String> = ALLOWED.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(writing, allowed, "left: who writes; right: who may");
}
