//! A report as PDF: text, rules and charts, set by hand in the fonts that every reader has.
//!
//! No font is embedded, so that the file stays small; what Windows-1252 has no character for is shown by its number.

mod metrics;
mod sheet;

use greffier_analysis::{Assessment, Chart, Claim, Figure, Query, Sample, Summary, Verdict, named};
use serde_json::Value;

use sheet::{Face, Ink, Sheet};

/// Rows of a table in print: the page on the screen and the data have them all.
const MAX_ROWS: usize = 25;
/// Longest text of a cell.
const MAX_CELL: usize = 200;

/// Height of the letters in charts.
const LETTERS: f32 = 7.5;

/// The document.
pub(super) fn pdf(report: &Assessment) -> Vec<u8> {
    let head = &report.trail.head;
    let of = format!("{} to {}, {} entries, root {}", report.from, report.to, head.size, head.root);
    let mut sheet = Sheet::new(&format!("{} - {}", report.title, report.trail.name), &of);
    sheet.text(Face::Bold, 16.0, Ink::Black, &report.title);
    let period = format!(
        "What the trail of {} shows of {} up to before {} ({}).",
        report.trail.name,
        report.from,
        report.to,
        named(&report.zone)
    );
    sheet.text(Face::Plain, 10.0, Ink::Grey, &period);
    if !report.ended {
        sheet.text(
            Face::Bold,
            10.0,
            Ink::Black,
            "The period has not ended: nothing is said of the rest of it.",
        );
    }
    if let Some(person) = &report.person {
        let about = format!("Asked about one person: {}. Contents are not in here.", person.name());
        sheet.text(Face::Bold, 10.0, Ink::Black, &about);
    }
    sheet.space(6.0);
    let counts = &report.counts;
    for (count, verdict) in [
        (counts.evidenced, Verdict::Evidenced),
        (counts.gap, Verdict::Gap),
        (counts.not_assessed, Verdict::NotAssessed),
    ] {
        sheet.text(Face::Bold, 11.0, ink(verdict), &format!("{count} {}", verdict.as_str()));
    }
    sheet.space(6.0);
    facts(&mut sheet, report);
    if !report.charts.is_empty() {
        sheet.heading("The period at a glance");
        report.charts.iter().for_each(|chart| figure(&mut sheet, chart));
    }
    sheet.heading("Clause by clause");
    for clause in &report.clauses {
        sheet.keep(40.0);
        sheet.pair(&clause.clause, ink(clause.verdict), clause.verdict.as_str());
        sheet.text(Face::Plain, 9.0, Ink::Black, &clause.asks);
        if !clause.controls.is_empty() {
            sheet.text(Face::Plain, 8.0, Ink::Grey, &format!("By: {}", clause.controls.join(", ")));
        }
        if !clause.beyond.is_empty() {
            sheet.text(Face::Plain, 8.0, Ink::Grey, &format!("Not shown here: {}.", clause.beyond));
        }
        sheet.space(4.0);
    }
    sheet.heading("What the controls found");
    report.claims.iter().for_each(|claim| claimed(&mut sheet, claim));
    sheet.heading("How to read this");
    sheet.text(
        Face::Plain,
        9.0,
        Ink::Black,
        "EVIDENCED: the trail shows it for the period, by the figures and statements given. GAP: the trail shows where it is \
         missing. NOT ASSESSED: the trail does not say. None of these says that anybody complies with anything: that is for \
         people to judge, who know what the trail does not. Every figure is the answer to the statement beside it, which asks \
         only the entries that the checkpoint covers: run it again with `greffier sql`. Samples are drawn in an order that the \
         checkpoint's root decides. `greffier prove ID` proves a sample; `greffier evidence --report` packs all of them.",
    );
    sheet.finish()
}

/// The first document's report.
pub(super) fn summary(summary: &Summary) -> Vec<u8> {
    let period = &summary.report.period;
    let of = format!("{} to {}", period.start, period.end);
    let mut sheet = Sheet::new(&format!("Compliance report - {}", summary.trail), &of);
    sheet.text(Face::Bold, 16.0, Ink::Black, "Compliance report");
    let of = format!(
        "What the trail of {} counts of {} up to before {} ({}). Made {}.",
        summary.trail,
        period.start,
        period.end,
        named(&summary.zone),
        summary.made
    );
    sheet.text(Face::Plain, 10.0, Ink::Grey, &of);
    sheet.space(6.0);
    let figures = summary.figures();
    for Figure { figure, count, .. } in figures.iter().filter(|figure| figure.of.is_empty()) {
        sheet.text(Face::Plain, 9.0, Ink::Black, &format!("{}: {count}", Summary::title(figure)));
    }
    summary.charts.iter().for_each(|chart| self::figure(&mut sheet, chart));
    let mut before = "";
    for Figure { figure, of, count } in figures.iter().filter(|figure| !figure.of.is_empty()) {
        if *figure != before {
            sheet.heading(Summary::title(figure));
            before = figure;
        }
        sheet.item(&format!("{}: {count}", short(of)));
    }
    sheet.space(8.0);
    for remark in summary.remarks() {
        sheet.text(Face::Plain, 8.0, Ink::Grey, remark);
    }
    sheet.finish()
}

fn ink(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Evidenced => Ink::Green,
        Verdict::Gap => Ink::Red,
        Verdict::NotAssessed => Ink::Brown,
    }
}

fn facts(sheet: &mut Sheet, report: &Assessment) {
    let totals = &report.totals;
    let head = &report.trail.head;
    let node = report.node.as_ref().map_or("was not read".to_owned(), |node| {
        format!("{} entries, root {}", node.head.size, node.head.root)
    });
    let lines = [
        format!("Made {}", report.made),
        format!(
            "Events of the period: {} ({} governed, {} claims of others), {} recorded over an hour late",
            totals.events, totals.governed, totals.claims, totals.late
        ),
        format!("Checkpoint: {}, {} entries, root {}", head.origin, head.size, head.root),
        format!("Node's trail: {node}"),
        format!("Witnesses: {}", report.anchoring),
    ];
    for line in lines {
        sheet.text(Face::Plain, 9.0, Ink::Black, &line);
    }
}

/// A chart, with its words, its picture and its statement together on one page.
fn figure(sheet: &mut Sheet, chart: &Chart) {
    let drawing = chart.drawing(f64::from(Sheet::WIDTH), f64::from(LETTERS), &|text| {
        f64::from(Sheet::measured(LETTERS, text))
    });
    sheet.keep(drawing.height as f32 + 60.0);
    sheet.space(4.0);
    sheet.text(Face::Bold, 9.0, Ink::Black, &chart.title);
    sheet.text(Face::Plain, 8.0, Ink::Grey, &chart.told());
    sheet.space(3.0);
    sheet.draw(&drawing, LETTERS);
    if !chart.note.is_empty() {
        sheet.text(Face::Plain, 8.0, Ink::Grey, &chart.note);
    }
    statement(sheet, &chart.query);
    sheet.space(6.0);
}

fn statement(sheet: &mut Sheet, Query { trail, sql }: &Query) {
    sheet.text(Face::Mono, 6.5, Ink::Grey, &format!("greffier sql --tenant {trail} \"{sql}\""));
}

fn claimed(sheet: &mut Sheet, claim: &Claim) {
    sheet.keep(60.0);
    sheet.pair(&claim.control, ink(claim.verdict), claim.verdict.as_str());
    sheet.text(Face::Plain, 9.0, Ink::Black, &claim.says);
    sheet.text(Face::Plain, 8.0, Ink::Grey, &claim.a_gap_if());
    if !claim.figures.is_empty() {
        let figures: Vec<String> =
            claim.figures.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
        sheet.text(Face::Plain, 8.0, Ink::Black, &figures.join("; "));
    }
    if let Some(chart) = &claim.chart {
        figure(sheet, chart);
    }
    for row in claim.table.iter().take(MAX_ROWS) {
        let cells: Vec<String> = row
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!("{name} {}", short(&plain(value))))
            .collect();
        sheet.item(&cells.join(", "));
    }
    if claim.table.len() > MAX_ROWS {
        sheet.item(&format!("and {} rows more", claim.table.len() - MAX_ROWS));
    }
    samples(sheet, "Exception", &claim.exceptions);
    samples(sheet, "Sample", &claim.samples);
    claim.queries.iter().take(2).for_each(|query| statement(sheet, query));
    sheet.space(8.0);
}

fn samples(sheet: &mut Sheet, name: &str, samples: &[Sample]) {
    for Sample { index, id, time, fields, .. } in samples {
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name} {}", short(value))).collect();
        sheet.item(&format!("{name}: entry {index}, {id}, {time}: {}", fields.join(", ")));
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_CELL) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
