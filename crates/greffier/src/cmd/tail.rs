//! `tail`: events as they are recorded, from now on.

mod sse;

use std::path::Path;
use std::time::Duration;

use http::header::{ACCEPT, HeaderName};
use serde_json::Value;

use crate::cli;
use crate::exit::{Exit, Failure, asked};
use crate::fields::{Field, row};
use crate::output::{Column, Output};
use crate::source::{Files, Hit, PAGE, Server, Source, wait};
use sse::Events;

/// How often the files are looked at.
const PACE: Duration = Duration::from_secs(1);
/// Waits before a lost server is asked again: first, and at most.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];
/// Where a server is asked to go on.
const LAST: HeaderName = HeaderName::from_static("last-event-id");

/// What is shown, each with its room: what comes later is not known yet.
const SHOWN: [(&str, usize); 8] = [
    ("time", 27),
    ("user", 16),
    ("agent", 16),
    ("action", 24),
    ("decision", 8),
    ("status", 9),
    ("resource", 24),
    ("index", 8),
];

pub(super) fn run(args: &cli::Tail, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let source = Source::open(&args.place, args.keys.as_deref(), named)?;
    source.note_contents(&args.query, output);
    let screen = Screen::new(output);
    let tail = wait(async {
        match &source {
            Source::Files(files) => watch(files, &args.query, &screen).await,
            Source::Server(server) => follow(server, &args.query, &screen).await,
        }
    });
    tail.map_err(|error| asked(error, &args.query))?;
    Ok(Exit::Ok)
}

struct Screen {
    output: Output,
    fields: Vec<Field>,
    columns: Vec<Column<'static>>,
    widths: Vec<usize>,
}

impl Screen {
    fn new(output: Output) -> Screen {
        let fields = Field::named(&SHOWN.map(|(name, _)| name));
        let columns: Vec<Column<'static>> = fields.iter().map(|field| field.column()).collect();
        let widths = output.widths(&columns, SHOWN.map(|(_, width)| width).to_vec());
        Screen { output, fields, columns, widths }
    }

    fn begin(&self, of: &str) -> anyhow::Result<()> {
        self.output.note(&format!("following {of}; Ctrl-C ends"));
        Ok(self.output.row_header(&self.columns, &self.widths)?)
    }

    fn show(&self, hit: Hit) -> anyhow::Result<()> {
        let event = if self.output.format.is_json() { hit.event } else { row(&self.fields, &hit.placed()) };
        Ok(self.output.row(&self.columns, &self.widths, &event)?)
    }
}

async fn watch(files: &Files, query: &str, screen: &Screen) -> anyhow::Result<()> {
    let search = files.search(query)?;
    let mut after = files.last().await?;
    screen.begin(&format!("the trail of {}", files.tenant()))?;
    loop {
        let (hits, seen) = files.behind(&search, after, PAGE).await?;
        after = seen;
        if hits.is_empty() {
            tokio::time::sleep(PACE).await;
        }
        hits.into_iter().try_for_each(|hit| screen.show(hit))?;
    }
}

async fn follow(server: &Server, query: &str, screen: &Screen) -> anyhow::Result<()> {
    // Asked for at once: a connection lost before the first event must not lose events.
    let mut last = server.last().await?.map(|last| last.to_string());
    let [first, most] = RETRY;
    let mut wait = first;
    let mut begun = false;
    loop {
        let lost = match connect(server, query, last.as_deref()).await {
            Ok(mut events) => {
                if !begun {
                    screen.begin(server.client.base())?;
                    begun = true;
                }
                wait = first;
                loop {
                    match events.next().await {
                        Ok(Some(event)) => {
                            last = event.id.or(last);
                            if let Some(index) = last.as_deref().and_then(|last| last.parse().ok())
                                && !event.data.is_empty()
                            {
                                let event: Value = serde_json::from_str(&event.data)?;
                                screen.show(Hit { index, event })?;
                            }
                        }
                        Ok(None) => break anyhow::anyhow!("the server ended the tail"),
                        Err(error) => break error,
                    }
                }
            }
            Err(error) if !begun || is_final(&error) => return Err(error),
            Err(error) => error,
        };
        if is_final(&lost) {
            return Err(lost);
        }
        screen.output.note(&format!("{lost:#}; asking again in {} s", wait.as_secs()));
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(most);
    }
}

async fn connect(server: &Server, query: &str, last: Option<&str>) -> anyhow::Result<Events> {
    let mut headers = vec![(ACCEPT, "text/event-stream")];
    headers.extend(last.map(|last| (LAST, last)));
    let reply = server.client.open("/api/v1/tail", &server.query(&[("q", Some(query))]), &headers).await?;
    Ok(Events::new(reply))
}

/// Whether asking again would get the same answer: the caller may not, or asks what cannot be answered.
fn is_final(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Failure>().is_some_and(|failure| failure.exit != Exit::Error)
}
