//! Where an export ended, so that the next one goes on there.
//!
//! A cursor names the first entry that it does not cover. It opens nothing: it is bound to the trail, the search and
//! the format only so that nobody goes on with another one by mistake and misses what lies before. What has been
//! sealed or was still in the log makes no difference: both are counted by the same index.

use greffier_event::Tenant;
use greffier_merkle::hash;

use super::lines::ExportFormat;

/// Bytes of the digest that binds it: a mistake is found, all but one in four thousand million.
const MARK: usize = 4;

/// The cursor behind which an export goes on that covered everything below `end`.
pub fn write(trail: &Tenant, query: &str, format: ExportFormat, end: u64) -> String {
    format!("{end}.{}", mark(trail, query, format))
}

/// What a cursor of this trail, search and format covers: everything below the answer.
pub fn read(trail: &Tenant, query: &str, format: ExportFormat, cursor: &str) -> Option<u64> {
    let (end, _) = cursor.split_once('.')?;
    let end = end.parse().ok()?;
    (write(trail, query, format, end) == cursor).then_some(end)
}

fn mark(trail: &Tenant, query: &str, format: ExportFormat) -> String {
    let text = format!("greffier export\n{trail}\n{}\n{}", format.as_str(), query.trim());
    hex::encode(hash::sha256(text.as_bytes()).get(..MARK).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::tenant;

    proptest! {
        #[test]
        fn cursors_come_back(end: u64, query: String, at in 0..ExportFormat::ALL.len()) {
            let format = ExportFormat::ALL[at];
            let cursor = write(&tenant("acme"), &query, format, end);
            prop_assert_eq!(read(&tenant("acme"), &query, format, &cursor), Some(end));
            prop_assert_eq!(read(&tenant("globex"), &query, format, &cursor), None);
            prop_assert_eq!(read(&tenant("acme"), &format!("{query}x"), format, &cursor), None);
            let other = ExportFormat::ALL[(at + 1) % ExportFormat::ALL.len()];
            prop_assert_eq!(read(&tenant("acme"), &query, other, &cursor), None);
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            prop_assert_eq!(read(&tenant("acme"), "", ExportFormat::Csv, &text), None);
        }
    }
}
