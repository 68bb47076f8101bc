//! What happens in the demo's week, call by call, and how each call is meant to end.
//!
//! `hospital` and `sales` hold the two organisations' routine and the days on which it breaks, `discharge` the one
//! request that takes twelve calls, `elsewhere` what an agent beyond the gateway reports of itself. The script only
//! says what to ask: what came of it is read from the trail, and the expectations are held against that.

pub(super) mod discharge;
mod elsewhere;
mod hospital;
mod sales;

use serde_json::{Value, json};

use super::people::Caller;
use super::week::Weekday;

/// One request, when it is made, and how it should end.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) day: Weekday,
    /// Seconds since midnight, UTC.
    pub(super) second: i64,
    pub(super) caller: Caller,
    pub(super) session: Option<&'static str>,
    /// A W3C trace id, for calls that belong together.
    pub(super) trace: Option<&'static str>,
    pub(super) ask: Ask,
    pub(super) end: End,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// A question to a model.
    Chat { model: &'static str, text: String, stream: bool },
    /// A call to a tool: the path behind `/tools/`, with its query.
    Tool { path: String, body: Option<Value> },
    /// Events of an agent elsewhere. Their times are days and seconds of the week, put in when they are sent.
    Report(Vec<elsewhere::Reported>),
}

/// How a request should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Allowed by this rule, and done.
    Done(&'static str),
    /// The same, but the model does not see all of it.
    Redacted(&'static str),
    /// Denied by this rule.
    Denied(&'static str),
    /// Allowed by this rule, but the upstream answers with an error.
    Failed(&'static str, u16),
    /// Taken over as a claim.
    Recorded,
}

impl End {
    /// The status that the caller gets.
    pub(super) fn status(self, ask: &Ask) -> u16 {
        match self {
            // The record of a note is created, everything else is answered.
            End::Done(_) | End::Redacted(_) if ask.creates() => 201,
            End::Done(_) | End::Redacted(_) | End::Recorded => 200,
            End::Denied(_) => 403,
            End::Failed(_, status) => status,
        }
    }
}

impl Ask {
    /// The request's path on the gateway.
    pub(super) fn path(&self) -> String {
        match self {
            Ask::Chat { model, .. } if anthropic(model) => "/v1/messages".to_owned(),
            Ask::Chat { .. } => "/v1/chat/completions".to_owned(),
            Ask::Tool { path, .. } => format!("/tools/{path}"),
            Ask::Report(_) => "/api/v1/events".to_owned(),
        }
    }

    /// The request's body, if it has one.
    pub(super) fn body(&self, time: impl Fn(Weekday, i64) -> String) -> Option<Value> {
        match self {
            Ask::Chat { model, text, stream } => {
                let mut body = json!({
                    "model": model,
                    "messages": [{"role": "user", "content": text}],
                    "stream": stream,
                });
                if anthropic(model)
                    && let Some(body) = body.as_object_mut()
                {
                    body.insert("max_tokens".to_owned(), json!(1024));
                }
                Some(body)
            }
            Ask::Tool { body, .. } => body.clone(),
            Ask::Report(events) => Some(events.iter().map(|event| event.flat(&time)).collect()),
        }
    }

    fn creates(&self) -> bool {
        matches!(self, Ask::Tool { path, body: Some(_) } if path == "ehr/notes")
    }
}

fn anthropic(model: &str) -> bool {
    model.starts_with("claude-")
}

impl Step {
    fn new(caller: Caller, ask: Ask, end: End) -> Step {
        Step { day: Weekday::Monday, second: 0, caller, session: None, trace: None, ask, end }
    }

    /// A question to a model.
    fn chat(caller: Caller, model: &'static str, text: &str, end: End) -> Step {
        Step::new(caller, Ask::Chat { model, text: text.to_owned(), stream: false }, end)
    }

    /// A read of a tool.
    fn read(caller: Caller, path: &str, end: End) -> Step {
        Step::new(caller, Ask::Tool { path: path.to_owned(), body: None }, end)
    }

    /// A call of a tool with arguments.
    fn call(caller: Caller, path: &str, body: Value, end: End) -> Step {
        Step::new(caller, Ask::Tool { path: path.to_owned(), body: Some(body) }, end)
    }

    fn streamed(mut self) -> Step {
        if let Ask::Chat { stream, .. } = &mut self.ask {
            *stream = true;
        }
        self
    }

    fn at(mut self, day: Weekday, hour: i64, minute: i64, second: i64) -> Step {
        (self.day, self.second) = (day, hour * 3_600 + minute * 60 + second);
        self
    }

    fn within(mut self, session: &'static str) -> Step {
        self.session = Some(session);
        self
    }
}

/// Gives steps that follow each other their times, some seconds apart.
fn in_turn(day: Weekday, hour: i64, minute: i64, session: &'static str, steps: Vec<Step>) -> Vec<Step> {
    let paced = steps.into_iter().zip((0..).step_by(19));
    paced.map(|(step, seconds)| step.within(session).at(day, hour, minute, seconds)).collect()
}

/// The whole week; whoever plays it sorts it by time.
pub(super) fn week() -> Vec<Step> {
    let mut steps = hospital::routine();
    steps.extend(hospital::incidents());
    steps.extend(sales::routine());
    steps.extend(sales::incidents());
    steps.extend(discharge::steps());
    steps.extend(elsewhere::steps());
    steps
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_week_has_everything_in_it() {
        let steps = week();
        let of = |end: fn(&End) -> bool| steps.iter().filter(|step| end(&step.end)).count();
        let (done, redacted) =
            (of(|end| matches!(end, End::Done(_))), of(|end| matches!(end, End::Redacted(_))));
        let (denied, failed) =
            (of(|end| matches!(end, End::Denied(_))), of(|end| matches!(end, End::Failed(..))));
        let streamed = steps.iter().filter(|step| matches!(step.ask, Ask::Chat { stream: true, .. })).count();
        let days: BTreeSet<Weekday> = steps.iter().map(|step| step.day).collect();
        let callers: BTreeSet<String> = steps.iter().map(|step| format!("{:?}", step.caller)).collect();
        insta::assert_snapshot!(format!(
            "{} requests of {} callers on {} days: {done} done, {redacted} redacted, {denied} denied, \
             {failed} failed, {streamed} streamed",
            steps.len(), callers.len(), days.len()
        ), @"157 requests of 9 callers on 7 days: 141 done, 2 redacted, 10 denied, 3 failed, 6 streamed");
    }
}
