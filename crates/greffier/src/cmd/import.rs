//! `import`: events of elsewhere put on a trail, as claims. A line that is refused loses only itself, and what is
//! on the trail already is not recorded twice.

mod ledger;
mod split;

use std::fs::File;
use std::io::{BufReader, IsTerminal, Read, stdin};
use std::path::Path;

use anyhow::Context;
use greffier_event::Form;
use serde::{Deserialize, Serialize};

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::http::Client;
use crate::output::Output;
use crate::source::wait;
use ledger::OwnLedger;
use split::{Document, Documents};

/// Events of one request.
const BATCH: usize = 1_000;
/// Bytes of one request, unless one event alone has more: well below the 32 MiB that a server takes.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// What is read at once: whoever writes slowly is sent on whenever it is used up.
const BUFFER: usize = 1024 * 1024;
/// Refused lines that are told one by one; past them only their number.
const MAX_TOLD: u64 = 100;

pub(super) fn run(args: &cli::Import, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let input: Box<dyn Read> = if args.file.as_os_str() == "-" {
        if stdin().is_terminal() {
            output.note("reading events from the terminal, one a line; Ctrl-D ends");
        }
        Box::new(stdin().lock())
    } else {
        Box::new(File::open(&args.file).with_context(|| format!("cannot open `{}`", args.file.display()))?)
    };
    let documents = Documents::new(BufReader::with_capacity(BUFFER, input));
    let import = Import { form: args.form.form(), output, tally: Tally::default() };
    let tally = wait(async {
        let target = Target::open(args, named).await?;
        let tally = import.all(documents, &target).await;
        target.close()?;
        tally
    })?;
    output.object(&["recorded", "repeated", "refused"], &tally)?;
    match tally.refused {
        0 => Ok(Exit::Ok),
        refused => Err(Failure::new("bad_lines", format!("lines refused: {refused}")).into()),
    }
}

/// Where events go.
enum Target {
    Server(Box<Client>),
    Ledger(Box<OwnLedger>),
}

impl Target {
    async fn open(args: &cli::Import, named: Option<&Path>) -> anyhow::Result<Target> {
        match &args.place.server {
            Some(_) if args.place.tenant.is_some() => {
                Err(Failure::usage("the server's token says whose trail it is, not --tenant").into())
            }
            Some(url) => Ok(Target::Server(Box::new(Client::new(url, args.place.token_file.as_deref())?))),
            None => Ok(Target::Ledger(Box::new(OwnLedger::open(args, named).await?))),
        }
    }

    /// What became of some events, one a line.
    async fn send(&self, events: Vec<u8>) -> anyhow::Result<Answer> {
        let answer = match self {
            Target::Server(client) => {
                let channel = [("channel", "import")];
                client.post("/api/v1/events", &channel, "application/x-ndjson", events).await?
            }
            Target::Ledger(ledger) => ledger.ingest(events).await?,
        };
        serde_json::from_value(answer).context("the answer is not one of an ingest")
    }

    fn close(self) -> anyhow::Result<()> {
        match self {
            Target::Server(_) => Ok(()),
            Target::Ledger(ledger) => ledger.close(),
        }
    }
}

/// The answer to an ingest.
#[derive(Deserialize)]
struct Answer {
    receipts: Vec<Taken>,
    errors: Vec<Refused>,
}

#[derive(Deserialize)]
struct Taken {
    #[serde(default)]
    repeated: bool,
}

#[derive(Deserialize)]
struct Refused {
    line: usize,
    code: String,
    field: Option<String>,
    message: String,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Tally {
    recorded: u64,
    repeated: u64,
    refused: u64,
}

struct Import {
    /// The form that every event must have, if one was named.
    form: Option<Form>,
    output: Output,
    tally: Tally,
}

/// Events on their way, each with the line that it began at.
#[derive(Default)]
struct Batch {
    lines: Vec<u64>,
    bytes: Vec<u8>,
}

impl Import {
    async fn all(mut self, mut documents: Documents<impl Read>, target: &Target) -> anyhow::Result<Tally> {
        let mut batch = Batch::default();
        while let Some(Document { line, text }) = documents.next().context("cannot read the events")? {
            match text.and_then(|text| self.checked(text)) {
                Ok(text) => {
                    if batch.bytes.len() + text.len() > BATCH_BYTES {
                        self.send(&mut batch, target).await?;
                    }
                    batch.lines.push(line);
                    batch.bytes.extend(text);
                    batch.bytes.push(b'\n');
                }
                Err(reason) => self.refuse(line, reason),
            }
            // Before waiting for more, what is here goes on its way.
            if batch.lines.len() >= BATCH || documents.is_used_up() {
                self.send(&mut batch, target).await?;
            }
        }
        self.send(&mut batch, target).await?;
        self.output.progress_done();
        if self.tally.refused > MAX_TOLD {
            self.output.warn(&format!("{} more lines were refused", self.tally.refused - MAX_TOLD));
        }
        Ok(self.tally)
    }

    async fn send(&mut self, batch: &mut Batch, target: &Target) -> anyhow::Result<()> {
        let Batch { lines, bytes } = std::mem::take(batch);
        if lines.is_empty() {
            return Ok(());
        }
        let answer = target.send(bytes).await.map_err(|error| {
            self.output.progress_done();
            let done = self.tally.recorded + self.tally.repeated;
            error
                .context(format!("after {done} events; run it again, what is recorded is not recorded twice"))
        })?;
        let repeated = answer.receipts.iter().filter(|taken| taken.repeated).count() as u64;
        self.tally.repeated += repeated;
        self.tally.recorded += answer.receipts.len() as u64 - repeated;
        for Refused { line, code, field, message } in answer.errors {
            if code == "not_recording" {
                self.output.progress_done();
                return Err(Failure::new(code, message)
                    .hint("run it again: nothing is recorded twice")
                    .into());
            }
            let line = line.checked_sub(1).and_then(|at| lines.get(at)).copied().unwrap_or_default();
            let field = field.map(|field| format!("{field} ")).unwrap_or_default();
            self.refuse(line, &format!("{field}{message}"));
        }
        let Tally { recorded, repeated, refused } = self.tally;
        self.output.progress(&format!("{recorded} recorded, {repeated} repeated, {refused} refused"));
        Ok(())
    }

    fn refuse(&mut self, line: u64, reason: &str) {
        self.tally.refused += 1;
        if self.tally.refused <= MAX_TOLD {
            self.output.progress_done();
            self.output.warn(&format!("line {line}: {reason}"));
        }
    }

    /// One document on one line, of the form that was named.
    fn checked(&self, text: Vec<u8>) -> Result<Vec<u8>, &'static str> {
        if let Some(form) = self.form {
            let found = std::str::from_utf8(&text).ok().map(Form::detect);
            if found.is_some_and(|found| found.is_ok_and(|found| found != form)) {
                return Err("it has another form than --form says");
            }
        }
        Ok(text)
    }
}
