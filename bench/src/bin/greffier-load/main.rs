//! What the comparison of gateways runs around them: an upstream, the least a proxy can be, and a client that
//! measures; and the same for ingest: agents that record by the SDK, and the least a server for them can be. One process
//! each, so that the processor's time of the gateway is its own.
//!
//! ```console
//! $ greffier-load upstream PORT
//! $ greffier-load proxy PORT UPSTREAM_PORT
//! $ greffier-load client URL --connections 32 --bytes 1024 --seconds 4 [--stream] [--model M] [--header 'name: value']…
//! $ greffier-load ingest URL TOKEN_FILE --senders 3 --events 200000 --batch 4096
//! $ greffier-load sink PORT
//! ```

mod client;
mod ingest;
mod proxy;
mod sink;
mod texts;
mod upstream;

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let what = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    match (what.as_str(), args.as_slice()) {
        ("upstream", [port]) => upstream::run(port.parse()?),
        ("proxy", [port, upstream]) => proxy::run(port.parse()?, upstream.parse()?),
        ("client", [url, options @ ..]) => {
            Ok(writeln!(std::io::stdout(), "{}", client::run(load(url, options)?)?)?)
        }
        ("ingest", [url, token, options @ ..]) => {
            let load = ingest_load(url, token, options)?;
            Ok(writeln!(std::io::stdout(), "{}", ingest::run(&load)?)?)
        }
        ("sink", [port]) => sink::run(port.parse()?),
        _ => Err("usage: greffier-load upstream PORT | proxy PORT UPSTREAM_PORT | client URL [OPTIONS] \
            | ingest URL TOKEN_FILE [OPTIONS] | sink PORT"
            .into()),
    }
}

fn load(url: &str, options: &[String]) -> Result<client::Load, Failure> {
    let mut load = client::Load {
        url: url.parse()?,
        headers: Vec::new(),
        model: "gpt-4o-mini".to_owned(),
        connections: 1,
        bytes: 1024,
        time: Duration::from_secs(1),
        stream: false,
    };
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut value = || options.next().ok_or_else(|| format!("{option} needs a value"));
        match option.as_str() {
            "--connections" => load.connections = value()?.parse()?,
            "--bytes" => load.bytes = value()?.parse()?,
            "--seconds" => load.time = Duration::from_secs_f64(value()?.parse()?),
            "--model" => load.model = value()?.clone(),
            "--stream" => load.stream = true,
            "--header" => {
                let (name, text) = value()?.split_once(": ").ok_or("a header is written `name: value`")?;
                load.headers.push((HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(text)?));
            }
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(load)
}

fn ingest_load(url: &str, token: &str, options: &[String]) -> Result<ingest::Load, Failure> {
    let token = greffier_client::Token::File(token.into());
    let mut load = ingest::Load { url: url.to_owned(), token, senders: 2, events: 100_000, batch: 4_096 };
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let value = options.next().ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--senders" => load.senders = value.parse()?,
            "--events" => load.events = value.parse()?,
            "--batch" => load.batch = value.parse()?,
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(load)
}
