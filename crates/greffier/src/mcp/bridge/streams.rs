//! Streams of events: given on as they come, gone on with where they broke off, and listened to as long as there is a
//! session.

use std::sync::Arc;
use std::time::Duration;

use greffier_gateway::sse::SseDecoder;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::Instant;

use super::{AGAIN, Bridge, MAX_LINE};

/// Between two tries to resume a stream.
const RESUME: Duration = Duration::from_millis(500);
/// How long a stream that broke off is resumed: as long as the gateway keeps its call open.
const RESUMABLE: Duration = Duration::from_secs(600);
const LAST_EVENT: &str = "last-event-id";

/// What came in a stream, or in several that went on with it.
#[derive(Default)]
pub(super) struct Heard {
    /// The response that was waited for.
    pub(super) answer: Option<Value>,
    /// The last event that has an id.
    last: Option<HeaderValue>,
}

impl Bridge {
    /// A reply as a stream, and those that it goes on in; the response at last.
    pub(super) async fn streams(
        &self,
        message: &Value,
        reply: http::Response<Incoming>,
    ) -> anyhow::Result<Option<Value>> {
        let waits = message.get("id").filter(|_| message.get("method").is_some());
        let (mut heard, since) = (Heard::default(), Instant::now());
        let mut ended = self.stream(reply.into_body(), waits, &mut heard).await;
        while waits.is_some() && heard.answer.is_none() {
            let Some(last) = heard.last.clone().filter(|_| since.elapsed() < RESUMABLE) else { break };
            tokio::time::sleep(RESUME).await;
            let mut request = self.request(Method::GET, &Value::Null, Vec::new())?;
            request.headers_mut().insert(LAST_EVENT, last);
            let reply = self.http.request(request).await?;
            if !is_stream(&reply) {
                anyhow::bail!(
                    "the reply broke off, and the server does not go on with it: {}",
                    reply.status()
                );
            }
            ended = self.stream(reply.into_body(), waits, &mut heard).await;
        }
        match (heard.answer, waits) {
            (Some(answer), _) => Ok(Some(answer)),
            (None, None) => Ok(None),
            (None, Some(_)) => {
                ended?;
                anyhow::bail!("the reply broke off")
            }
        }
    }

    /// Gives on what comes in a stream, but for the response to `id`: that one ends it.
    pub(super) async fn stream(
        &self,
        mut body: Incoming,
        id: Option<&Value>,
        heard: &mut Heard,
    ) -> anyhow::Result<()> {
        let mut decoder = SseDecoder::with_limit(MAX_LINE);
        while let Some(frame) = body.frame().await {
            if let Some(data) = frame?.data_ref() {
                decoder.push(data);
            }
            while let Some(event) = decoder.next_event()? {
                let named = event
                    .other_lines()
                    .find_map(|line| line.strip_prefix("id:").map(str::trim).map(str::to_owned));
                if let Some(last) = named.and_then(|named| HeaderValue::from_str(&named).ok()) {
                    heard.last = Some(last);
                }
                let Some(data) = event.data().filter(|data| !data.trim().is_empty()) else { continue };
                let answer = || serde_json::from_str::<Value>(&data).ok();
                let ours = |answer: &Value| answer.get("method").is_none() && answer.get("id") == id;
                match id.and_then(|_| answer()).filter(ours) {
                    Some(answer) => heard.answer = Some(answer),
                    None => drop(self.out.send(data.replace(['\n', '\r'], " ")).await),
                }
            }
        }
        Ok(())
    }

    /// Listens for what belongs to no request, as long as there is a session.
    pub(super) async fn listen(self: Arc<Self>) {
        let listening = async {
            let mut lost = 0;
            loop {
                let before = self.known().session;
                let Ok(request) = self.request(Method::GET, &Value::Null, Vec::new()) else { return };
                match self.http.request(request).await {
                    Ok(reply) if is_stream(&reply) => {
                        lost = 0;
                        drop(self.stream(reply.into_body(), None, &mut Heard::default()).await);
                    }
                    // A session that is over is opened anew; not again and again.
                    Ok(reply) if reply.status() == StatusCode::NOT_FOUND && before.is_some() && lost < 2 => {
                        lost += 1;
                        drop(self.reopen(before).await);
                    }
                    // A server that offers no such stream.
                    Ok(reply) if reply.status().is_client_error() => return,
                    _ => {}
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::select! {
            () = listening => {}
            () = self.stop.cancelled() => {}
        }
    }
}

pub(super) fn is_stream(reply: &http::Response<Incoming>) -> bool {
    let media = reply.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
    reply.status().is_success() && media.is_some_and(|media| media.starts_with("text/event-stream"))
}
