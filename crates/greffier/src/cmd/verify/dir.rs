//! A data directory: every file, entry, tile and signature.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use greffier_ledger::verify::{Progress, Report, TrailReport, VerifyError, VerifyOptions, verify_dir};
use greffier_ledger::{Anchoring, Gone, Reader, STALE_AFTER};
use greffier_merkle::TrustPolicy;
use serde_json::{Value, json};

use super::{NOT_ANCHORED, read_trust};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};

pub(super) fn verify(dir: &Path, options: &VerifyOptions, output: Output) -> anyhow::Result<Exit> {
    let mut pace = Pace::default();
    let report = verify_dir(dir, options, |progress| {
        if let Some(line) = pace.line(&progress) {
            output.progress(&line);
        }
    });
    output.progress("");
    let report = report.map_err(|error| match error {
        VerifyError::Kept(_) => Failure::usage(error.to_string()).into(),
        VerifyError::NotALedger(_) => {
            Failure::new("not_found", error.to_string()).exit(Exit::NotFound).into()
        }
        error => anyhow::Error::from(error),
    })?;
    let told =
        Told { report: &report, signers: signers(dir), anchoring: anchoring(dir, options.trust.as_ref()) };
    match output.format {
        Format::Table => told.lines().iter().try_for_each(|line| output.line(line))?,
        Format::Json => output.object(&[], &told.document())?,
        Format::Jsonl => output.rows(&[], &[told.document()])?,
        Format::Csv => output.rows(&["kind", "place", "what"], &told.rows())?,
    }
    Ok(if report.is_ok() { Exit::Ok } else { Exit::Tampering })
}

/// How fast it goes, and how long it will take.
#[derive(Default)]
struct Pace {
    began: Option<Instant>,
    shown: Option<Instant>,
}

impl Pace {
    /// The line to show, if it is time for another.
    fn line(&mut self, progress: &Progress) -> Option<String> {
        /// Ten times a second is all that an eye sees.
        const OFTEN: Duration = Duration::from_millis(100);
        let now = Instant::now();
        let began = *self.began.get_or_insert(now);
        if self.shown.is_some_and(|shown| now - shown < OFTEN) {
            return None;
        }
        self.shown = Some(now);
        let Progress { files, of, entries, of_entries } = *progress;
        let mut line = format!("{files} of {of} files, {entries} of {of_entries} entries");
        let rate = entries as f64 / (now - began).as_secs_f64();
        if rate.is_finite() && rate >= 1.0 {
            let left = (of_entries - entries) as f64 / rate;
            line.push_str(&format!(", {rate:.0}/s, {left:.0} s left"));
        }
        Some(line)
    }
}

/// The keys that sign here, by the directory's own word, for whoever wants to write them down elsewhere.
fn signers(dir: &Path) -> Vec<String> {
    let own = read_trust(&dir.join("trust")).ok();
    own.iter().flat_map(TrustPolicy::logs).map(|log| log.verifier.to_string()).collect()
}

/// Whether witnesses vouched for the directory of late; what cannot be read says nothing for it.
fn anchoring(dir: &Path, trust: Option<&TrustPolicy>) -> Anchoring {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let told = Reader::open(dir).and_then(|reader| reader.anchoring(trust, now, STALE_AFTER));
    told.unwrap_or_else(|error| Anchoring::Unanchored { reason: error.to_string() })
}

/// The answer for parts that are not there and need not be.
fn answer(why: Gone) -> String {
    match why {
        Gone::Erased { by } => format!("ERASED by entry {by}"),
        Gone::Expired { by } => format!("EXPIRED by entry {by}"),
    }
}

struct Told<'a> {
    report: &'a Report,
    signers: Vec<String>,
    anchoring: Anchoring,
}

impl Told<'_> {
    /// Verified is only what something from outside speaks for.
    fn verdict(&self) -> String {
        let report = self.report;
        let alone = report.trails.iter().filter(|trail| trail.anchored.is_empty());
        let alone: Vec<&str> = alone.map(|trail| trail.name.as_str()).collect();
        if !report.is_ok() {
            "TAMPERING FOUND".to_owned()
        } else if report.anchored {
            "VERIFIED".to_owned()
        } else if alone.len() == report.trails.len() {
            NOT_ANCHORED.to_owned()
        } else {
            format!("{NOT_ANCHORED}: {}; the others are VERIFIED", alone.join(", "))
        }
    }

    fn lines(&self) -> Vec<String> {
        let report = self.report;
        let mut lines = Vec::new();
        for trail in &report.trails {
            let covered = match (trail.covered, trail.witnessed) {
                (Some(covered), Some(witnessed)) => {
                    format!("checkpoint covers {covered}, witnessed up to {witnessed}")
                }
                (Some(covered), None) => format!("checkpoint covers {covered}"),
                (None, _) => "no checkpoint yet".to_owned(),
            };
            let root = STANDARD.encode(trail.root);
            lines.push(format!("trail {}: {} entries, {covered}, root {root}", trail.name, trail.entries));
            if let (first @ 1.., by) = trail.expired {
                lines.push(format!(
                    "trail {}: entries 0 to {} EXPIRED by entry {by}: their leaves are there, and VALID",
                    trail.name,
                    first - 1
                ));
            }
            if !trail.anchored.is_empty() {
                lines.push(format!("trail {}: anchored by {}", trail.name, trail.anchored.join(", ")));
            }
        }
        lines.extend(self.signers.iter().map(|key| format!("key {key}")));
        lines.push(if report.clean {
            "stopped cleanly: every file is covered".to_owned()
        } else {
            "not stopped cleanly: covered up to the last checkpoints".to_owned()
        });
        if report.parts_opened + report.parts_unopened > 0 {
            let (opened, unopened) = (report.parts_opened, report.parts_unopened);
            lines.push(format!("parts: {opened} opened and bound to their entries, {unopened} left closed"));
        }
        lines.extend(
            report
                .absent
                .iter()
                .map(|((trail, why), parts)| format!("trail {trail}: {parts} parts {}", answer(*why))),
        );
        if report.timestamps > 0 {
            let count = report.timestamps;
            lines.push(format!(
                "time stamps: {count} bound to their checkpoints; who signed them is for `openssl ts -verify`"
            ));
        }
        lines.extend(report.torn_tails.iter().map(|tail| format!("torn tail: {tail}")));
        lines.extend(
            report.problems.iter().map(|problem| format!("problem {}: {}", problem.place, problem.what)),
        );
        if report.more_problems > 0 {
            lines.push(format!("and {} problems more", report.more_problems));
        }
        lines.push(self.anchoring.to_string());
        lines.push(self.verdict());
        lines
    }

    fn document(&self) -> Value {
        let report = self.report;
        let trail = |trail: &TrailReport| {
            let mut told = json!({
                "name": trail.name,
                "entries": trail.entries,
                "root": STANDARD.encode(trail.root),
                "anchored_by": trail.anchored,
            });
            if let Some(fields) = told.as_object_mut() {
                let sizes = [("covered", trail.covered), ("witnessed", trail.witnessed)];
                let known =
                    sizes.into_iter().filter_map(|(name, size)| Some((name.to_owned(), json!(size?))));
                fields.extend(known);
                if let (first @ 1.., by) = trail.expired {
                    let expired =
                        json!({"before": first, "by": by, "answer": format!("EXPIRED by entry {by}")});
                    fields.insert("expired".to_owned(), expired);
                }
            }
            told
        };
        let problem = |problem: &greffier_ledger::verify::Problem| json!({"place": problem.place, "what": problem.what});
        let absent = |((trail, why), parts): (&(String, Gone), &u64)| {
            let (Gone::Erased { by } | Gone::Expired { by }) = *why;
            json!({"trail": trail, "parts": parts, "by": by, "answer": answer(*why)})
        };
        json!({
            "verdict": self.verdict(),
            "anchored": report.anchored,
            "anchoring": self.anchoring,
            "clean": report.clean,
            "trails": report.trails.iter().map(trail).collect::<Vec<_>>(),
            "keys": self.signers,
            "parts_opened": report.parts_opened,
            "parts_unopened": report.parts_unopened,
            "absent": report.absent.iter().map(absent).collect::<Vec<_>>(),
            "timestamps": report.timestamps,
            "torn_tails": report.torn_tails,
            "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
            "more_problems": report.more_problems,
        })
    }

    fn rows(&self) -> Vec<Value> {
        let row = |kind: &str, place: &str, what: String| json!({"kind": kind, "place": place, "what": what});
        let report = self.report;
        let trails = report.trails.iter().map(|trail| row("trail", &trail.name, trail.entries.to_string()));
        let absent = report.absent.iter();
        let absent = absent
            .map(|((trail, why), parts)| row("absent", trail, format!("{parts} parts {}", answer(*why))));
        let tails = report.torn_tails.iter().map(|tail| row("torn_tail", "", tail.clone()));
        let problems =
            report.problems.iter().map(|problem| row("problem", &problem.place, problem.what.clone()));
        let expired = report.trails.iter().filter(|trail| trail.expired.0 > 0).map(|trail| {
            let (first, by) = trail.expired;
            row("expired", &trail.name, format!("entries 0 to {} EXPIRED by entry {by}", first - 1))
        });
        let last = [row("anchoring", "", self.anchoring.to_string()), row("verdict", "", self.verdict())];
        trails.chain(expired).chain(absent).chain(tails).chain(problems).chain(last).collect()
    }
}
