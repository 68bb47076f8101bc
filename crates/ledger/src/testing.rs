//! What the tests of this crate share: events, keys, directories.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use greffier_event::{Draft, Event, Part};
use serde_json::json;

use crate::backlog::SealPolicy;
use crate::keys::KeyRing;

/// Makes a keys folder what keys need: its owner's alone. Copies and checkouts are not.
pub(crate) fn tighten(dir: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(dir, 0o700);
    std::fs::read_dir(dir).unwrap().for_each(|entry| set(&entry.unwrap().path(), 0o600));
}

/// A decision (`approved`), an outcome (`executed`, `failed`) or another event, the `n`th of its kind of world.
pub(crate) fn event(tenant: &str, n: u64, kind: &str, request: &str) -> Event {
    let mut event = json!({
        "v": 1,
        "id": format!("00000000-0000-7000-8000-{n:012x}"),
        "time": "2026-03-06T14:32:07.891000Z",
        "recorded_at": "2026-03-06T14:32:08.233104Z",
        "type": kind,
        "tenant": tenant,
        "request_id": request,
        "user": {"sub": "alice"},
    });
    match kind {
        "action.approved" => event["policy"] = json!({"decision": "allow"}),
        "action.executed" => event["outcome"] = json!({"status": "success"}),
        "action.failed" => event["outcome"] = json!({"status": "unknown"}),
        _ => {}
    }
    serde_json::from_value(event).unwrap()
}

/// An event with parts.
pub(crate) fn draft(event: Event, parts: &[(&str, &[u8])]) -> Draft {
    let part = |(name, content): &(&str, &[u8])| Part {
        name: (*name).to_owned(),
        media: "text/plain".to_owned(),
        content: content.to_vec(),
    };
    Draft { event, parts: parts.iter().map(part).collect() }
}

/// The events of tests are old; only tests of sealing want them sealed for it.
pub(crate) fn seal_by_count(entries: u64) -> SealPolicy {
    SealPolicy { entries, age: Duration::from_secs(1_000_000_000), ..SealPolicy::default() }
}

/// An event of which nothing but its trail and number matters.
pub(crate) fn plain(tenant: &str, n: u64) -> Draft {
    draft(event(tenant, n, "data.access", &format!("req_{n}")), &[("prompt", b"what is on record?")])
}

/// One key ring for all tests that do not test keys.
pub(crate) fn keys() -> Arc<KeyRing> {
    static KEYS: LazyLock<(tempfile::TempDir, Arc<KeyRing>)> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        let keys = KeyRing::create(dir.path()).unwrap();
        (dir, Arc::new(keys))
    });
    Arc::clone(&KEYS.1)
}

/// Every file below a directory, by path.
pub(crate) fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// A copy of a directory.
pub(crate) fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files(from) {
        let path = to.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}
