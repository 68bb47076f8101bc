//! Webhooks: every finding on record is told to whoever is configured, at least once and in its order.
//!
//! The trail is the queue. Each webhook remembers how far it has come on each trail, in a file that is replaced after
//! each delivery, so that a stop at any moment repeats one delivery at most and loses none. A receiver that is away is
//! tried again until the finding is so old that it is no news; one that refuses a delivery for good is not asked again
//! about that one. What was given up is an event on the finding's trail, and the next one is told.

mod body;
mod position;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use greffier_api::{Receivers, Recorder, Untold};
use greffier_event::{Event, EventId, Tenant, Timestamp};
use greffier_gateway::{Host, HttpClient, Secret, client_to};
use greffier_query::{Engine, Finding, Row, Search, Severity, State, Watch, findings};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;

use crate::config::{FindingsConfig, UrlSource, WebhookConfig};
use crate::exit::Failure;
use crate::{when, wire};
use position::Positions;

/// How often the trails are looked at.
const PACE: Duration = Duration::from_secs(1);
/// Findings that are read at once.
const PAGE: usize = 100;
/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failure; doubled with each further one, up to the second.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// One receiver.
pub(crate) struct Webhook {
    name: String,
    url: Uri,
    secret: Option<Secret>,
    slack: bool,
    least: Severity,
    give_up_after: Duration,
    client: HttpClient,
    positions: Positions,
}

/// What a webhook works with: it reads the trails, records what it gave up, and says how far it has come.
pub(crate) struct Telling {
    pub(crate) engine: Engine,
    pub(crate) watch: Watch,
    pub(crate) recorder: Recorder,
    pub(crate) receivers: Receivers,
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Yes,
    /// Never: it would be refused again.
    Refused(StatusCode),
    /// Not now.
    Later(String),
}

/// The receivers of a configuration; their secrets are read, nothing is sent.
pub(crate) fn open(config: &FindingsConfig) -> anyhow::Result<Vec<Webhook>> {
    config.webhooks.iter().map(|webhook| Webhook::open(webhook, &config.positions)).collect()
}

impl Webhook {
    fn open(config: &WebhookConfig, folder: &Path) -> anyhow::Result<Webhook> {
        let of = |what: &str| format!("the {what} of webhook `{}`", config.name);
        let needed = |source, what: &str| {
            let found = wire::secret(source).with_context(|| of(what))?;
            found.ok_or_else(|| {
                anyhow::Error::from(Failure::new("secret", format!("{} is not set", of(what))))
            })
        };
        let url = match &config.url {
            UrlSource::Plain(url) => url.clone(),
            UrlSource::Secret(source) => needed(source, "address")?.expose().to_owned(),
        };
        // The address may be a secret: no message shows it.
        let url: Uri =
            url.parse().map_err(|_| Failure::new("config", format!("{} is no URL", of("address"))))?;
        let host = url.host().filter(|_| matches!(url.scheme_str(), Some("http" | "https")));
        let host =
            host.ok_or_else(|| Failure::new("config", format!("{} is no http or https URL", of("address"))))?;
        Host::Named.check_literal(host)?;
        Ok(Webhook {
            name: config.name.clone(),
            secret: config.secret.as_ref().map(|source| needed(source, "secret")).transpose()?,
            slack: config.slack,
            least: config.least,
            give_up_after: config.give_up_after,
            client: client_to(Host::Named),
            positions: Positions::open(folder, &config.name)?,
            url,
        })
    }

    /// Tells until it is dropped.
    pub(crate) async fn run(mut self, telling: Telling) {
        telling.receivers.add(&self.name, self.least);
        let mut said = None;
        loop {
            match self.round(&telling).await {
                Ok(()) => said = None,
                Err(error) => {
                    let error = format!("{error:#}");
                    if said.as_ref() != Some(&error) {
                        tracing::warn!(
                            error,
                            webhook = self.name,
                            "findings wait to be told: it is tried again"
                        );
                        said = Some(error);
                    }
                }
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Everything that is on record by now, of every trail.
    async fn round(&mut self, telling: &Telling) -> anyhow::Result<()> {
        let engine = &telling.engine;
        let reader = engine.reader().clone();
        let trails = tokio::task::spawn_blocking(move || reader.trails()).await??;
        // Whoever is new is told of what comes, not of the past.
        if self.positions.is_new() {
            let ends = trails.iter().map(|(trail, size)| (trail.to_string(), *size)).collect();
            self.positions.begin(ends).await?;
        }
        let search = Search::parse(&format!("tool:{} agent:greffier", findings::RAISED), when::now())?;
        for (trail, size) in trails {
            let mut next = self.positions.of(&trail);
            telling.receivers.comes_to(&self.name, &trail, next);
            while next < size {
                let page = engine.oldest(&trail, &search, next.checked_sub(1), PAGE).await?;
                for row in &page.rows {
                    self.tell(telling, &trail, row).await?;
                    self.positions.set(&trail, row.index + 1).await?;
                    telling.receivers.comes_to(&self.name, &trail, row.index + 1);
                }
                next = page.next.map_or(page.size, |last| last + 1);
            }
        }
        Ok(())
    }

    /// Tells one finding, or gives it up, which is on record before the next one is told.
    async fn tell(&self, telling: &Telling, trail: &Tenant, row: &Row) -> anyhow::Result<()> {
        let event = row.event()?;
        let uri = event.resource.as_ref().and_then(|resource| resource.uri.as_deref()).unwrap_or_default();
        let id = uri.rsplit('/').next().and_then(|id| id.parse().ok()).map(EventId);
        let Some(id) = id else { return Ok(()) };
        let Some(finding) = telling.watch.finding(trail, id).await?.filter(|finding| self.wants(finding))
        else {
            return Ok(());
        };
        let body = match self.slack {
            true => body::slack(trail, &finding)?,
            false => body::json(trail, row.index, event.id, &finding)?,
        };
        let Some(untold) = self.deliver(telling, &event, &body).await else {
            telling.receivers.took(&self.name);
            return Ok(());
        };
        let Untold { reason, tries, .. } = &untold;
        tracing::error!(webhook = self.name, reason, tries, finding = %finding.id, "a finding was given up");
        let recorded = telling.recorder.untold(trail, &finding, &untold, when::now()).await;
        recorded.map_err(|error| anyhow::anyhow!("what was given up cannot be recorded: {error}"))?;
        telling.receivers.gave_up(&self.name);
        Ok(())
    }

    /// Tries until it is taken, refused, or too old; at least once.
    async fn deliver(&self, telling: &Telling, event: &Event, body: &Bytes) -> Option<Untold> {
        let untold = |error, reason, tries| Untold { receiver: self.name.clone(), error, reason, tries };
        let recorded = event.recorded_at.unwrap_or(event.time);
        let (mut pause, mut said) = (RETRY.0, None);
        for tries in 1.. {
            let reason = match self.send(body, event.id).await {
                Told::Yes => return None,
                Told::Refused(status) => {
                    return Some(untold("receiver_refused", format!("it answered {status}"), tries));
                }
                Told::Later(reason) => reason,
            };
            let now = when::now();
            telling.receivers.fails(&self.name, now, &reason);
            if age(recorded, now) >= self.give_up_after {
                return Some(untold("receiver_unreachable", reason, tries));
            }
            if said.as_ref() != Some(&reason) {
                tracing::warn!(webhook = self.name, reason, "a finding is told later");
                said = Some(reason);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY.1);
        }
        None
    }

    fn wants(&self, finding: &Finding) -> bool {
        finding.severity >= self.least && finding.state != State::Muted
    }

    async fn send(&self, body: &Bytes, delivery: EventId) -> Told {
        // Signed anew with each attempt: receivers refuse old times.
        let seconds = when::now().as_micros() / 1_000_000;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("greffier/", env!("CARGO_PKG_VERSION")))
            .header("greffier-delivery", delivery.to_string())
            .header("greffier-timestamp", seconds.to_string());
        if let Some(secret) = &self.secret {
            request = request.header("greffier-signature", body::signature(secret, seconds, body));
        }
        let Ok(request) = request.body(Full::new(body.clone())) else {
            return Told::Later("the request cannot be made".to_owned());
        };
        // An error of the client may show the address: only its kind is told.
        match tokio::time::timeout(TIMEOUT, self.client.request(request)).await {
            Ok(Ok(answer)) => judged(answer.status()),
            Ok(Err(error)) if error.is_connect() => Told::Later("no connection".to_owned()),
            Ok(Err(_)) => Told::Later("the connection broke off".to_owned()),
            Err(_) => Told::Later("no answer in time".to_owned()),
        }
    }
}

/// How long ago something was recorded; nothing, where the clock went back since.
fn age(recorded: Timestamp, now: Timestamp) -> Duration {
    let micros = now.as_micros().saturating_sub(recorded.as_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// What the status of an answer means. Redirects are not followed: they would lead what is told elsewhere.
fn judged(status: StatusCode) -> Told {
    let later =
        matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    match status {
        status if status.is_success() => Told::Yes,
        status if later || status.is_server_error() => Told::Later(format!("it answered {status}")),
        status => Told::Refused(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_means() {
        let check = |status: u16| judged(StatusCode::from_u16(status).unwrap());
        assert_eq!(check(200), Told::Yes);
        assert_eq!(check(204), Told::Yes);
        assert!(matches!(check(503), Told::Later(_)));
        assert!(matches!(check(429), Told::Later(_)));
        assert!(matches!(check(302), Told::Refused(_)));
        assert!(matches!(check(410), Told::Refused(_)));
    }
}
