//! Logs events to a Greffier server through a spool, and asks it whether a tool may be used.
//!
//! `remote <url> <token file> <spool folder> <events>` prints what is on record of them; `remote <url> <token file> ask
//! <tool> <argument>` asks, acts as it is told, and says what came of it.

#![expect(clippy::print_stdout, reason = "what it is for")]

use std::error::Error;
use std::time::Duration;

use greffier_client::{
    Ask, AuditLogger, AuditedAgent, Filter, Guard, GuardError, Overflow, Released, RemoteBackend,
    ServerOptions, SpoolOptions, Token,
};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [url, token, "ask", tool, argument] => ask(server(url, token), tool, argument),
        [url, token, spool, events] => log(server(url, token), spool, events.parse()?),
        _ => Err("remote <url> <token file> (<spool folder> <events> | ask <tool> <argument>)".into()),
    }
}

fn server(url: &str, token: &str) -> ServerOptions {
    ServerOptions::new(url).token(Token::File(token.into()))
}

fn log(server: ServerOptions, spool: &str, events: u64) -> Result<(), Box<dyn Error>> {
    let logger = AuditLogger::options()
        .overflow(Overflow::Spool(SpoolOptions::new(spool)))
        .on_rejected(|_, reason| println!("rejected: {reason}"))
        .start(RemoteBackend::open(server)?)?;
    let agent = AuditedAgent::new("sdk-agent", logger.clone());
    for number in 0..events {
        let mut action = agent.action("count").parameter("n", number).begin()?;
        action.result(number);
        action.executed()?;
    }
    logger.shutdown(Duration::from_secs(120))?;
    let metrics = logger.metrics();
    println!("producer {}", logger.producer());
    println!("written {} waiting {} rejected {}", metrics.written, metrics.waiting, metrics.rejected);
    if metrics.waiting > 0 {
        println!("because {}", metrics.reason.unwrap_or_default());
        return Ok(());
    }
    let found = logger.query(&Filter::new().agent("sdk-agent").newest(1_000))?;
    println!("found {}", found.len());
    Ok(())
}

fn ask(server: ServerOptions, tool: &str, argument: &str) -> Result<(), Box<dyn Error>> {
    match Guard::open(server)?.ask(Ask::new(tool).parameter("q", argument).session("sdk-session")) {
        Ok(permit) => {
            let used = permit.parameters().get("q").and_then(Value::as_str).unwrap_or_default().to_owned();
            println!("permitted with {used}, receipt {}", permit.receipt().unwrap_or("none"));
            match permit.executed(format!("found {used}"))? {
                Released::AsItIs => println!("shown as it is"),
                Released::Instead(other) => println!("shown instead: {other}"),
            }
        }
        Err(GuardError::Denied { reason, .. }) => println!("denied: {reason}"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}
