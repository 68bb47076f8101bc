//! `scan`: JSONL {id,text} in, {id,spans} out, one line at a time; places are byte offsets into the text.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use greffier_safety::{Entity, Scanner};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Longest line in bytes: a line is held whole, and more is no line of text.
const MAX_LINE: usize = 32 * 1024 * 1024;

#[derive(Deserialize)]
struct Record {
    id: Value,
    text: String,
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
}

pub(super) fn run(args: &cli::Scan, output: Output) -> anyhow::Result<Exit> {
    let alarms = Alarms::parse(&args.fail_on)?;
    let tally =
        scan(&mut BufReader::new(io::stdin().lock()), io::stdout().lock(), &alarms, |line, reason| {
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

/// What `--fail-on` asks for.
struct Alarms {
    any: bool,
    entities: Vec<Entity>,
}

impl Alarms {
    fn parse(names: &[String]) -> Result<Alarms, Failure> {
        let any = names.iter().any(|name| name == "any");
        let entity = |name: &String| {
            let known: Vec<&str> = Entity::ALL.iter().map(|entity| entity.name()).collect();
            Entity::parse(name).ok_or_else(|| {
                let failure = Failure::new("usage", format!("unknown type `{name}`")).exit(Exit::Usage);
                failure.hint(format!("any, {}", known.join(", ")))
            })
        };
        let entities = names.iter().filter(|name| *name != "any").map(entity).collect::<Result<_, _>>()?;
        Ok(Alarms { any, entities })
    }
}

#[derive(Default)]
struct Tally {
    bad: u64,
    alarm: bool,
}

fn scan(
    input: &mut BufReader<impl Read>,
    out: impl Write,
    alarms: &Alarms,
    mut report: impl FnMut(u64, &str),
) -> io::Result<Tally> {
    let scanner = Scanner::new();
    let mut out = BufWriter::new(out);
    let mut tally = Tally::default();
    let mut line = Vec::new();
    for number in 1.. {
        let read = read_line(input, &mut line)?;
        let record = match read {
            Line::End => break,
            Line::TooLong => Err(format!("it is longer than {} MiB", MAX_LINE / (1024 * 1024))),
            Line::Whole if line.trim_ascii().is_empty() => continue,
            Line::Whole => record(&line),
        };
        match record {
            Ok(record) => {
                let spans = scanner.scan(&record.text);
                tally.alarm |= spans.iter().any(|span| alarms.any || alarms.entities.contains(&span.entity));
                let found = spans.iter().map(|span| Found {
                    entity: span.entity.name(),
                    start: span.start,
                    end: span.end,
                    score: span.score,
                });
                serde_json::to_writer(&mut out, &Scanned { id: &record.id, spans: found.collect() })?;
                out.write_all(b"\n")?;
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
    out.flush()?;
    Ok(tally)
}

/// The record of a line. What is wrong is said without the line's content.
fn record(line: &[u8]) -> Result<Record, String> {
    serde_json::from_slice(line).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => "expected {\"id\": …, \"text\": \"…\"}".to_owned(),
        _ => format!("not JSON at column {}", error.column()),
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

    fn check(input: &[u8]) -> (String, bool) {
        let (mut out, mut told) = (Vec::new(), String::new());
        let alarms = Alarms::parse(&["US_SSN".to_owned()]).unwrap();
        let tally = scan(&mut BufReader::new(input), &mut out, &alarms, |line, reason| {
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
        let (said, alarm) = check(input.as_bytes());
        insta::assert_snapshot!(said, @r#"
        {"id":1,"spans":[{"type":"US_SSN","start":7,"end":18,"score":0.85}]}
        {"id":"b","spans":[]}
        {"id":3,"spans":[{"type":"EMAIL_ADDRESS","start":0,"end":13,"score":1.0}]}
        line 4: expected {"id": …, "text": "…"}
        line 5: not JSON at column 2
    "#);
        assert!(alarm);
    }

    #[test]
    fn a_line_without_end_is_passed_over_without_holding_it() {
        let mut input = vec![b'x'; MAX_LINE + 10];
        input.extend(b"\n{\"id\":1,\"text\":\"fine\"}\n");
        let (said, _) = check(&input);
        assert_eq!(said, "{\"id\":1,\"spans\":[]}\nline 1: it is longer than 32 MiB\n");
    }
}
