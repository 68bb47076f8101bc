//! What a command says: data on stdout in the form that was asked for, the rest on stderr.

pub(crate) mod csv;
mod table;
pub(crate) mod text;

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use table::Column;

use crate::exit::{Exit, Failure};
use text::{exact_line, one_line, printable};

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
    /// Whether the form was asked for.
    pub(crate) asked: bool,
    declined: bool,
    color: bool,
}

impl Output {
    /// Colours only where a person looks on and did not decline them (`NO_COLOR`, `--no-color`).
    pub(crate) fn new(format: Format, quiet: bool, no_color: bool) -> Output {
        let declined = no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = !declined && io::stderr().is_terminal();
        Output { format, quiet, asked: false, declined, color }
    }

    /// The same, knowing whether somebody asked for the form.
    pub(crate) fn asked(self, asked: bool) -> Output {
        Output { asked, ..self }
    }

    /// Whether the data may carry colours.
    pub(crate) fn data_color(&self) -> bool {
        !self.declined && self.on_terminal()
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
        self.raw(&format!("{}\n", exact_line(line)))
    }

    /// Whether a person looks at the data: then nothing in it may steer the terminal.
    pub(crate) fn on_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Rows of data. `columns` names the fields that a table shows; CSV has all of them, too.
    pub(crate) fn rows<T: Serialize>(&self, columns: &[&str], rows: &[T]) -> anyhow::Result<()> {
        let rows = rows.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>()?;
        let columns: Vec<Column<'_>> = columns.iter().map(|name| Column::new(name)).collect();
        self.shaped(&columns, &rows, None)
    }

    /// As [`Output::rows`], with a table as wide as the terminal.
    pub(crate) fn fitted(&self, columns: &[Column<'_>], rows: &[Value]) -> anyhow::Result<()> {
        self.shaped(columns, rows, self.room())
    }

    /// How wide the terminal is, if the data goes to one.
    fn room(&self) -> Option<usize> {
        let size = self.on_terminal().then(terminal_size::terminal_size).flatten();
        size.map(|(width, _)| usize::from(width.0))
    }

    /// Widths for rows that come one by one: those that are liked, as far as the terminal has room for them.
    pub(crate) fn widths(&self, columns: &[Column<'_>], mut liked: Vec<usize>) -> Vec<usize> {
        if let Some(room) = self.room() {
            table::fit(columns, &mut liked, room);
        }
        liked
    }

    fn shaped(&self, columns: &[Column<'_>], rows: &[Value], room: Option<usize>) -> anyhow::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        match self.format {
            Format::Table => out.write_all(table::table(columns, rows, room).as_bytes())?,
            Format::Json => {
                // Row by row: the text of many rows at once would be held beside the rows.
                let mut between = "[\n";
                for row in rows {
                    write!(out, "{between}{}", indented(row))?;
                    between = ",\n";
                }
                out.write_all(if rows.is_empty() { b"[]\n" } else { b"\n]\n" })?;
            }
            Format::Jsonl => rows.iter().try_for_each(|row| out.write_all(json_line(row).as_bytes()))?,
            Format::Csv => {
                out.write_all(csv::record(columns.iter().map(|column| column.name)).as_bytes())?;
                rows.iter().try_for_each(|row| out.write_all(self.csv(columns, row).as_bytes()))?;
            }
        }
        out.flush()?;
        Ok(())
    }

    /// One row that came alone, of rows that have no end; `widths` are the table's.
    pub(crate) fn row(&self, columns: &[Column<'_>], widths: &[usize], row: &Value) -> io::Result<()> {
        self.raw(&match self.format {
            Format::Table => {
                let cells: Vec<String> =
                    columns.iter().map(|column| one_line(&cell(row, column.name))).collect();
                let line = if self.on_terminal() { table::line } else { table::loose_line };
                line(&cells, widths)
            }
            Format::Json | Format::Jsonl => json_line(row),
            Format::Csv => self.csv(columns, row),
        })
    }

    /// The line above such rows, where the form has one.
    pub(crate) fn row_header(&self, columns: &[Column<'_>], widths: &[usize]) -> io::Result<()> {
        match self.format {
            Format::Table => self.raw(&table::line(&table::header(columns), widths)),
            Format::Json | Format::Jsonl => Ok(()),
            Format::Csv => self.raw(&csv::record(columns.iter().map(|column| column.name))),
        }
    }

    fn csv(&self, columns: &[Column<'_>], row: &Value) -> String {
        let steerless = |text: String| if self.on_terminal() { printable(&text) } else { text };
        let field = |column: &Column<'_>| csv::disarmed(steerless(cell(row, column.name)));
        let fields: Vec<String> = columns.iter().map(field).collect();
        csv::record(fields.iter().map(String::as_str))
    }

    /// One thing with fields.
    pub(crate) fn object<T: Serialize>(&self, columns: &[&str], object: &T) -> anyhow::Result<()> {
        match self.format {
            Format::Json => {
                Ok(self.raw(&format!("{}\n", text::json(&format!("{:#}", serde_json::to_value(object)?))))?)
            }
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

    /// Whether a person sees how far a command is.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// A line that the next one replaces, on a terminal only.
    pub(crate) fn progress(&self, line: &str) {
        if self.shows_progress() {
            // Not being able to show progress is no reason to stop.
            let _ = write!(io::stderr().lock(), "\r\x1b[2K{}", one_line(line));
        }
    }

    /// Takes the progress away, before something is said that stays.
    pub(crate) fn progress_done(&self) {
        self.progress("");
    }

    /// Why the command failed, and how it exits.
    pub(crate) fn failed(&self, error: &anyhow::Error) -> Exit {
        let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
        let message = format!("{error:#}");
        let hint = failure.and_then(|failure| failure.hint.as_deref());
        if self.format.is_json() {
            let code = failure.map_or("error", |failure| failure.code.as_ref());
            let mut error = json!({"code": code, "message": message});
            if let (Some(failure), Some(fields)) = (failure, error.as_object_mut()) {
                let told = [
                    ("at", failure.place.as_ref().map(|place| place.at.into())),
                    ("hint", hint.map(Value::from)),
                    ("request_id", failure.request_id.clone().map(Value::from)),
                ];
                fields.extend(told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
            }
            self.stderr(&text::json(&json!({ "error": error }).to_string()));
        } else {
            self.stderr(&format!("{} {}", self.paint("31", "error:"), printable(&message)));
            let place = failure.and_then(|failure| failure.place.as_deref());
            if let Some(place) = place.filter(|place| !place.question.is_empty()) {
                self.stderr(&text::pointed(&place.question, place.at));
            }
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

/// The text of one cell; what is absent is empty.
fn cell(row: &Value, column: &str) -> String {
    match row.get(column) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn json_line(row: &Value) -> String {
    format!("{}\n", text::json(&row.to_string()))
}

/// A row as an item of an indented list.
fn indented(row: &Value) -> String {
    let text = text::json(&format!("{row:#}"));
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}
