//! A reply as one message.

use greffier_event::{Outcome, OutcomeStatus};
use http::{HeaderValue, Response, StatusCode, header};
use tokio_util::sync::CancellationToken;

use super::{Passage, outcome};
use crate::body::{self, Body};
use crate::forward::ForwardError;
use crate::mcp::rpc::{self, Message};
use crate::mcp::upstream::{Answer, Broken, Item, SESSION, Source};
use crate::record::Open;
use crate::refuse::{self, Refused};
use crate::reply::unanswered;

impl Passage {
    /// Brings the server's reply back, or says why there is none. Every way out leaves an outcome.
    pub(crate) async fn reply(
        self,
        open: Open,
        answer: Result<Answer, ForwardError>,
        gone: &CancellationToken,
    ) -> Result<Response<Body>, Refused> {
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let (status, short, refused) = unanswered(error);
                // All that was tried is among the earlier ones.
                let ended = Outcome { attempts: Vec::new(), ..outcome(status, None, Some(short)) };
                self.close(open, ended, Vec::new()).await?;
                return Err(refused);
            }
        };
        self.session(&mut answer);
        let streams = matches!(answer.source, Source::Events(_));
        if streams || (self.envelope.id.is_none() && matches!(answer.source, Source::Lines(_))) {
            return Ok(self.streamed(open, answer, None));
        }
        let first = tokio::select! {
            first = tokio::time::timeout(self.server.timeout, answer.source.next(self.gateway.limits.body)) => first,
            () = gone.cancelled() => {
                self.close(open, outcome(OutcomeStatus::Cancelled, None, Some("caller_gone")), Vec::new()).await?;
                return Err(Refused::new(499, "caller_gone", "the caller went away"));
            }
        };
        match first {
            Err(_) => {
                let (status, short, refused) = unanswered(ForwardError::Timeout);
                self.close(open, outcome(status, None, Some(short)), Vec::new()).await?;
                Err(refused)
            }
            Ok(Err(broken)) => {
                let (short, message) = match broken {
                    Broken::TooLarge => ("reply_too_large", "the server's reply is over the limit"),
                    Broken::Cut => ("reply_cut", "the server broke off its reply"),
                };
                self.close(open, outcome(OutcomeStatus::Failure, None, Some(short)), Vec::new()).await?;
                Err(Refused::new(502, short, message))
            }
            Ok(Ok(None)) => self.nothing(open, &answer).await,
            Ok(Ok(Some(item))) => self.first(open, answer, item).await,
        }
    }

    /// Keeps the session that the server opened, and says how it is called.
    fn session(&self, answer: &mut Answer) {
        if self.envelope.method == "initialize" && answer.status.is_success() {
            match answer.session.as_deref() {
                Some(id) => {
                    let key = crate::mcp::sessions::Key::new(
                        &self.server.name,
                        crate::mcp::sessions::Owner::of(&self.principal),
                        Some(id),
                    );
                    self.gateway.mcp.opened(&self.gateway, &key);
                }
                None => answer.session = self.key.id().map(str::to_owned),
            }
        } else {
            answer.session = None;
        }
    }

    /// Nothing was said: a notification was taken, a session ended, or the server will not.
    async fn nothing(self, open: Open, answer: &Answer) -> Result<Response<Body>, Refused> {
        let status = answer.status;
        let wants_answer = self.envelope.id.is_some();
        let code = Some(i64::from(status.as_u16()));
        if status.is_success() && !wants_answer {
            self.close(open, outcome(OutcomeStatus::Success, code, None), Vec::new()).await?;
            return Ok(self.respond(status, answer, None));
        }
        let short = if status.is_success() { "no_reply" } else { "upstream_error" };
        self.close(open, outcome(OutcomeStatus::Failure, code, Some(short)), Vec::new()).await?;
        Err(self.unwilling(status))
    }

    /// What a server's bare refusal means for the caller.
    fn unwilling(&self, status: StatusCode) -> Refused {
        if status == StatusCode::NOT_FOUND && self.key.id().is_some() {
            self.gateway.mcp.ended(&self.gateway, &self.key);
        }
        match status.as_u16() {
            // Our own credential is not good there, which is none of the caller's business.
            401 | 403 => {
                Refused::new(502, "upstream_refused", "the server refused the gateway's own credential")
            }
            status @ 400..500 => {
                Refused::new(status, "upstream_error", format!("the server answered {status}"))
            }
            200..300 => Refused::new(502, "no_reply", "the server ended without a reply"),
            _ => Refused::new(502, "upstream_error", format!("the server answered {status}")),
        }
    }

    /// The first message decides: a result is the whole reply, anything else begins a stream.
    async fn first(self, open: Open, answer: Answer, item: Item) -> Result<Response<Body>, Refused> {
        let text = item.message.clone().unwrap_or_default();
        match rpc::read(text.as_bytes()) {
            Ok(Message::Response { id, outcome: result })
                if self.envelope.id.is_some() && (id == self.envelope.id || id.is_none()) =>
            {
                let concluded = Box::pin(self.conclude(open, answer.status, result, Vec::new())).await;
                if answer.status == StatusCode::NOT_FOUND && self.key.id().is_some() && result.is_err() {
                    self.gateway.mcp.ended(&self.gateway, &self.key);
                }
                match concluded {
                    Ok(message) => Ok(self.respond(answer.status, &answer, Some(message))),
                    Err(refused) => Err(refused),
                }
            }
            Ok(Message::Request { .. } | Message::Notification { .. })
                if matches!(answer.source, Source::Lines(_)) =>
            {
                Ok(self.streamed(open, answer, Some(item)))
            }
            // A notification that is refused may be answered with an error about nothing.
            Ok(Message::Response { outcome: result, .. }) if self.envelope.id.is_none() => {
                let concluded = Box::pin(self.conclude(open, answer.status, result, Vec::new())).await?;
                Ok(self.respond(answer.status, &answer, Some(concluded)))
            }
            _ if !answer.status.is_success() => {
                let code = Some(i64::from(answer.status.as_u16()));
                self.close(open, outcome(OutcomeStatus::Failure, code, Some("upstream_error")), Vec::new())
                    .await?;
                Err(self.unwilling(answer.status))
            }
            _ => {
                let ended = outcome(OutcomeStatus::Failure, None, Some("reply_unreadable"));
                self.close(open, ended, Vec::new()).await?;
                Err(Refused::new(502, "reply_unreadable", "the server's reply is no answer to the request"))
            }
        }
    }

    fn respond(&self, status: StatusCode, answer: &Answer, message: Option<String>) -> Response<Body> {
        let json = message.is_some();
        let mut response = Response::new(body::whole(message.unwrap_or_default()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if json {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(session) = answer.session.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(SESSION, session);
        }
        refuse::mark(headers, &self.request_id, Some(&self.receipt));
        response
    }
}
