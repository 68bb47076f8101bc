//! What the tests of the formats share: one event of each type and one with every field, and files that say how they
//! are written.

use std::path::Path;

use greffier_event::{Event, EventType};

/// The frozen events, in the order of the vocabulary; the fullest is the last.
pub(super) fn events() -> Vec<Event> {
    let names = EventType::ALL.iter().map(|kind| kind.as_str()).chain(["full", "numbered"]);
    let mut events: Vec<Event> = names
        .map(|name| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../event/testdata/vectors");
            Event::from_canonical(&std::fs::read(path.join(format!("{name}.json"))).unwrap()).unwrap()
        })
        .collect();
    // Two vectors have one id.
    if let Some(last) = events.last_mut() {
        last.id = greffier_event::EventId(uuid::Uuid::from_u128(1));
    }
    events
}

/// Holds what is written of each event against the file; `UPDATE_GOLDEN=1` writes it anew.
pub(super) fn check_golden(name: &str, mut write: impl FnMut(u64, &Event) -> String) {
    let lines: Vec<String> =
        events().iter().enumerate().map(|(index, event)| write(index as u64, event) + "\n").collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/export").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, lines.concat()).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    let written = lines.concat();
    for (golden, line) in golden.lines().zip(written.lines()) {
        assert_eq!(golden, line);
    }
    assert_eq!(golden, written);
}
