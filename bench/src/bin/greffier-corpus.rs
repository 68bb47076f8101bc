//! Fills the trail of an installation that `greffier init` made with a month of events, and stops cleanly.
//!
//! ```console
//! $ greffier-corpus FOLDER EVENTS [SEED]
//! ```
//!
//! What fills whole segments is sealed when it ends; the rest lies in the log.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use greffier_bench::history::History;
use greffier_event::Tenant;
use greffier_ledger::{Ledger, LedgerConfig, Reader, SealPolicy};

type Failure = Box<dyn Error + Send + Sync>;

const TRAIL: &str = "org_acme_corp";
const AT_ONCE: usize = 4_096;
/// How often it is looked whether all is sealed.
const LOOK: Duration = Duration::from_millis(200);

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (folder, events, seed) = match args.as_slice() {
        [folder, events] => (Path::new(folder), events.parse()?, 1),
        [folder, events, seed] => (Path::new(folder), events.parse()?, seed.parse()?),
        _ => return Err("usage: greffier-corpus FOLDER EVENTS [SEED]".into()),
    };
    let seal = SealPolicy::default();
    let full = events / seal.entries;
    let (ledger, startup) = Ledger::start(LedgerConfig {
        dir: folder.join("greffier-data"),
        keys_dir: folder.join("greffier-keys"),
        origin: "greffier.local".to_owned(),
        node: "node-1".to_owned(),
        seal,
    })?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        startup.recovered.await?;
        fill(&ledger, events, seed).await?;
        let (reader, trail) = (Reader::open(&folder.join("greffier-data"))?, Tenant::new(TRAIL)?);
        while (reader.snapshot(&trail)?.segments.len() as u64) < full {
            tokio::time::sleep(LOOK).await;
        }
        Ok::<_, Failure>(())
    })?;
    drop(runtime);
    ledger.close()?;
    Ok(())
}

async fn fill(ledger: &Ledger, events: u64, seed: u64) -> Result<(), Failure> {
    let mut history = History::new(seed, events, Tenant::new(TRAIL)?);
    let (mut done, terminal) = (0, std::io::stderr().is_terminal());
    loop {
        let batch: Vec<_> = history.by_ref().take(AT_ONCE).collect();
        if batch.is_empty() {
            return Ok(());
        }
        done += batch.len() as u64;
        for recorded in ledger.appender().append_batch(batch).await {
            recorded?;
        }
        if terminal {
            write!(std::io::stderr(), "\r{done} of {events} events")?;
        }
    }
}
