//! Logs numbered events as fast as it can, and prints each number once `log` has returned: for tests that kill it.
//!
//! `producer <through|spool> <folder>`

use std::error::Error;
use std::io::Write;

use greffier_client::{AuditEvent, AuditLogger, EventType, FileBackend, Overflow, SpoolOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(way), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("producer <through|spool> <folder>".into());
    };
    let overflow = match way.as_str() {
        "through" => Overflow::WriteThrough,
        "spool" => Overflow::Spool(SpoolOptions::new(format!("{folder}/spool"))),
        other => return Err(format!("no way is called {other}").into()),
    };
    let backend = FileBackend::open(format!("{folder}/audit.jsonl"))?;
    let logger = AuditLogger::options().overflow(overflow).start(backend)?;
    let mut out = std::io::stdout();
    for number in 0_u64.. {
        logger.log(AuditEvent::new(EventType::ToolCall).action(number.to_string()))?;
        // To the pipe at once: what stands there was returned for.
        writeln!(out, "{number}")?;
    }
    Ok(())
}
