//! Sends one request, and again where that is safe: when nothing of it was sent, or when the destination says when to
//! come again and the method may be repeated. Never once a reply has begun that the caller could get.

use std::time::{Duration, Instant};

use bytes::Bytes;
use greffier_event::Attempt;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::bound::Place;
use crate::forward::ForwardError;
use crate::reach::Reach;

/// Before the second attempt; doubled for each after it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Whether a request waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It takes a place at the destination, or waits for one.
    Waits,
    /// It is no work of its own: what listens, or tells of something that holds a place already.
    Passes,
}

/// What became of a request.
pub(crate) struct Sent {
    pub(crate) reply: Result<Response<Incoming>, ForwardError>,
    /// All attempts but the one that was answered.
    pub(crate) attempts: Vec<Attempt>,
    /// Held as long as the reply is under way.
    pub(crate) place: Option<Place>,
}

/// Sends a request on the destination's terms; `timeout` bounds all attempts together, up to the reply's head.
pub(crate) async fn send(
    reach: &Reach,
    request: Request<Full<Bytes>>,
    turn: Turn,
    timeout: Duration,
) -> Sent {
    let mut attempts = Vec::new();
    let mut place = None;
    let began = Instant::now();
    let reply = loop {
        if let Err(rest) = reach.circuit().admit(Instant::now()) {
            break Err(ForwardError::Resting(rest));
        }
        if turn == Turn::Waits && place.is_none() {
            match reach.bound().enter().await {
                Ok(taken) => place = Some(taken),
                Err(_) => break Err(ForwardError::Busy(reach.terms().queue_time)),
            }
        }
        let left = timeout.saturating_sub(began.elapsed());
        let may_repeat = attempts.len() < reach.terms().retries;
        let pause = match tokio::time::timeout(left, reach.client().request(request.clone())).await {
            Err(_) => {
                reach.circuit().failed(Instant::now());
                attempts.push(Attempt::default());
                break Err(ForwardError::Timeout);
            }
            Ok(Err(error)) => {
                attempts.push(Attempt::default());
                let pause = pause(attempts.len());
                // Without a connection nothing of the request was sent.
                if !(error.is_connect() && may_repeat && pause < timeout.saturating_sub(began.elapsed())) {
                    reach.circuit().failed(Instant::now());
                    tracing::warn!(error = ?Causes(&error), "upstream cannot be reached");
                    let unsent = error.is_connect();
                    break Err(if unsent { ForwardError::Unreachable } else { ForwardError::BrokeOff });
                }
                pause
            }
            Ok(Ok(reply)) => {
                let left = timeout.saturating_sub(began.elapsed());
                match comes_again(reach, request.method(), &reply).filter(|wait| may_repeat && *wait < left) {
                    None => {
                        healthy(reach, reply.status());
                        break Ok(reply);
                    }
                    Some(wait) => {
                        attempts.push(attempt(&reply));
                        wait
                    }
                }
            }
        };
        tokio::time::sleep(pause).await;
    };
    Sent { reply, attempts, place }
}

/// What a reply says of the destination's health. Only a gateway's own words count: a 500 may be about one request, and
/// whoever can cause it must not be able to cut off the others.
fn healthy(reach: &Reach, status: StatusCode) {
    let ails = matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    );
    if ails { reach.circuit().failed(Instant::now()) } else { reach.circuit().succeeded() }
}

/// How long to wait before the request is sent again, if the destination says so and the terms allow it.
fn comes_again(reach: &Reach, method: &Method, reply: &Response<Incoming>) -> Option<Duration> {
    let longest = reach.terms().retry_after?;
    let asks = matches!(reply.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let wait = (asks && method.is_idempotent()).then(|| retry_after(reply.headers())).flatten()?;
    (wait <= longest).then_some(wait)
}

/// `Retry-After` in seconds; a date is not waited for.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn pause(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(8);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

fn attempt(reply: &Response<Incoming>) -> Attempt {
    let text = |name: &str| reply.headers().get(name).and_then(|value| value.to_str().ok());
    Attempt {
        code: Some(i64::from(reply.status().as_u16())),
        upstream_request_id: text("x-request-id").or_else(|| text("request-id")).map(str::to_owned),
    }
}

/// An error with what caused it: the outermost alone says only that it failed.
struct Causes<'a>(&'a dyn std::error::Error);

impl std::fmt::Debug for Causes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let pauses: Vec<u128> = (1..=7).map(|attempts| pause(attempts).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 2_000, 2_000]);
    }

    #[test]
    fn only_seconds_are_waited_for() {
        let check = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", http::HeaderValue::from_static(text));
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(check("3"), Some(3));
        assert_eq!(check(" 0 "), Some(0));
        assert_eq!(check("-1"), None);
        assert_eq!(check("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }
}
