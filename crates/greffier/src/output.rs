//! What a command says: data on stdout in the form that was asked for, the rest on stderr.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};

/// How data is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON value a line.
    Jsonl,
    /// RFC 4180, with a header line.
    Csv,
}

impl Format {
    /// Whether errors are JSON as well.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Format::Json | Format::Jsonl)
    }
}

/// Where a command's data and remarks go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// The form that was asked for.
    pub(crate) format: Format,
    /// Whether remarks are wanted.
    pub(crate) quiet: bool,
    color: bool,
}

impl Output {
    /// Colours only where a person looks on and did not decline them (`NO_COLOR`, `--no-color`).
    pub(crate) fn new(format: Format, quiet: bool, no_color: bool) -> Output {
        let declined = no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Output { format, quiet, color: !declined && io::stderr().is_terminal() }
    }

    /// Whether stderr may carry colours.
    pub(crate) fn color(&self) -> bool {
        self.color
    }

    /// Data that has one form only, such as a token or a proof.
    pub(crate) fn raw(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// One line for people, on stdout, whatever stands in it.
    pub(crate) fn line(&self, line: &str) -> io::Result<()> {
        self.raw(&format!("{}\n", escaped(line, char::is_control)))
    }

    /// Rows of data. `columns` names the fields that a table shows; CSV has all of them, too.
    pub(crate) fn rows<T: Serialize>(&self, columns: &[&str], rows: &[T]) -> anyhow::Result<()> {
        let rows = rows.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>()?;
        self.raw(&match self.format {
            Format::Table => table(columns, &rows),
            Format::Json => format!("{:#}\n", Value::Array(rows)),
            Format::Jsonl => rows.iter().map(|row| format!("{row}\n")).collect(),
            Format::Csv => csv(columns, &rows),
        })?;
        Ok(())
    }

    /// One thing with fields.
    pub(crate) fn object<T: Serialize>(&self, columns: &[&str], object: &T) -> anyhow::Result<()> {
        match self.format {
            Format::Json => Ok(self.raw(&format!("{:#}\n", serde_json::to_value(object)?))?),
            Format::Table | Format::Jsonl | Format::Csv => self.rows(columns, std::slice::from_ref(object)),
        }
    }

    /// A remark for people; nothing depends on its being read.
    pub(crate) fn note(&self, remark: &str) {
        if !self.quiet {
            self.stderr(&printable(remark));
        }
    }

    /// Something that is not as it should be, but does not stop the command.
    pub(crate) fn warn(&self, remark: &str) {
        self.stderr(&format!("{} {}", self.paint("33", "warning:"), printable(remark)));
    }

    /// A line that the next one replaces, on a terminal only.
    pub(crate) fn progress(&self, line: &str) {
        if !self.quiet && io::stderr().is_terminal() {
            // Not being able to show progress is no reason to stop.
            let _ = write!(io::stderr().lock(), "\r\x1b[2K{}", printable(line));
        }
    }

    /// Why the command failed, and how it exits.
    pub(crate) fn failed(&self, error: &anyhow::Error) -> Exit {
        let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
        let message = format!("{error:#}");
        let hint = failure.and_then(|failure| failure.hint.as_deref());
        if self.format.is_json() {
            let code = failure.map_or("error", |failure| failure.code);
            let mut error = json!({"code": code, "message": message});
            if let (Some(hint), Some(fields)) = (hint, error.as_object_mut()) {
                fields.insert("hint".to_owned(), json!(hint));
            }
            self.stderr(&json!({ "error": error }).to_string());
        } else {
            self.stderr(&format!("{} {}", self.paint("31", "error:"), printable(&message)));
            if let Some(hint) = hint {
                self.stderr(&format!("{} {}", self.paint("36", "hint:"), printable(hint)));
            }
        }
        failure.map_or(Exit::Error, |failure| failure.exit)
    }

    fn stderr(&self, text: &str) {
        // With stderr gone there is nobody left to tell.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Text as a terminal may show it: what came from outside must not steer the terminal.
fn printable(text: &str) -> String {
    escaped(text, |c| c.is_control() && c != '\n' && c != '\t')
}

fn escaped(text: &str, steers: impl Fn(char) -> bool) -> String {
    text.chars().flat_map(|c| if steers(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

/// The text of one cell; what is absent is empty.
fn cell(row: &Value, column: &str) -> String {
    match row.get(column) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn table(columns: &[&str], rows: &[Value]) -> String {
    if rows.is_empty() {
        return "[]\n".to_owned();
    }
    let header = columns.iter().map(|column| column.to_uppercase()).collect();
    let cells = |row: &Value| columns.iter().map(|column| one_line(&cell(row, column))).collect();
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let padded: Vec<String> =
            line.iter().zip(&widths).map(|(text, &width)| format!("{text:<width$}")).collect();
        out.push_str(padded.join("  ").trim_end());
        out.push('\n');
    }
    out
}

fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

fn csv(columns: &[&str], rows: &[Value]) -> String {
    let mut out = columns.join(",");
    out.push_str("\r\n");
    for row in rows {
        let fields: Vec<String> = columns.iter().map(|column| quoted(&cell(row, column))).collect();
        out.push_str(&fields.join(","));
        out.push_str("\r\n");
    }
    out
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Value> {
        vec![
            json!({"trail": "acme", "entries": 12, "root": "a,b"}),
            json!({"trail": "x\u{1b}[31m\ny", "entries": 3}),
        ]
    }

    #[test]
    fn a_table_aligns_and_cannot_steer_the_terminal() {
        insta::assert_snapshot!(table(&["trail", "entries", "root"], &rows()), @r"
        TRAIL          ENTRIES  ROOT
        acme           12       a,b
        x\u{1b}[31m y  3
    ");
        assert_eq!(table(&["trail"], &[]), "[]\n");
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let expected = "trail,entries,root\r\nacme,12,\"a,b\"\r\n\"x\u{1b}[31m\ny\",3,\r\n";
        assert_eq!(csv(&["trail", "entries", "root"], &rows()), expected);
        assert_eq!(quoted("say \"hi\""), "\"say \"\"hi\"\"\"");
    }
}
