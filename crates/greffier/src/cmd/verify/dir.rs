//! A data directory: every file, entry, tile and signature.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use greffier_ledger::verify::{Report, VerifyError, VerifyOptions, verify_dir};
use greffier_merkle::TrustPolicy;
use serde_json::{Value, json};

use super::{NOT_ANCHORED, read_trust};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};

pub(super) fn verify(
    dir: &Path,
    trust: Option<TrustPolicy>,
    keys_dir: Option<PathBuf>,
    output: Output,
) -> anyhow::Result<Exit> {
    let report = verify_dir(dir, &VerifyOptions { trust, keys_dir }, |progress| {
        let line = format!("{} of {} files, {} entries", progress.files, progress.of, progress.entries);
        output.progress(&line);
    });
    output.progress("");
    let report = report.map_err(|error| match error {
        VerifyError::NotALedger(_) => {
            Failure::new("not_found", error.to_string()).exit(Exit::NotFound).into()
        }
        error => anyhow::Error::from(error),
    })?;
    let told = Told { report: &report, signers: signers(dir) };
    match output.format {
        Format::Table => told.lines().iter().try_for_each(|line| output.line(line))?,
        Format::Json => output.object(&[], &told.document())?,
        Format::Jsonl => output.rows(&[], &[told.document()])?,
        Format::Csv => output.rows(&["kind", "place", "what"], &told.rows())?,
    }
    Ok(if report.is_ok() { Exit::Ok } else { Exit::Tampering })
}

/// The keys that sign here, by the directory's own word, for whoever wants to write them down elsewhere.
fn signers(dir: &Path) -> Vec<String> {
    let own = read_trust(&dir.join("trust")).ok();
    own.iter().flat_map(TrustPolicy::logs).map(|log| log.verifier.to_string()).collect()
}

struct Told<'a> {
    report: &'a Report,
    signers: Vec<String>,
}

impl Told<'_> {
    fn verdict(&self) -> &'static str {
        match (self.report.is_ok(), self.report.anchored) {
            (false, _) => "TAMPERING FOUND",
            (true, true) => "VERIFIED",
            (true, false) => NOT_ANCHORED,
        }
    }

    fn lines(&self) -> Vec<String> {
        let report = self.report;
        let mut lines = Vec::new();
        for trail in &report.trails {
            let covered = match trail.covered {
                Some(covered) => format!("checkpoint covers {covered}"),
                None => "no checkpoint yet".to_owned(),
            };
            let root = STANDARD.encode(trail.root);
            lines.push(format!("trail {}: {} entries, {covered}, root {root}", trail.name, trail.entries));
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
        lines.push(self.verdict().to_owned());
        lines
    }

    fn document(&self) -> Value {
        let report = self.report;
        let trail = |trail: &greffier_ledger::verify::TrailReport| {
            let mut told =
                json!({"name": trail.name, "entries": trail.entries, "root": STANDARD.encode(trail.root)});
            if let (Some(covered), Some(fields)) = (trail.covered, told.as_object_mut()) {
                fields.insert("covered".to_owned(), json!(covered));
            }
            told
        };
        let problem = |problem: &greffier_ledger::verify::Problem| json!({"place": problem.place, "what": problem.what});
        json!({
            "verdict": self.verdict(),
            "anchored": report.anchored,
            "clean": report.clean,
            "trails": report.trails.iter().map(trail).collect::<Vec<_>>(),
            "keys": self.signers,
            "parts_opened": report.parts_opened,
            "parts_unopened": report.parts_unopened,
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
        let tails = report.torn_tails.iter().map(|tail| row("torn_tail", "", tail.clone()));
        let problems =
            report.problems.iter().map(|problem| row("problem", &problem.place, problem.what.clone()));
        let verdict = row("verdict", "", self.verdict().to_owned());
        trails.chain(tails).chain(problems).chain([verdict]).collect()
    }
}
