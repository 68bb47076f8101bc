//! Logs to a Greffier server, and asks it whether a tool may be used.
//!
//! `remote <url> <token file> <spool folder> <actions>` logs so many, two events each, and prints what is on record of
//! them once all are; `… number (through | <spool folder>)` logs numbered events without an end, and prints each number
//! once `log` has returned, for tests that kill it; `… ask <tool> <argument>` asks, acts as it is told, and says what came
//! of it. `CA_FILE` names a PEM file with the authorities to trust.

#![expect(clippy::print_stdout, reason = "what it is for")]

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use greffier_client::{
    Ask, AuditLogger, AuditedAgent, EventType, Filter, Guard, GuardError, Overflow, Released, RemoteBackend,
    ServerOptions, SpoolOptions, Token,
};
use serde_json::Value;

/// A server may be away for long, and a million events take their time.
const PATIENCE: Duration = Duration::from_secs(3_600);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [url, token, "ask", tool, argument] => ask(server(url, token), tool, argument),
        [url, token, "number", way] => number(server(url, token), way),
        [url, token, spool, actions] => log(server(url, token), spool, actions.parse()?),
        _ => {
            Err("remote <url> <token file> (<spool folder> <actions> | number <way> | ask <tool> <argument>)"
                .into())
        }
    }
}

fn server(url: &str, token: &str) -> ServerOptions {
    let options = ServerOptions::new(url).token(Token::File(token.into()));
    match std::env::var_os("CA_FILE") {
        Some(path) => options.ca_file(path),
        None => options,
    }
}

fn log(server: ServerOptions, spool: &str, actions: u64) -> Result<(), Box<dyn Error>> {
    let logger = AuditLogger::options()
        .overflow(Overflow::Spool(SpoolOptions::new(spool)))
        .on_rejected(|_, reason| println!("rejected: {reason}"))
        .start(RemoteBackend::open(server)?)?;
    let agent = AuditedAgent::new("sdk-agent", logger.clone());
    for number in 0..actions {
        let mut action = agent.action("count").parameter("n", number).begin()?;
        action.result(number);
        action.executed()?;
    }
    logger.shutdown(PATIENCE)?;
    let metrics = logger.metrics();
    println!("producer {}", logger.producer());
    println!("written {} waiting {} rejected {}", metrics.written, metrics.waiting, metrics.rejected);
    if metrics.waiting > 0 {
        println!("because {}", metrics.reason.unwrap_or_default());
        return Ok(());
    }
    let found = logger.query(&Filter::new().agent("sdk-agent").newest(1_000))?;
    println!("found {}", found.len());
    if let Some(number) = found.last().and_then(|event| event.parameters.get("n")) {
        println!("the last one's number is {number}");
    }
    let done = logger
        .query(&Filter::new().agent("sdk-agent").equal("result", actions.saturating_sub(1)).newest(1))?;
    println!("found {} by a result", done.len());
    Ok(())
}

fn number(server: ServerOptions, way: &str) -> Result<(), Box<dyn Error>> {
    let overflow = match way {
        "through" => Overflow::WriteThrough,
        spool => Overflow::Spool(SpoolOptions::new(spool)),
    };
    let logger = AuditLogger::options().overflow(overflow).start(RemoteBackend::open(server)?)?;
    let agent = AuditedAgent::new("sdk-agent", logger);
    let mut out = std::io::stdout();
    for number in 0_u64.. {
        agent.logger().log(agent.event(EventType::ToolCall).action(format!("count.{number}")))?;
        // To the pipe at once: what stands there was returned for.
        writeln!(out, "{number}")?;
    }
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
