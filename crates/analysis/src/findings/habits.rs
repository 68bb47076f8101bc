//! What one agent or one user usually does, and what is far from it.

use greffier_event::{EventId, Timestamp};

use super::detector::Out;
use super::hours::{Figures, Hours, Measure, Usual};
use super::known::{Came, Known};
use super::stretch::Look;
use super::{FindingKind, MAX_EVIDENCE, Said, Threshold, Thresholds};

const HOUR_US: i64 = 3_600_000_000;
/// Actions in an hour in which there never were any: fewer are somebody who stayed late.
const ODD_ACTIONS: u64 = 5;
/// Actions, and days with one, before a first use is one: until then everything is new.
const SETTLED_ACTIONS: u64 = 200;
const SETTLED_DAYS: usize = 7;
/// Reads of classified data in one hour that are many whoever reads: where nothing is known of the reader yet.
const STRANGERS_READS: u64 = 500;

/// Below so many an hour is never unusual, whatever the others were like: what a person does in a busy hour, and what
/// a mistake may cost.
fn floor(measure: Measure) -> u64 {
    match measure {
        Measure::Actions | Measure::Reads => 100,
        Measure::Tokens => 500_000,
        Measure::Cost => 5_000_000,
        Measure::Denials => 10,
    }
}

fn kind(measure: Measure) -> FindingKind {
    match measure {
        Measure::Actions => FindingKind::UnusualRate,
        Measure::Tokens => FindingKind::UnusualVolume,
        Measure::Cost => FindingKind::UnusualCost,
        Measure::Denials => FindingKind::UnusualDenials,
        Measure::Reads => FindingKind::BulkReads,
    }
}

fn sentence(measure: Measure, figure: u64, usual: Usual) -> String {
    let (limit, median) = (usual.limit, usual.median);
    match measure {
        Measure::Actions => {
            format!("took {figure} actions within an hour; {median} are usual, more than {limit} are not.")
        }
        Measure::Tokens => {
            format!("used {figure} tokens within an hour; {median} are usual, more than {limit} are not.")
        }
        Measure::Cost => {
            let dollars = |micros: u64| format!("${}.{:02}", micros / 1_000_000, micros / 10_000 % 100);
            let (figure, median, limit) = (dollars(figure), dollars(median), dollars(limit));
            format!("cost {figure} within an hour; {median} is usual, more than {limit} is not.")
        }
        Measure::Denials => {
            format!(
                "was denied {figure} times within an hour; {median} are usual, more than {limit} are not."
            )
        }
        Measure::Reads => format!(
            "read classified data {figure} times within an hour; {median} are usual, more than {limit} are not."
        ),
    }
}

/// The habits of one agent or user.
#[derive(Debug, Default)]
pub(crate) struct Habits {
    hours: Hours,
    now: Option<Now>,
    tools: Known,
    places: Known,
    actions: u64,
    odd: Option<Odd>,
}

/// The hour that is counted.
#[derive(Debug, Default)]
struct Now {
    hour: i64,
    counted: [Counted; Measure::ALL.len()],
    is_odd: Option<bool>,
    settled: Option<bool>,
}

/// One measure of it.
#[derive(Debug, Default)]
struct Counted {
    since: Option<Timestamp>,
    evidence: Vec<EventId>,
    /// Asked once, when the floor is passed.
    usual: Option<Option<Usual>>,
    finding: Option<u64>,
}

/// The day that has odd hours, its finding and the actions in them before this hour.
#[derive(Debug)]
struct Odd {
    day: i64,
    hour: i64,
    before: u64,
    within: u64,
    finding: u64,
}

impl Habits {
    /// Takes in an event; what came of its tool is said for others to use.
    pub(crate) fn add(
        &mut self,
        look: &Look<'_>,
        thresholds: &Thresholds,
        out: &mut Out<'_>,
    ) -> Option<Came> {
        let (news, one) = (look.news, u64::from);
        let more: Figures = [one(news.acted), look.tokens, look.cost, one(news.denied), one(news.read)];
        if more == Figures::default() {
            return None;
        }
        let hour = look.time.as_micros().div_euclid(HOUR_US);
        let figures = self.hours.add(hour, &more);
        match &mut self.now {
            Some(now) if now.hour >= hour => {}
            Some(now) => now.begin(hour),
            None => self.now = Some(Now { hour, ..Now::default() }),
        }
        // What comes late for an earlier hour is remembered, and judged no more.
        if let (Some(figures), Some(now)) = (figures, self.now.as_mut().filter(|now| now.hour == hour)) {
            now.judge(look, &figures, &more, &self.hours, thresholds, out);
            if news.acted {
                self.odd_hour(look, figures.first().copied().unwrap_or(0), out);
            }
        }
        if !news.acted {
            return None;
        }
        self.actions += 1;
        self.first_uses(look, hour, out)
    }

    /// An hour in which nothing was ever done; one finding a day.
    fn odd_hour(&mut self, look: &Look<'_>, actions: u64, out: &mut Out<'_>) {
        let Some(now) = &mut self.now else { return };
        if actions < ODD_ACTIONS || !*now.is_odd.get_or_insert_with(|| self.hours.is_odd(now.hour)) {
            return;
        }
        let day = now.hour.div_euclid(24);
        if let Some(odd) = self.odd.as_mut().filter(|odd| odd.day == day) {
            if odd.hour != now.hour {
                (odd.hour, odd.before) = (now.hour, odd.before + odd.within);
            }
            odd.within = actions;
            let count = odd.before + odd.within;
            out.update(odd.finding, |finding| {
                (finding.until, finding.count) = (finding.until.max(look.time), count);
                odd_sentence(count)
            });
            return;
        }
        let counted = now.counted.first();
        let since = counted.and_then(|counted| counted.since).unwrap_or(look.time);
        let finding = out.raise(Said {
            kind: FindingKind::UnusualHours,
            span: (since, look.time),
            count: actions,
            total: None,
            what: None,
            says: odd_sentence(actions),
            threshold: None,
            evidence: counted.map(|counted| counted.evidence.clone()).unwrap_or_default(),
        });
        self.odd = Some(Odd { day, hour: now.hour, before: 0, within: actions, finding });
    }

    /// A tool or a place that was never used before.
    fn first_uses(&mut self, look: &Look<'_>, hour: i64, out: &mut Out<'_>) -> Option<Came> {
        let tool = look.action.map(|named| self.tools.add(named.key, look.time));
        let place = look.place.map(|named| self.places.add(named.key, look.time));
        let strange = |came: Option<Came>| came.is_some_and(|came| came.strange);
        if (strange(tool) || strange(place)) && self.is_settled(hour) {
            for (named, came) in [(look.action, tool), (look.place, place)] {
                let Some(name) = named.filter(|_| strange(came)).map(|named| &*named.text) else { continue };
                out.raise(Said {
                    kind: FindingKind::FirstUse,
                    span: (look.time, look.time),
                    count: 1,
                    total: None,
                    what: Some(name.to_owned()),
                    says: format!("used {name} for the first time."),
                    threshold: None,
                    evidence: vec![look.id],
                });
            }
        }
        tool
    }

    fn is_settled(&mut self, hour: i64) -> bool {
        let days = || self.hours.active_days(hour) >= SETTLED_DAYS;
        self.actions >= SETTLED_ACTIONS
            && match &mut self.now {
                Some(now) => *now.settled.get_or_insert_with(days),
                None => days(),
            }
    }
}

impl Now {
    /// Another hour; what held the evidence of the last one is used again.
    fn begin(&mut self, hour: i64) {
        (self.hour, self.is_odd, self.settled) = (hour, None, None);
        for counted in &mut self.counted {
            (counted.since, counted.usual, counted.finding) = (None, None, None);
            counted.evidence.clear();
        }
    }

    fn judge(
        &mut self,
        look: &Look<'_>,
        figures: &Figures,
        more: &Figures,
        hours: &Hours,
        thresholds: &Thresholds,
        out: &mut Out<'_>,
    ) {
        let counted = self.counted.iter_mut().zip(Measure::ALL).zip(figures.iter().zip(more));
        for ((counted, measure), (figure, more)) in counted {
            if *more == 0 {
                continue;
            }
            counted.since = Some(counted.since.map_or(look.time, |since| since.min(look.time)));
            if counted.evidence.len() < MAX_EVIDENCE {
                counted.evidence.push(look.id);
            }
            if *figure < floor(measure) {
                continue;
            }
            let ask = || hours.usual(self.hour, measure, thresholds.deviations);
            let known = *counted.usual.get_or_insert_with(ask);
            let stranger = Usual { median: 0, limit: STRANGERS_READS };
            let Some(usual) = known.or((measure == Measure::Reads).then_some(stranger)) else { continue };
            if *figure <= usual.limit {
                continue;
            }
            let says = sentence(measure, *figure, usual);
            match counted.finding {
                Some(finding) => out.update(finding, |finding| {
                    (finding.until, finding.count) = (finding.until.max(look.time), *figure);
                    says
                }),
                None => {
                    let median = known.map(|usual| usual.median);
                    counted.finding = Some(out.raise(Said {
                        kind: kind(measure),
                        span: (counted.since.unwrap_or(look.time), look.time),
                        count: *figure,
                        total: None,
                        what: None,
                        says,
                        threshold: Some(Threshold::Hour { above: usual.limit.max(floor(measure)), median }),
                        evidence: counted.evidence.clone(),
                    }));
                }
            }
        }
    }
}

fn odd_sentence(actions: u64) -> String {
    format!("took {actions} actions at hours in which there were none in four weeks.")
}
