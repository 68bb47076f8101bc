//! One file per command. Each returns how the process exits; an error carries its own code.

mod activity;
mod backup;
mod config;
mod demo;
mod erase;
mod evidence;
mod export;
mod findings;
mod hook;
mod import;
mod index;
mod init;
mod keys;
mod mcp;
mod pins;
mod policy;
mod producers;
mod prove;
mod report;
mod restore;
mod retention;
mod scan;
mod search;
mod serve;
mod session;
mod sql;
mod tail;
mod token;
mod tools;
mod verify;
mod witness;

use crate::cli::{Cli, Command, Policy};
use crate::config::{Problem, Problems};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};

/// Runs the command.
pub(crate) fn run(cli: Cli, output: Output) -> anyhow::Result<Exit> {
    let config = cli.config.as_deref();
    match cli.command {
        Command::Demo(args) => demo::run(&args, output),
        Command::Init(args) => init::run(&args.dir, output),
        Command::Serve => serve::run(config, output),
        Command::Config(what) => config::run(&what, config, output),
        Command::Tools => tools::run(config, output),
        Command::Token(args) => token::run(args, config, output),
        Command::Prove(args) => prove::run(&args, config, output),
        Command::Verify(args) => verify::run(&args, config, output),
        Command::Witness(args) => witness::run(&args, output),
        Command::Keys(what) => keys::run(&what, config, output),
        Command::Backup(args) => backup::run(&args, config, output),
        Command::Index(args) => index::run(&args, config, output),
        Command::Restore(args) => restore::run(&args, config, output),
        Command::Mcp(args) => mcp::run(&args, output),
        Command::Pins(what) => pins::run(&what, config, output),
        Command::Retention => retention::run(config, output),
        Command::Scan(args) => scan::run(&args, config, output),
        Command::Policy(Policy::Check { dir }) => policy::check(dir, config, output),
        Command::Hook(what) => hook::run(&what, output),
        Command::Search(args) => search::run(&args, config, output),
        Command::Sql(args) => sql::run(&args, config, output),
        Command::Session(args) => session::run(&args, config, output),
        Command::Activity(args) => activity::run(&args, config, output),
        Command::Findings(args) => findings::run(&args, config, output),
        Command::Report(args) => report::run(&args, config, output),
        Command::Producers(args) => producers::run(&args, config, output),
        Command::Tail(args) => tail::run(&args, config, output),
        Command::Import(args) => import::run(&args, config, output),
        Command::Export(args) => export::run(&args, config, output),
        Command::Evidence(args) => evidence::run(&args, config, output),
        Command::Erase(what) => erase::erase(&what, output),
        Command::Hold(what) => erase::hold(&what, output),
        Command::Subject(args) => erase::subject(&args, output),
    }
}

/// Problems as data, for an editor or a script, and the failure that goes with them.
fn problems(output: Output, code: &'static str, problems: &[Problem]) -> anyhow::Result<Exit> {
    match output.format {
        Format::Table => problems.iter().try_for_each(|problem| output.line(&problem.to_string()))?,
        _ => output.rows(&["place", "message"], problems)?,
    }
    let count = match problems.len() {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    Err(Failure::new(code, count).into())
}

/// No problems, as data.
fn no_problems(output: Output, remark: &str) -> anyhow::Result<Exit> {
    if output.format != Format::Table {
        output.rows::<Problem>(&["place", "message"], &[])?;
    }
    output.note(remark);
    Ok(Exit::Ok)
}

/// The configuration's problems, if that is what an error is.
fn config_problems(error: &anyhow::Error) -> Option<&Problems> {
    error.chain().find_map(|cause| cause.downcast_ref())
}
