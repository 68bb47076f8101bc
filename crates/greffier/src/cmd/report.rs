//! `report`: what the trail shows of a period, as data and as pages for people; and people's word about it.

mod pdf;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use greffier_analysis::{Assessment, Chart, Claim, Mark, Summary, Verdict, html, named, summary_html};
use serde_json::{Value, json};

use crate::cli::{self, Attest};
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::http::Client;
use crate::output::{Column, Format, Output};
use crate::source::{Source, wait};
use crate::wire;

/// Largest report whose digest is signed off.
const MAX_REPORT: u64 = 64 * 1024 * 1024;
/// The first document's report, which is no standard.
const SUMMARY: &str = "summary";

const COLUMNS: [Column<'_>; 4] =
    [Column::whole("clause"), Column::whole("verdict"), Column::new("asks"), Column::new("controls")];

pub(super) fn run(args: &cli::Report, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    if let Some(what) = &args.attest {
        return attest(what, output);
    }
    let term = args.term.as_ref().ok_or_else(|| Failure::usage("--from and --to say which period"))?;
    let standard = args.standard.as_deref().unwrap_or_default();
    let keys = keys(args, named)?;
    let source = Source::open(&args.place, keys.as_deref(), named)?;
    if standard == SUMMARY {
        if args.person.is_somebody() {
            return Err(Failure::usage("only the report gdpr is made about one person").into());
        }
        return summarised(args, &wait(source.summary(term))?, output);
    }
    output.progress("asking the trail");
    let report = wait(source.report(standard, term, &args.person));
    output.progress_done();
    let report = report?;
    if let Some(path) = &args.html {
        write(path, html(&report).as_bytes())?;
    }
    if let Some(path) = &args.pdf {
        write(path, &pdf::pdf(&report))?;
    }
    show(&report, output)?;
    let has_gap = report.counts.gap > 0;
    Ok(if args.fail_on_gap && has_gap { Exit::Findings } else { Exit::Ok })
}

/// The first document's report, which judges nothing.
fn summarised(args: &cli::Report, summary: &Summary, output: Output) -> anyhow::Result<Exit> {
    if let Some(path) = &args.html {
        write(path, summary_html(summary).as_bytes())?;
    }
    if let Some(path) = &args.pdf {
        write(path, &pdf::summary(summary))?;
    }
    if output.format == Format::Csv {
        output.rows(&["figure", "of", "count"], &summary.figures())?;
        return Ok(Exit::Ok);
    }
    let mut document = serde_json::to_value(summary)?;
    if let (Format::Table, Some(fields)) = (output.format, document.as_object_mut()) {
        fields.remove("charts");
    }
    super::activity::show(&document, output)
}

/// The keys that tell how a data directory names a person: those that are given; the configured ones beside the configured
/// data. Another installation's would find nobody.
fn keys(args: &cli::Report, named: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    match &args.person.keys {
        Some(keys) => Ok(Some(keys.clone())),
        None if args.person.is_somebody() && args.place.server.is_none() && args.place.data.is_none() => {
            Ok(Some(Config::load(named)?.keys))
        }
        None => Ok(None),
    }
}

/// What was asked and answered may be in it: it is for nobody else.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot write `{}`", path.display()))?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

fn show(report: &Assessment, output: Output) -> anyhow::Result<()> {
    match output.format {
        Format::Json => output.object(&[], report),
        Format::Jsonl => output.rows(&[], &report.claims),
        Format::Csv => output.rows(
            &[
                "clause",
                "verdict",
                "asks",
                "control",
                "found",
                "says",
                "population",
                "exceptions",
                "fails_if",
                "query",
                "chart",
                "mark",
                "series",
                "value",
            ],
            &flat(report),
        ),
        Format::Table => table(report, output),
    }
}

/// One row for each clause and control, then one for each figure of the charts: those of a control by its name.
fn flat(report: &Assessment) -> Vec<Value> {
    let mut rows = Vec::new();
    for clause in &report.clauses {
        let bare = json!({ "clause": clause.clause, "verdict": clause.verdict, "asks": clause.asks, "says": clause.beyond });
        if clause.controls.is_empty() {
            rows.push(bare.clone());
        }
        for claim in clause.controls.iter().filter_map(|name| report.claim(name)) {
            let mut row = bare.clone();
            let more = json!({
                "control": claim.control, "found": claim.verdict, "says": claim.says, "population": claim.population,
                "exceptions": claim.figures.get("exceptions"), "fails_if": claim.fails_if,
                "query": claim.queries.first().map(|query| &query.sql),
            });
            if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
                row.extend(more);
            }
            rows.push(row);
        }
    }
    let of_period = report.charts.iter().map(|chart| ("", chart));
    let of_claims =
        report.claims.iter().filter_map(|claim| Some((claim.control.as_str(), claim.chart.as_ref()?)));
    rows.extend(of_period.chain(of_claims).flat_map(|(control, chart)| figures(control, chart)));
    rows
}

fn figures<'a>(control: &'a str, chart: &'a Chart) -> impl Iterator<Item = Value> + 'a {
    let control = (!control.is_empty()).then_some(control);
    let of_mark = move |mark: &'a Mark| {
        chart.series.iter().zip(&mark.values).map(move |(series, value)| {
            json!({
                "control": control, "query": chart.query.sql, "chart": chart.title, "mark": mark.label,
                "series": series, "value": value,
            })
        })
    };
    chart.marks.iter().flat_map(of_mark)
}

fn table(report: &Assessment, output: Output) -> anyhow::Result<()> {
    let totals = &report.totals;
    output.line(&report.title)?;
    output.line(&format!(
        "{} from {} to before {} ({})",
        report.trail.name,
        report.from,
        report.to,
        named(&report.zone)
    ))?;
    output.line(&format!(
        "{} events ({} governed, {} claims), {} recorded late; as of the checkpoint of {} entries, root {}",
        totals.events,
        totals.governed,
        totals.claims,
        totals.late,
        report.trail.head.size,
        report.trail.head.root
    ))?;
    if let Some(person) = &report.person {
        output.line(&format!("Asked about one person: {}", person.name()))?;
    }
    if !report.ended {
        output.line("The period has not ended: nothing is said of the rest of it.")?;
    }
    if report.anchoring != "witnessed" {
        output.line(&report.anchoring)?;
    }
    output.line("")?;
    let rows: Vec<Value> = report
        .clauses
        .iter()
        .map(|clause| {
            json!({
                "clause": clause.clause, "verdict": clause.verdict, "asks": clause.asks,
                "controls": clause.controls.join(", "),
            })
        })
        .collect();
    output.fitted(&COLUMNS, &rows)?;
    let gaps: Vec<&Claim> = report.claims.iter().filter(|claim| claim.verdict == Verdict::Gap).collect();
    if !gaps.is_empty() {
        output.line("")?;
        for claim in gaps {
            output.line(&format!("GAP {}: {}", claim.control, claim.says))?;
        }
    }
    let counts = &report.counts;
    output.note(&format!(
        "{} EVIDENCED, {} GAP, {} NOT ASSESSED; -o json has the figures, statements and samples, --html and --pdf a page",
        counts.evidenced, counts.gap, counts.not_assessed
    ));
    Ok(())
}

/// A person's word, on a running server.
fn attest(what: &Attest, output: Output) -> anyhow::Result<Exit> {
    let (at, body) = match what {
        Attest::SignOff { standard, term, report, note, at } => {
            let digest = report.as_deref().map(digest).transpose()?;
            let body = json!({
                "kind": "sign_off", "standard": standard, "from": term.from, "to": term.to, "tz": term.tz,
                "digest": digest, "note": note,
            });
            (at, body)
        }
        Attest::AccessReview { note, at } => (at, json!({ "kind": "access_review", "note": note })),
        Attest::BreakGlass { note, at } => (at, json!({ "kind": "break_glass", "note": note })),
        Attest::ReviewBreakGlass { event, note, at } => {
            (at, json!({ "kind": "break_glass_review", "event": event.to_string(), "note": note }))
        }
        Attest::ApprovePolicy { digest, note, at } => {
            (at, json!({ "kind": "policies", "digest": digest, "note": note }))
        }
    };
    let client = Client::new(&at.server, at.token_file.as_deref())?;
    let body = serde_json::to_vec(&body)?;
    let answer = wait(async { client.post("/api/v1/attestations", &[], "application/json", body).await })?;
    match output.format {
        Format::Table => output.line(answer.get("id").and_then(Value::as_str).unwrap_or_default())?,
        Format::Json => output.object(&[], &answer)?,
        _ => output.rows(&["id", "kind"], std::slice::from_ref(&answer))?,
    }
    Ok(Exit::Ok)
}

/// The SHA-256 of a file, as records write it.
fn digest(path: &Path) -> anyhow::Result<String> {
    let bytes = wire::read(path, MAX_REPORT)?;
    Ok(format!("sha256:{}", hex::encode(greffier_merkle::hash::sha256(&bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Assessment {
        let claim = |control: &str, verdict: &str| {
            json!({
                "control": control, "verdict": verdict, "says": "what was found", "fails_if": "it is not so",
                "figures": {"exceptions": 1, "population": 4}, "population": 4,
                "queries": [{"trail": "acme", "sql": "SELECT 1"}],
                "samples": [{"trail": "acme", "index": 7, "id": "0199", "time": "t", "fields": {"rule": "<b>bell\u{7}"}}],
            })
        };
        let state = json!({"name": "acme", "head": {"origin": "o/acme", "size": 9, "root": "cm9vdA=="}});
        serde_json::from_value(json!({
            "standard": "soc2", "title": "SOC 2", "from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z", "zone": "UTC",
            "ended": true, "made": "2026-04-02T00:00:00Z", "trail": state, "anchoring": "UNANCHORED: nobody",
            "counts": {"evidenced": 0, "gap": 1, "not_assessed": 1},
            "totals": {"events": 4, "governed": 3, "claims": 1, "late": 0, "first_index": 1, "last_index": 8, "sql": "SELECT 2"},
            "charts": [{
                "name": "events", "title": "Events per day (UTC)", "form": "time", "unit": "count", "series": ["governed", "claims"],
                "marks": [{"label": "2026-03-01", "values": [3, 1]}, {"label": "2026-03-02", "values": [1, 0]}],
                "query": {"trail": "acme", "sql": "SELECT 3"},
            }],
            "clauses": [
                {"clause": "CC6.1", "asks": "Access is restricted.", "verdict": "GAP", "controls": ["ruled", "denied"]},
                {"clause": "A1.2", "asks": "Backups.", "verdict": "NOT ASSESSED", "controls": [], "beyond": "other means"},
            ],
            "claims": [claim("ruled", "GAP"), claim("denied", "EVIDENCED")],
        }))
        .unwrap()
    }

    #[test]
    fn a_row_for_each_clause_and_control() {
        let rows: Vec<String> = flat(&report()).iter().map(Value::to_string).collect();
        insta::assert_snapshot!(rows.join("\n"), @r#"
        {"clause":"CC6.1","verdict":"GAP","asks":"Access is restricted.","says":"what was found","control":"ruled","found":"GAP","population":4,"exceptions":1,"fails_if":"it is not so","query":"SELECT 1"}
        {"clause":"CC6.1","verdict":"GAP","asks":"Access is restricted.","says":"what was found","control":"denied","found":"EVIDENCED","population":4,"exceptions":1,"fails_if":"it is not so","query":"SELECT 1"}
        {"clause":"A1.2","verdict":"NOT ASSESSED","asks":"Backups.","says":"other means"}
        {"control":null,"query":"SELECT 3","chart":"Events per day (UTC)","mark":"2026-03-01","series":"governed","value":3}
        {"control":null,"query":"SELECT 3","chart":"Events per day (UTC)","mark":"2026-03-01","series":"claims","value":1}
        {"control":null,"query":"SELECT 3","chart":"Events per day (UTC)","mark":"2026-03-02","series":"governed","value":1}
        {"control":null,"query":"SELECT 3","chart":"Events per day (UTC)","mark":"2026-03-02","series":"claims","value":0}
        "#);
    }

    #[test]
    fn a_document_for_printers() {
        let bytes = pdf::pdf(&report());
        assert!(String::from_utf8_lossy(&bytes).contains(
            "(2026-03-01T00:00:00.000000Z to 2026-04-01T00:00:00.000000Z, 9 entries, root cm9vdA==)"
        ));
        assert!(bytes.starts_with(b"%PDF-1.7") && bytes.trim_ascii_end().ends_with(b"%%EOF"));
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("(CC6.1)") && text.contains("(GAP)") && !text.contains('\u{7}'));
    }
}
