//! The recorder for AI agents: commands, configuration, wiring.
//!
//! `cli` says what can be asked for, `cmd` has one file per command, `config` reads and checks what was written,
//! `wire` turns it into what the gateway runs with, `output` and `exit` are how a command speaks and ends.
//! `key_watch` puts changes of the keys on record and into effect, `timestamps` asks an authority for time stamps.
//! `source` is where a read command reads (the files, or a server through `http`), `fields` and `when` are the words
//! it is asked in. `witness` is a program of its own: it serves the logs of others.

mod cli;
mod cmd;
mod config;
mod demo;
mod dev_issuer;
mod exit;
mod fields;
mod http;
mod indexing;
mod key_watch;
mod mcp;
mod output;
mod site;
mod source;
mod timestamps;
mod webhook;
mod when;
mod wire;
mod witness;
mod witnesses;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::Cli;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};

/// Recording is many small allocations on one thread that are given back on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let exit = match Cli::try_parse() {
        Ok(cli) => {
            let output = Output::new(cli.output.unwrap_or_default(), cli.quiet, cli.no_color)
                .asked(cli.output.is_some());
            cmd::run(cli, output).unwrap_or_else(|error| {
                // Whoever read our output has enough of it: `greffier … | head`.
                if is_broken_pipe(&error) { Exit::Ok } else { output.failed(&error) }
            })
        }
        Err(error) => usage(&error),
    };
    ExitCode::from(exit as u8)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(broken))
}

/// Help, the version, or what is wrong with the command line: there is no parsed `--output` to go by.
fn usage(error: &clap::Error) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // With stdout gone there is nobody to help.
        drop(error.print());
        return Exit::Ok;
    }
    let args: Vec<String> = std::env::args().collect();
    let json = |pair: &[String]| match pair {
        [flag, form] => matches!(flag.as_str(), "-o" | "--output") && form.starts_with("json"),
        _ => false,
    };
    let glued = |arg: &String| arg.starts_with("-ojson") || arg.starts_with("--output=json");
    if args.windows(2).any(json) || args.iter().any(glued) {
        let rendered = error.render().to_string();
        let message = rendered.trim().trim_start_matches("error: ").to_owned();
        let failure = Failure::new("usage", message).exit(Exit::Usage);
        return Output::new(Format::Json, false, true).failed(&failure.into());
    }
    drop(error.print());
    Exit::Usage
}
