//! `import`: events of elsewhere put on a trail, as claims. A line that is refused loses only itself, and is kept
//! aside; what is on the trail already is not recorded twice.

mod aside;
mod foreign;
mod ledger;
mod position;
mod split;

use std::fs::File;
use std::io::{BufReader, IsTerminal, Read, Seek, SeekFrom, stdin};
use std::path::{Path, PathBuf};

use anyhow::Context;
use greffier_event::Form;
use serde::{Deserialize, Serialize};

use crate::cli::{self, ImportForm};
use crate::exit::{Exit, Failure};
use crate::http::Client;
use crate::output::Output;
use crate::source::wait;
use aside::Aside;
use foreign::Foreign;
use ledger::OwnLedger;
use position::Position;
use split::{Document, Documents, Place};

/// Events of one request.
const BATCH: usize = 1_000;
/// Bytes of one request, unless one event alone has more: well below the 32 MiB that a server takes.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// What is read at once: whoever writes slowly is sent on whenever it is used up.
const BUFFER: usize = 1024 * 1024;
/// Refused lines that are told one by one; past them only their number.
const MAX_TOLD: u64 = 100;

pub(super) fn run(args: &cli::Import, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let from_stdin = args.file.as_os_str() == "-";
    let (mut position, mut size) = (None, None);
    let input: Box<dyn Read> = if from_stdin {
        if args.position.is_some() {
            return Err(
                Failure::usage("--position needs a file: what comes from stdin does not come again").into()
            );
        }
        if stdin().is_terminal() {
            output.note("reading events from the terminal, one a line; Ctrl-D ends");
        }
        Box::new(stdin().lock())
    } else {
        let cannot = || format!("cannot open `{}`", args.file.display());
        let mut file = File::open(&args.file).with_context(cannot)?;
        size = Some(file.metadata().with_context(cannot)?.len()).filter(|size| *size > 0);
        if let Some(path) = &args.position {
            let kept = Position::open(path, &file, &target(args))?;
            file.seek(SeekFrom::Start(kept.place().bytes)).with_context(cannot)?;
            position = Some(kept);
        }
        Box::new(file)
    };
    let place = position.as_ref().map(Position::place).unwrap_or_default();
    if place.bytes > 0 {
        output.note(&format!("going on behind byte {} of `{}`", place.bytes, args.file.display()));
    }
    let documents = Documents::at(BufReader::with_capacity(BUFFER, input), place);
    let aside = Aside::new(match &args.refused {
        Some(path) => path.clone(),
        None if from_stdin => PathBuf::from("stdin.refused"),
        None => {
            let mut path = args.file.as_os_str().to_owned();
            path.push(".refused");
            path.into()
        }
    });
    let import =
        Import { form: args.form, output, tally: Tally::default(), position, aside, size, reached: place };
    let tally = wait(async {
        let target = Target::open(args, named).await?;
        let tally = import.all(documents, &target).await;
        target.close()?;
        tally
    })?;
    output.object(&["recorded", "repeated", "refused", "passed_over"], &tally)?;
    match tally.refused {
        0 => Ok(Exit::Ok),
        refused => Err(Failure::new("bad_lines", format!("lines refused: {refused}")).into()),
    }
}

/// Where it goes, as a position remembers it.
fn target(args: &cli::Import) -> String {
    let place = &args.place;
    let tenant = place.tenant.as_ref().map(ToString::to_string).unwrap_or_default();
    match (&place.server, &place.data) {
        (Some(server), _) => format!("server {server}"),
        (None, Some(data)) => format!("data {} {tenant}", data.display()),
        (None, None) => format!("configured data {tenant}"),
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
    /// Lines of a log that speak of no act.
    passed_over: u64,
}

struct Import {
    /// What every line must be, if that was said.
    form: ImportForm,
    output: Output,
    tally: Tally,
    position: Option<Position>,
    aside: Aside,
    /// Bytes of the input, where it is a file.
    size: Option<u64>,
    /// Where the reading stands: behind what is in the batch.
    reached: Place,
}

/// A line as it goes on its way.
enum Line {
    /// An event.
    Event(Vec<u8>),
    /// It speaks of no act.
    Nothing,
}

/// Events on their way, each with the line that it began at.
#[derive(Default)]
struct Batch {
    lines: Vec<u64>,
    bytes: Vec<u8>,
    /// Each as it came, where it was made into an event: a refused one is kept aside as it was.
    came: Vec<Option<Vec<u8>>>,
    /// The end of each in `bytes`.
    ends: Vec<usize>,
}

impl Batch {
    fn put(&mut self, line: u64, event: &[u8], came: Option<Vec<u8>>) {
        self.lines.push(line);
        self.bytes.extend_from_slice(event);
        self.ends.push(self.bytes.len());
        self.bytes.push(b'\n');
        self.came.push(came);
    }

    /// The line at this place in the batch as it came, and its number.
    fn came(&self, at: usize) -> (u64, &[u8]) {
        let line = self.lines.get(at).copied().unwrap_or_default();
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| end + 1);
        let sent = self.ends.get(at).and_then(|end| self.bytes.get(start..*end)).unwrap_or_default();
        (line, self.came.get(at).and_then(Option::as_deref).unwrap_or(sent))
    }
}

impl Import {
    async fn all(mut self, mut documents: Documents<impl Read>, target: &Target) -> anyhow::Result<Tally> {
        let mut batch = Batch::default();
        while let Some(Document { line, text }) = documents.next().context("cannot read the events")? {
            match text {
                Err(reason) => self.refuse(line, reason, b"")?,
                Ok(text) => match self.read(&text) {
                    Err(reason) => self.refuse(line, reason, &text)?,
                    Ok(Line::Nothing) => self.tally.passed_over += 1,
                    Ok(Line::Event(event)) => {
                        if batch.bytes.len() + event.len() > BATCH_BYTES {
                            self.send(&mut batch, target).await?;
                        }
                        let came = (event != text).then_some(text);
                        batch.put(line, &event, came);
                    }
                },
            }
            self.reached = documents.place();
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
        if self.tally.refused > 0 {
            self.output.note(&format!("refused lines are kept in `{}`", self.aside.path().display()));
        }
        Ok(self.tally)
    }

    async fn send(&mut self, batch: &mut Batch, target: &Target) -> anyhow::Result<()> {
        let batch = std::mem::take(batch);
        if batch.lines.is_empty() {
            return self.passed();
        }
        let answer = target.send(batch.bytes.clone()).await.map_err(|error| {
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
            let (line, came) = batch.came(line.saturating_sub(1));
            let field = field.map(|field| format!("{field} ")).unwrap_or_default();
            self.refuse(line, &format!("{field}{message}"), came)?;
        }
        self.passed()?;
        let Tally { recorded, repeated, refused, .. } = self.tally;
        let bar = self.size.map(|size| bar(self.reached.bytes, size)).unwrap_or_default();
        self.output.progress(&format!("{bar}{recorded} recorded, {repeated} repeated, {refused} refused"));
        Ok(())
    }

    /// All that was read so far is on record, or kept aside.
    fn passed(&mut self) -> anyhow::Result<()> {
        if let Some(position) = &mut self.position {
            self.aside.sync()?;
            position.reached(self.reached)?;
        }
        Ok(())
    }

    fn refuse(&mut self, line: u64, reason: &str, came: &[u8]) -> anyhow::Result<()> {
        self.aside.keep(line, reason, came)?;
        self.tally.refused += 1;
        if self.tally.refused <= MAX_TOLD {
            self.output.progress_done();
            self.output.warn(&format!("line {line}: {reason}"));
        }
        Ok(())
    }

    /// One document on one line, of the form that was named.
    fn read(&self, text: &[u8]) -> Result<Line, &'static str> {
        let Ok(line) = std::str::from_utf8(text) else { return Ok(Line::Event(text.to_vec())) };
        let (foreign, form) = match self.form {
            ImportForm::Auto => (Foreign::detect(line), None),
            ImportForm::Native => (None, Some(Form::Native)),
            ImportForm::Flat => (None, Some(Form::Flat)),
            ImportForm::Governed => (None, Some(Form::Governed)),
            ImportForm::Agentgateway => (Some(Foreign::Agentgateway), None),
            ImportForm::Litellm => (Some(Foreign::Litellm), None),
            ImportForm::Langfuse => (Some(Foreign::Langfuse), None),
        };
        if let Some(foreign) = foreign {
            return Ok(match foreign.read(line)? {
                foreign::Read::Event(event) => Line::Event(event.into_bytes()),
                foreign::Read::Nothing => Line::Nothing,
            });
        }
        if form.is_some_and(|form| Form::detect(line).is_ok_and(|found| found != form)) {
            return Err("it has another form than --form says");
        }
        Ok(Line::Event(text.to_vec()))
    }
}

/// How much of the input is behind.
fn bar(done: u64, size: u64) -> String {
    const WIDTH: u64 = 24;
    let part = |whole: u64| done.min(size).saturating_mul(whole) / size.max(1);
    let (full, percent) = (part(WIDTH), part(100));
    let cells: String = (0..WIDTH).map(|cell| if cell < full { '#' } else { '.' }).collect();
    format!("[{cells}] {percent:>3} %  ")
}
