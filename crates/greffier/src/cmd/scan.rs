//! `scan`: JSONL {id,text} in, {id,spans} out, one line at a time; places are byte offsets into the text. With `--text`
//! each line is a text; people see the text with its hits marked.

mod view;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::Context;
use greffier_safety::{Class, Entity, Scanner, Tier};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};
use view::View;

/// Longest line in bytes: a line is held whole, and more is no line of text.
const MAX_LINE: usize = 32 * 1024 * 1024;

#[derive(Deserialize)]
struct Record {
    id: Value,
    text: String,
}

pub(super) fn run(args: &cli::Scan, config: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    // Types of the installation's own count here as they do on its calls.
    let scanner = Config::load(config)?.safety.scanner;
    if args.types {
        return types(&scanner, output);
    }
    let job = Job {
        alarms: Alarms::parse(&args.fail_on, &scanner)?,
        scanner: &scanner,
        view: view(output),
        text: args.text,
        explain: args.explain,
    };
    let input: Box<dyn Read> = match &args.file {
        Some(path) if path != Path::new("-") => {
            Box::new(File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?)
        }
        _ => Box::new(io::stdin().lock()),
    };
    let tally = job.scan(&mut BufReader::new(input), io::stdout().lock(), |line, reason| {
        output.warn(&format!("line {line}: {reason}"));
    })?;
    match tally {
        Tally { bad: 1.., .. } => {
            Err(Failure::new("bad_lines", format!("lines not scanned: {}", tally.bad)).into())
        }
        Tally { alarm: true, .. } => Ok(Exit::Findings),
        _ => Ok(Exit::Ok),
    }
}

/// People see the text; programs, who are no terminal, get lines of JSON unless they ask for something else.
fn view(output: Output) -> View {
    match output.format {
        Format::Table if output.asked || output.on_terminal() => View::Marked { color: output.data_color() },
        Format::Table | Format::Jsonl => View::Jsonl,
        Format::Json => View::Json,
        Format::Csv => View::Csv,
    }
}

#[derive(Serialize)]
struct Kind {
    #[serde(rename = "type")]
    name: &'static str,
    class: Class,
    needs_label: bool,
    rule: &'static str,
}

fn types(scanner: &Scanner, output: Output) -> anyhow::Result<Exit> {
    let kinds = scanner.entities().into_iter().map(|entity| Kind {
        name: entity.name(),
        class: entity.class(),
        needs_label: entity.tier() == Tier::Label,
        rule: entity.rule(),
    });
    output.rows(&["type", "class", "needs_label", "rule"], &kinds.collect::<Vec<_>>())?;
    Ok(Exit::Ok)
}

/// What `--fail-on` asks for.
struct Alarms {
    any: bool,
    entities: Vec<Entity>,
}

impl Alarms {
    fn parse(names: &[String], scanner: &Scanner) -> Result<Alarms, Failure> {
        let any = names.iter().any(|name| name == "any");
        let entity = |name: &String| {
            scanner.entity(&name.to_ascii_uppercase()).ok_or_else(|| {
                let failure = Failure::new("usage", format!("unknown type `{name}`")).exit(Exit::Usage);
                failure.hint("any, or one of `greffier scan --types`")
            })
        };
        let entities = names.iter().filter(|name| *name != "any").map(entity).collect::<Result<_, _>>()?;
        Ok(Alarms { any, entities })
    }
}

impl Alarms {
    fn cover(&self, entity: Entity) -> bool {
        self.any || self.entities.contains(&entity)
    }
}

#[derive(Default)]
struct Tally {
    bad: u64,
    alarm: bool,
}

/// What is scanned, how, and how it is shown.
struct Job<'a> {
    scanner: &'a Scanner,
    alarms: Alarms,
    view: View,
    /// Whether each line is a text, and no JSON.
    text: bool,
    explain: bool,
}

impl Job<'_> {
    fn scan(
        &self,
        input: &mut BufReader<impl Read>,
        out: impl Write,
        mut report: impl FnMut(u64, &str),
    ) -> io::Result<Tally> {
        let mut out = BufWriter::new(out);
        let mut tally = Tally::default();
        let mut line = Vec::new();
        let mut records = 0;
        out.write_all(self.view.start().as_bytes())?;
        for number in 1.. {
            let read = read_line(input, &mut line)?;
            let record = match read {
                Line::End => break,
                Line::TooLong => Err(format!("it is longer than {} MiB", MAX_LINE / (1024 * 1024))),
                Line::Whole if line.trim_ascii().is_empty() => continue,
                Line::Whole if self.text => text(number, &line),
                Line::Whole => record(&line),
            };
            match record {
                Ok(Record { id, text }) => {
                    let spans = self.scanner.scan(&text);
                    tally.alarm |= spans.iter().any(|span| self.alarms.cover(span.entity));
                    let shown = self.view.record(records, &id, &text, &spans, self.explain);
                    out.write_all(shown.as_bytes())?;
                    records += 1;
                }
                Err(reason) => {
                    tally.bad += 1;
                    report(number, &reason);
                }
            }
            // Before waiting for more, say what is known: the other end may wait for it.
            if input.buffer().is_empty() {
                out.flush()?;
            }
        }
        out.write_all(self.view.end(records).as_bytes())?;
        out.flush()?;
        Ok(tally)
    }
}

/// A line as a text of its own, named by its number.
fn text(number: u64, line: &[u8]) -> Result<Record, String> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok(text) => Ok(Record { id: number.into(), text: text.to_owned() }),
        Err(error) => Err(format!("not UTF-8 at byte {}", error.valid_up_to())),
    }
}

/// The record of a line. What is wrong is said without the line's content.
fn record(line: &[u8]) -> Result<Record, String> {
    serde_json::from_slice(line).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => "expected {\"id\": …, \"text\": \"…\"}".to_owned(),
        _ => format!("not JSON at column {} (`--text` takes plain lines)", error.column()),
    })
}

enum Line {
    Whole,
    TooLong,
    End,
}

/// Reads one line into `line`, at most [`MAX_LINE`] of it; the rest of a longer one is passed over.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let read = input.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', line)?;
    if read == 0 {
        return Ok(Line::End);
    }
    if line.last() == Some(&b'\n') || read <= MAX_LINE {
        return Ok(Line::Whole);
    }
    line.clear();
    input.skip_until(b'\n')?;
    Ok(Line::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], text: bool) -> (String, bool) {
        let (mut out, mut told) = (Vec::new(), String::new());
        let scanner = Scanner::new();
        let alarms = Alarms::parse(&["US_SSN".to_owned()], &scanner).unwrap();
        let job = Job { scanner: &scanner, alarms, view: View::Jsonl, text, explain: false };
        let tally = job
            .scan(&mut BufReader::new(input), &mut out, |line, reason| {
                told += &format!("line {line}: {reason}\n");
            })
            .unwrap();
        assert_eq!(tally.bad > 0, !told.is_empty());
        (String::from_utf8(out).unwrap() + &told, tally.alarm)
    }

    #[test]
    fn lines_in_spans_out() {
        let input = "{\"id\":1,\"text\":\"é ssn 536-90-4399\"}\n\n{\"id\":\"b\",\"text\":\"nothing\",\"more\":1}\n\
                     {\"id\":2,\"text\":3}\nnot json 536-90-4399\n{\"id\":3,\"text\":\"a@example.com\"}";
        let (said, alarm) = check(input.as_bytes(), false);
        insta::assert_snapshot!(said, @r#"
        {"id":1,"spans":[{"type":"US_SSN","start":7,"end":18,"score":0.85}]}
        {"id":"b","spans":[]}
        {"id":3,"spans":[{"type":"EMAIL_ADDRESS","start":0,"end":13,"score":1.0}]}
        line 4: expected {"id": …, "text": "…"}
        line 5: not JSON at column 2 (`--text` takes plain lines)
    "#);
        assert!(alarm);
    }

    #[test]
    fn a_line_without_end_is_passed_over_without_holding_it() {
        let mut input = vec![b'x'; MAX_LINE + 10];
        input.extend(b"\n{\"id\":1,\"text\":\"fine\"}\n");
        let (said, _) = check(&input, false);
        assert_eq!(said, "{\"id\":1,\"spans\":[]}\nline 1: it is longer than 32 MiB\n");
    }
    #[test]
    fn plain_lines_are_texts() {
        let (said, alarm) = check(b"{\"id\":1}\r\n\nssn 536-90-4399\n\xff\nlast a@example.com", true);
        insta::assert_snapshot!(said, @r#"
        {"id":1,"spans":[]}
        {"id":3,"spans":[{"type":"US_SSN","start":4,"end":15,"score":0.85}]}
        {"id":5,"spans":[{"type":"EMAIL_ADDRESS","start":5,"end":18,"score":1.0}]}
        line 4: not UTF-8 at byte 0
        "#);
        assert!(alarm);
    }
}
