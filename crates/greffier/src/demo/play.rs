//! Plays the script: sets the clock, has a token minted, asks the gateway over HTTP, and holds the answer's status
//! against what the script expects.

use anyhow::Context;
use bytes::Bytes;
use futures_util::future::try_join_all;
use greffier_api::{Beat, Recorder};
use greffier_event::Timestamp;
use greffier_gateway::{Clock, Shift};
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use zeroize::Zeroizing;

use super::provider::Provider;
use super::script::{Ask, Step};
use super::week::{Week, date};
use crate::exit::Failure;

/// How long a token of the script is good for, in seconds: each call gets its own.
const TOKEN_LIFE: u32 = 300;
/// Largest answer: the demo's servers answer with a few KiB.
const MAX_ANSWER: usize = 1024 * 1024;

/// What the players need around them.
pub(super) struct Scene<'a> {
    pub(super) gateway: &'a str,
    pub(super) provider: &'a Provider,
    pub(super) week: Week,
    /// Sets the time…
    pub(super) clock: &'a Shift,
    /// …and tells it.
    pub(super) time: Clock,
    /// Looks for what is unusual at the end of each day.
    pub(super) recorder: &'a Recorder,
}

impl Scene<'_> {
    /// Records what was found up to now.
    pub(super) async fn look(&self, beat: &mut Beat) -> anyhow::Result<()> {
        let looked = self.recorder.look(&|| self.time.now(), beat).await;
        looked.map_err(|error| Failure::new("demo", format!("findings cannot be recorded: {error}")).into())
    }
}

/// A step that was played.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) step: Step,
    /// Under which the trail has it.
    pub(super) request_id: String,
}

/// Plays all steps in the order of their times. Those of the same moment are played at once, all others after each
/// other: a call has ended before the clock moves on. What is unusual is looked for between the days.
pub(super) async fn play(
    scene: &Scene<'_>,
    mut steps: Vec<Step>,
    mut progress: impl FnMut(usize, usize, Timestamp),
) -> anyhow::Result<Vec<Played>> {
    let moment = |step: &Step| scene.week.at(step.day, step.second);
    steps.sort_by_key(moment);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let total = steps.len();
    let (mut played, mut beat, mut day) = (Vec::with_capacity(total), Beat::default(), None);
    for together in steps.chunk_by(|a, b| moment(a) == moment(b)) {
        let Some(now) = together.first().map(moment) else { continue };
        super::set_clock(scene.clock, now)?;
        if day.replace(date(now)) != Some(date(now)) {
            scene.look(&mut beat).await?;
        }
        progress(played.len(), total, now);
        let asked =
            (played.len()..).zip(together).map(|(number, step)| ask(scene, &client, step, number, now));
        played.extend(try_join_all(asked).await?);
    }
    scene.look(&mut beat).await?;
    Ok(played)
}

async fn ask(
    scene: &Scene<'_>,
    client: &Client<HttpConnector, Full<Bytes>>,
    step: &Step,
    number: usize,
    now: Timestamp,
) -> anyhow::Result<Played> {
    let token = scene.provider.mint(step.caller, step.session, &format!("step-{number}"), now, TOKEN_LIFE)?;
    let time = |day, second| scene.week.at(day, second).to_string();
    let body = step.ask.body(time).map(|body| body.to_string());
    let reads = matches!(step.ask, Ask::Tool { body: None, .. });
    let mut request = Request::builder()
        .method(if reads { Method::GET } else { Method::POST })
        .uri(format!("{}{}", scene.gateway, step.ask.path()))
        .header(header::AUTHORIZATION, Zeroizing::new(format!("Bearer {token}")).as_str())
        .header(header::USER_AGENT, "demo-agent/1.4");
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    if let Some(trace) = step.trace {
        request = request.header("traceparent", format!("00-{trace}-{:016x}-01", number + 1));
    }
    let request = request.body(Full::from(body.unwrap_or_default()))?;
    let answer = client.request(request).await.context("the demo's gateway does not answer")?;
    let (head, body) = answer.into_parts();
    // To its end: the record of a call is closed before its reply is.
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let body =
        body.map_err(|error| Failure::new("demo", format!("an answer broke off: {error}")))?.to_bytes();
    let expected = step.end.status(&step.ask);
    if head.status.as_u16() != expected {
        let said = String::from_utf8_lossy(&body);
        let message = format!(
            "{} was answered {} and not {expected}: {}",
            step.ask.path(),
            head.status.as_u16(),
            said.chars().take(300).collect::<String>()
        );
        return Err(Failure::new("demo", message).into());
    }
    let request_id = head.headers.get("greffier-request-id").and_then(|id| id.to_str().ok());
    let request_id = request_id.context("an answer of the gateway names no request")?.to_owned();
    Ok(Played { step: step.clone(), request_id })
}
