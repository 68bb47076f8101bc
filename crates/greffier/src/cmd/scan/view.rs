//! How findings are shown: a line of JSON for programs, the text with its hits marked for people.

use std::borrow::Cow;
use std::fmt::Write as _;

use greffier_safety::Span;
use serde::Serialize;
use serde_json::Value;

use crate::output::{csv, text};

/// The form of the findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// One record a line.
    Jsonl,
    /// One list of records.
    Json,
    /// One finding a line.
    Csv,
    /// The text itself; with colours, or with brackets where there are none.
    Marked { color: bool },
}

#[derive(Serialize)]
struct Scanned<'a> {
    id: &'a Value,
    spans: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    #[serde(rename = "type")]
    entity: &'static str,
    start: usize,
    end: usize,
    score: f32,
    /// Why, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'static str>,
}

impl View {
    pub(super) fn start(self) -> String {
        match self {
            View::Jsonl | View::Marked { .. } => String::new(),
            View::Json => "[\n".to_owned(),
            View::Csv => csv::record(["id", "type", "start", "end", "score", "rule", "label"]),
        }
    }

    pub(super) fn end(self, records: u64) -> &'static str {
        match (self, records) {
            (View::Json, 0) => "]\n",
            (View::Json, _) => "\n]\n",
            _ => "",
        }
    }

    /// One record, the first of which is number 0.
    pub(super) fn record(self, number: u64, id: &Value, text: &str, spans: &[Span], explain: bool) -> String {
        let found = |span: &Span| Found {
            entity: span.entity.name(),
            start: span.start,
            end: span.end,
            score: span.score,
            rule: explain.then_some(span.rule),
            label: span.label.filter(|_| explain),
        };
        // Names, numbers and an id that was JSON before: it is always written.
        let json = || {
            let scanned = Scanned { id, spans: spans.iter().map(found).collect() };
            serde_json::to_string(&scanned).unwrap_or_default()
        };
        match self {
            View::Jsonl => json() + "\n",
            View::Json if number == 0 => json(),
            View::Json => ",\n".to_owned() + &json(),
            View::Csv => spans.iter().map(|span| row(id, span)).collect(),
            View::Marked { color } => marked(id, text, spans, explain, color),
        }
    }
}

fn row(id: &Value, span: &Span) -> String {
    let Span { entity, start, end, score, rule, label } = span;
    let (start, end, score) = (start.to_string(), end.to_string(), score.to_string());
    csv::record([&shown(id), entity.name(), &start, &end, &score, rule, label.unwrap_or_default()])
}

fn shown(id: &Value) -> Cow<'_, str> {
    id.as_str().map_or_else(|| Cow::Owned(id.to_string()), Cow::Borrowed)
}

/// The text with its hits marked. Nothing in it steers the terminal.
fn marked(id: &Value, text: &str, spans: &[Span], explain: bool, color: bool) -> String {
    let paint = |code: &str, text: &str| {
        if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    };
    let safe = |range: std::ops::Range<usize>| text::printable(text.get(range).unwrap_or_default());
    let mut out = paint("1", &text::one_line(&shown(id))) + ": ";
    let mut copied = 0;
    for span in spans {
        let (value, name) = (safe(span.start..span.end), span.entity.name());
        out.push_str(&safe(copied..span.start));
        match color {
            true => drop(write!(out, "{} {}", paint("1;30;43", &value), paint("33", name))),
            false => drop(write!(out, "[{value}]({name})")),
        }
        copied = span.end;
    }
    out.push_str(&safe(copied..text.len()));
    out.push('\n');
    for span in spans.iter().filter(|_| explain) {
        let Span { entity, start, end, score, rule, label } = span;
        let label = label.map(|label| format!(", beside `{}`", text::one_line(label))).unwrap_or_default();
        let line = format!("    {start}..{end} {entity} {score}: {rule}{label}");
        out.push_str(&paint("2", &line));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(view: View, explain: bool) -> String {
        let text = "mail a@example.com\u{1b}[2J, é";
        let spans = greffier_safety::Scanner::new().scan(text);
        let id = Value::from("x\ny");
        let records =
            view.record(0, &id, text, &spans, explain) + &view.record(1, &7.into(), "no", &[], explain);
        view.start() + &records + view.end(2)
    }

    #[test]
    fn people_see_the_text_and_nothing_steers_their_terminal() {
        insta::assert_snapshot!(check(View::Marked { color: false }, true), @r"
        x y: mail [a@example.com](EMAIL_ADDRESS)\u{1b}[2J, é
            5..18 EMAIL_ADDRESS 1: RFC 5321 form, top-level domain
        7: no
        ");
        let colored = check(View::Marked { color: true }, false);
        insta::assert_snapshot!(colored.replace('\u{1b}', "^"), @r"
        ^[1mx y^[0m: mail ^[1;30;43ma@example.com^[0m ^[33mEMAIL_ADDRESS^[0m\u{1b}[2J, é
        ^[1m7^[0m: no
        ");
    }

    #[test]
    fn programs_get_their_form() {
        insta::assert_snapshot!(check(View::Jsonl, true), @r#"
        {"id":"x\ny","spans":[{"type":"EMAIL_ADDRESS","start":5,"end":18,"score":1.0,"rule":"RFC 5321 form, top-level domain"}]}
        {"id":7,"spans":[]}
        "#);
        insta::assert_snapshot!(check(View::Json, false), @r#"
        [
        {"id":"x\ny","spans":[{"type":"EMAIL_ADDRESS","start":5,"end":18,"score":1.0}]},
        {"id":7,"spans":[]}
        ]
        "#);
        let csv = check(View::Csv, false).replace("\r\n", "|");
        insta::assert_snapshot!(csv, @r#"
        id,type,start,end,score,rule,label|"x
        y",EMAIL_ADDRESS,5,18,1,"RFC 5321 form, top-level domain",|
        "#);
        assert_eq!(View::Json.start() + View::Json.end(0), "[\n]\n");
    }
}
