//! Time stamps from an RFC 3161 authority: every checkpoint that grew is sent for one, by digest only, at a pace of its
//! own. Nothing waits for it: an authority that is slow, silent or wrong delays no event and no checkpoint.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use greffier_ledger::timestamp::{Due, MAX_RESPONSE, NONCE_BYTES, Stamp, Stamper, request};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};

use crate::config::Timestamps;
use crate::http::{Pool, pool};

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Between two requests of one round: authorities are free, and shared.
const GAP: Duration = Duration::from_millis(500);
/// What failed is tried again after this, or at the next round if that is sooner.
const RETRY: Duration = Duration::from_secs(60);

/// Asks until it is dropped with its task.
pub(crate) async fn keep(stamper: Stamper, config: Timestamps) {
    let pool = pool();
    let mut said = None;
    loop {
        let wait = match round(&stamper, &pool, &config.url).await {
            Ok(()) => {
                said = None;
                config.every
            }
            Err(error) => {
                let error = format!("{error:#}");
                if said.as_ref() != Some(&error) {
                    tracing::warn!(error, url = config.url, "no time stamp: it is tried again");
                    said = Some(error);
                }
                config.every.min(RETRY)
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// One request for each trail that grew since its last stamp. The first failure ends the round: the next trail would
/// ask the same authority.
async fn round(stamper: &Stamper, pool: &Pool, url: &str) -> anyhow::Result<()> {
    let listing = stamper.clone();
    let due = tokio::task::spawn_blocking(move || listing.due()).await??;
    for due in due {
        stamp(stamper, pool, url, due).await?;
        tokio::time::sleep(GAP).await;
    }
    Ok(())
}

async fn stamp(stamper: &Stamper, pool: &Pool, url: &str, due: Due) -> anyhow::Result<()> {
    let mut nonce = [0; NONCE_BYTES];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| anyhow::anyhow!("the system's randomness failed"))?;
    let asked = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(CONTENT_TYPE, "application/timestamp-query")
        .header(ACCEPT, "application/timestamp-reply")
        .body(Full::new(Bytes::from(request(&due.note, nonce))))?;
    let answer = tokio::time::timeout(TIMEOUT, async {
        let answer = pool.request(asked).await.context("the time stamping authority cannot be reached")?;
        let status = answer.status();
        anyhow::ensure!(status.is_success(), "the time stamping authority answered with {status}");
        let body = Limited::new(answer.into_body(), MAX_RESPONSE).collect().await;
        Ok(body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?.to_bytes())
    });
    let response = answer.await.context("the time stamping authority did not answer in time")??;
    // An answer to another request, an old one perhaps, is no stamp of now.
    Stamp::read(&response)?.check_nonce(nonce)?;
    let (stamper, trail, size) = (stamper.clone(), due.trail.clone(), due.size);
    tokio::task::spawn_blocking(move || stamper.keep(&due, &response)).await??;
    tracing::debug!(%trail, size, "checkpoint stamped");
    Ok(())
}
