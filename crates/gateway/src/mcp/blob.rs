//! Binary content in JSON: base64 that is no text, so that it is neither searched nor kept.
//!
//! Before inspection each blob gives way to a word that stands nowhere else in the document; behind it what travels on
//! gets the blob back, and what is recorded gets its media type, size and digest.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::adapt::view::{View, quoted, splice};

/// Shorter than this it may be a word; digests are no shorter than what they replace.
const MIN_BLOB: usize = 128;
/// Deepest level at which content stands: an embedded resource within a tool's result is on the fifth.
const MAX_DEPTH: usize = 12;

/// A document without its blobs, and the blobs.
pub(crate) struct Lifted<'a> {
    /// The document with a word in each blob's place.
    pub(crate) text: String,
    blobs: Vec<Blob<'a>>,
}

struct Blob<'a> {
    word: String,
    base64: &'a str,
    summary: String,
}

/// Takes the blobs out of a document.
pub(crate) fn lift(text: &str) -> Lifted<'_> {
    let mut found = Vec::new();
    if let Ok(whole) = View::parse(text) {
        seek(whole, MAX_DEPTH, &mut found);
    }
    if found.is_empty() {
        return Lifted { text: text.to_owned(), blobs: Vec::new() };
    }
    // A word that the document does not have: at most one try per occurrence.
    let mut mark = 0_usize;
    while text.contains(&word(mark, "")) {
        mark += 1;
    }
    let blobs: Vec<Blob<'_>> = found
        .iter()
        .enumerate()
        .map(|(index, (value, media))| Blob {
            word: quoted(&word(mark, &format!("{index}x"))),
            base64: value.text(),
            summary: summary(value.text(), media),
        })
        .collect();
    let edits = found.iter().zip(&blobs).map(|((value, _), blob)| (value.span_in(text), blob.word.as_str()));
    Lifted { text: splice(text, edits), blobs }
}

impl Lifted<'_> {
    /// The document with its blobs where they were.
    pub(crate) fn restore(&self, text: String) -> String {
        self.blobs.iter().fold(text, |text, blob| text.replacen(&blob.word, blob.base64, 1))
    }

    /// The document with what is said of its blobs.
    pub(crate) fn summarise(&self, text: String) -> String {
        self.blobs.iter().fold(text, |text, blob| text.replacen(&blob.word, &blob.summary, 1))
    }
}

fn word(mark: usize, rest: &str) -> String {
    format!("greffier_blob_{}_{rest}", "q".repeat(mark))
}

/// Blobs in order of place: `data` beside an image's or a sound's type, and `blob` of a resource.
fn seek<'a>(value: View<'a>, depth: usize, found: &mut Vec<(View<'a>, String)>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    if value.is_array() {
        value.items().into_iter().for_each(|item| seek(item, depth, found));
        return;
    }
    let members = value.entries();
    let text =
        |name: &str| members.iter().find_map(|(key, value)| if key == name { value.string() } else { None });
    let kind = text("type");
    let media = || text("mimeType").unwrap_or_default();
    for (name, member) in &members {
        let blob = match name.as_str() {
            "data" => matches!(kind.as_deref(), Some("image" | "audio")),
            "blob" => true,
            _ => false,
        };
        if blob && is_base64(*member) {
            found.push((*member, media()));
        } else if member.is_object() || member.is_array() {
            seek(*member, depth, found);
        }
    }
}

/// Whether a value is a string of base64 and nothing else: what has other characters is text, and is looked at.
fn is_base64(value: View<'_>) -> bool {
    let text = value.text();
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return false };
    inner.len() >= MIN_BLOB && STANDARD.decode(inner).is_ok_and(|bytes| std::str::from_utf8(&bytes).is_err())
}

/// What is kept of a blob, as a JSON string.
fn summary(base64: &str, media: &str) -> String {
    let bytes = STANDARD.decode(base64.trim_matches('"')).unwrap_or_default();
    let media: String = media.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
    let hex = hex::encode(digest(&SHA256, &bytes));
    quoted(&format!("[{} bytes of {media}, sha256:{hex}]", bytes.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn png(bytes: &[u8]) -> String {
        let mut image = vec![0x89, 0xff, 0xfe];
        image.extend_from_slice(bytes);
        STANDARD.encode(image)
    }

    #[test]
    fn blobs_are_named_not_kept() {
        let data = png(&[7; 120]);
        let text = format!(
            r#"{{"content":[{{"type":"image","data":"{data}","mimeType":"image/png"}},{{"type":"text","text":"greffier_blob_ "}},{{"type":"resource","resource":{{"uri":"a://b","blob":"{data}"}}}}]}}"#
        );
        let lifted = lift(&text);
        insta::assert_snapshot!(lifted.text, @r#"{"content":[{"type":"image","data":"greffier_blob__0x","mimeType":"image/png"},{"type":"text","text":"greffier_blob_ "},{"type":"resource","resource":{"uri":"a://b","blob":"greffier_blob__1x"}}]}"#);
        insta::assert_snapshot!(lifted.summarise(lifted.text.clone()), @r#"{"content":[{"type":"image","data":"[123 bytes of image/png, sha256:40345cc4e825f1101d2fe92bd4fb8d8087555db147894b2eaa190688c9ff5cda]","mimeType":"image/png"},{"type":"text","text":"greffier_blob_ "},{"type":"resource","resource":{"uri":"a://b","blob":"[123 bytes of , sha256:40345cc4e825f1101d2fe92bd4fb8d8087555db147894b2eaa190688c9ff5cda]"}}]}"#);
        assert_eq!(lifted.restore(lifted.text.clone()), text);
    }

    #[test]
    fn text_in_base64_is_text() {
        // Words in base64 would be a way around inspection.
        let hidden = STANDARD.encode("the number is 536-90-4399 and it goes on for long enough to be a blob, if length alone made one, which it does not");
        let text = format!(r#"{{"content":[{{"type":"image","data":"{hidden}"}}]}}"#);
        assert_eq!(lift(&text).text, text);
    }

    proptest! {
        #[test]
        fn whatever_is_lifted_comes_back(bytes in proptest::collection::vec(any::<u8>(), 100..200), noise in "\\PC{0,20}") {
            let text = format!(
                r#"{{"a":{},"content":[{{"type":"audio","data":"{}"}},{{"blob":"{}"}}]}}"#,
                quoted(&noise), png(&bytes), png(&bytes)
            );
            let lifted = lift(&text);
            prop_assert_eq!(lifted.restore(lifted.text.clone()), text);
        }
    }
}
