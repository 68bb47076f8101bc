//! `[timestamp]`: who says when a checkpoint was there.

use std::time::Duration;

use http::Uri;

use super::super::Timestamps;
use super::super::raw::RawTimestamp;
use super::{Checker, units};

/// Authorities are shared: more often than this is no use, but for tests.
const MIN_EVERY: Duration = Duration::from_secs(1);

impl Checker<'_> {
    pub(super) fn timestamps(&mut self, raw: &RawTimestamp) -> Option<Timestamps> {
        let url = raw.url.get_ref().parse::<Uri>().ok();
        // Most authorities speak plain HTTP: what is sent is a digest, and what comes back is signed.
        let good = |uri: &Uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        };
        if !url.as_ref().is_some_and(good) {
            let message = "expected the URL of an RFC 3161 authority, as in \"http://timestamp.example\"";
            self.problem(&raw.url, message);
        }
        let every = units::timeout(raw.every.get_ref()).and_then(|every| {
            if every >= MIN_EVERY { Ok(every) } else { Err("expected at least 1s".to_owned()) }
        });
        let every = self.take(&raw.every, every)?;
        url.map(|url| Timestamps { url: url.to_string(), every })
    }
}
