//! The session behind a bridge. A client of a command knows of none, so that what becomes of it is the bridge's business.

use std::sync::PoisonError;

use http::{HeaderValue, Method};
use http_body_util::BodyExt;
use serde_json::Value;

use super::streams::{Heard, is_stream};
use super::{Bridge, READY, SESSION};

impl Bridge {
    /// A session is open; what opened it is kept.
    pub(super) fn opened(&self, session: Option<HeaderValue>, answer: Option<&Value>, body: Vec<u8>) {
        let version = answer.and_then(|answer| answer.pointer("/result/protocolVersion"));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.session = session;
        known.version = version.and_then(Value::as_str).map(str::to_owned);
        known.opening = Some(body);
    }

    /// Opens a session in the place of `before`, which the gateway no longer knows, in the client's own words.
    pub(super) async fn reopen(&self, before: Option<HeaderValue>) -> anyhow::Result<()> {
        let _alone = self.reopening.lock().await;
        let known = self.known();
        let Some(body) = known.opening.filter(|_| known.session == before) else { return Ok(()) };
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            (known.session, known.version) = (None, None);
        }
        let message: Value = serde_json::from_slice(&body)?;
        let reply = self.ready(&message, body.clone()).await?;
        let (status, session) = (reply.status(), reply.headers().get(SESSION).cloned());
        let answer = if is_stream(&reply) {
            let mut heard = Heard::default();
            self.stream(reply.into_body(), message.get("id"), &mut heard).await?;
            heard.answer
        } else {
            serde_json::from_slice(&reply.into_body().collect().await?.to_bytes()).ok()
        };
        if !status.is_success() {
            anyhow::bail!("the session is over, and another one is refused: {status}");
        }
        self.opened(session, answer.as_ref(), body);
        let ready = serde_json::json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let reply = self.ready(&ready, ready.to_string().into_bytes()).await?;
        drop(reply.into_body().collect().await);
        Ok(())
    }

    /// Ends the session.
    pub(super) async fn leave(&self) {
        if self.known().session.is_none() {
            return;
        }
        if let Ok(request) = self.request(Method::DELETE, &Value::Null, Vec::new()) {
            drop(tokio::time::timeout(READY, self.http.request(request)).await);
        }
    }
}
