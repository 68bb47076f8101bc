//! `greffier-peers ENGINE < SET > FOUND`: what an engine finds in each text, and how long it takes.
//!
//! Reads `{"id","text"}` lines and writes `{"id","spans"}` lines; the last line has the times: of every row, each
//! scanned several times and the quickest kept, and of one text of each size made by joining rows.

use std::io::{self, BufRead, Write};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// A row is scanned so often; the quickest time is the one least disturbed by what else the machine does.
const ROUNDS: usize = 5;

/// Texts of these sizes, in bytes.
const SIZES: [usize; 5] = [1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20];

#[derive(Deserialize)]
struct Row {
    id: String,
    text: String,
}

#[derive(Serialize)]
struct Span {
    #[serde(rename = "type")]
    kind: String,
    start: usize,
    end: usize,
    score: f32,
}

#[derive(Serialize)]
struct Found<'a> {
    id: &'a str,
    spans: Vec<Span>,
}

#[derive(Serialize)]
struct Times {
    /// Microseconds of each row.
    rows_us: Vec<f64>,
    /// Bytes and microseconds.
    sizes_us: Vec<(usize, f64)>,
}

enum Engine {
    Greffier(greffier_safety::Scanner),
    Redact(Box<redact_core::AnalyzerEngine>),
}

impl Engine {
    fn named(name: &str) -> Option<Self> {
        match name {
            "greffier" => Some(Self::Greffier(greffier_safety::Scanner::new())),
            "redact" => Some(Self::Redact(Box::new(redact_core::AnalyzerEngine::new()))),
            _ => None,
        }
    }

    fn scan(&self, text: &str) -> Vec<Span> {
        match self {
            Self::Greffier(scanner) => scanner
                .scan(text)
                .into_iter()
                .map(|span| Span {
                    kind: span.entity.name().to_owned(),
                    start: span.start,
                    end: span.end,
                    score: span.score,
                })
                .collect(),
            Self::Redact(engine) => engine
                .analyze(text, None)
                .map(|result| result.detected_entities)
                .unwrap_or_default()
                .into_iter()
                .map(|hit| Span {
                    kind: hit.entity_type.as_str().to_owned(),
                    start: hit.start,
                    end: hit.end,
                    score: hit.score,
                })
                .collect(),
        }
    }

    fn time(&self, text: &str, rounds: usize) -> f64 {
        (0..rounds)
            .map(|_| {
                let start = Instant::now();
                std::hint::black_box(self.scan(std::hint::black_box(text)));
                start.elapsed().as_secs_f64() * 1e6
            })
            .fold(f64::INFINITY, f64::min)
    }
}

fn main() -> io::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some(engine) = Engine::named(&name) else {
        return Err(io::Error::other("usage: greffier-peers greffier|redact < SET > FOUND"));
    };
    let mut rows = Vec::new();
    for line in io::stdin().lock().lines() {
        rows.push(serde_json::from_str::<Row>(&line?)?);
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    for row in &rows {
        serde_json::to_writer(&mut out, &Found { id: &row.id, spans: engine.scan(&row.text) })?;
        out.write_all(b"\n")?;
    }
    let rows_us = rows.iter().map(|row| engine.time(&row.text, ROUNDS)).collect();
    let joined: String = rows.iter().map(|row| row.text.as_str()).chain(["\n"]).collect::<Vec<_>>().join("\n");
    let sizes_us = SIZES
        .into_iter()
        .map(|size| {
            let mut text = joined.repeat(size / joined.len() + 1);
            let mut end = size;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            (size, engine.time(&text, ROUNDS))
        })
        .collect();
    serde_json::to_writer(&mut out, &Times { rows_us, sizes_us })?;
    out.write_all(b"\n")
}
