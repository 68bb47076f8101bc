//! The command line.

mod ask;
mod erase;
mod hook;
mod keep;
mod mcp;
mod report;
mod witness;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use greffier_ledger::Level;

pub(crate) use ask::{
    Activity, Evidence, Export, ExportForm, Findings, Import, ImportForm, Producers, Search, Session, Span,
    Sql, Tail, Where, Word,
};
pub(crate) use hook::{Hook, HookInstall, HookServer};
pub(crate) use keep::{Backup, Index, Keys, Restore};
pub(crate) use mcp::{Mcp, Pins};
pub(crate) use report::{Attest, Report, Term, Whom};
pub(crate) use witness::{Witness, WitnessCommand};

pub(crate) use erase::{At, Erase, Hold, Subject, Why};

use crate::config::check::duration;
use crate::exit;
use crate::output::Format;

/// The recorder for AI agents: no record, no act.
#[derive(Debug, Parser)]
#[command(name = "greffier", version, after_help = exit::HELP, propagate_version = true)]
pub(crate) struct Cli {
    /// Configuration file.
    #[arg(long, global = true, value_name = "FILE", env = "GREFFIER_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Form of the data; a table by default.
    #[arg(short, long, global = true, value_enum)]
    pub(crate) output: Option<Format>,
    /// No remarks, only data and errors.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// No colours; `NO_COLOR` does the same.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show it all: a simulated week around a real gateway, and the answers its trail gives.
    Demo(Demo),
    /// Write a configuration, sample policies and fresh keys.
    Init(Init),
    /// Run the gateway; without a configuration, `init` comes first.
    Serve,
    /// Look at the configuration.
    #[command(subcommand)]
    Config(Config),
    /// List the operations of the configured tools, as policies and records name them.
    Tools,
    /// Mint a token from the development issuer, for a loopback listener.
    Token(Token),
    /// Write a C2SP proof that an event is on its trail.
    Prove(Prove),
    /// Check a data directory or a proof, offline.
    Verify(Verify),
    /// Show, make, replace and retire the keys that sign.
    #[command(subcommand)]
    Keys(Keys),
    /// Copy the data, or the keys, to a safe place; beside a running server or from a stopped one.
    Backup(Backup),
    /// Make a data directory of a copy, and check it.
    Restore(Restore),
    /// Make indexes for searches of texts within sealed segments; beside a running server or not.
    Index(Index),
    /// Run a C2SP witness: cosign the checkpoints of logs that only ever grow.
    Witness(Witness),
    /// Say which entries expired, which would go now by the configured retention, and what keeps the others. Changes
    /// nothing.
    Retention,
    /// Wrap an MCP server for a client that speaks to commands: `greffier mcp -- COMMAND`.
    Mcp(Mcp),
    /// Show the pinned definitions of MCP servers' tools, and accept changed ones.
    #[command(subcommand)]
    Pins(Pins),
    /// Find sensitive data: JSONL {id,text} in, {id,spans} out, places in bytes; on a terminal the text with its hits.
    Scan(Scan),
    /// Look at the policies.
    #[command(subcommand)]
    Policy(Policy),
    /// Govern an agent's own tools by its hooks: hand one event on, or install the hooks.
    #[command(subcommand)]
    Hook(Hook),
    /// Find events, newest first, or count them.
    Search(Search),
    /// Ask the table `events` in SQL.
    Sql(Sql),
    /// Show the chain of one session: what was asked, decided and done.
    Session(Session),
    /// Say what one agent did.
    Activity(Activity),
    /// Say what is unusual.
    Findings(Findings),
    /// What the trail shows of a period, clause by clause of a standard; and people's word on it: sign-offs, reviews.
    Report(Report),
    /// Producers that number their events: how many came, and which are missing.
    Producers(Producers),
    /// Show events as they are recorded.
    Tail(Tail),
    /// Put events of elsewhere on a trail, as claims.
    Import(Import),
    /// Carry out all that a search finds, oldest first.
    Export(Export),
    /// Pack what a search finds with its proofs, for others to verify offline.
    Evidence(Evidence),
    /// Erase contents by user, subject, event or part: one person asks, another approves.
    #[command(subcommand)]
    Erase(Erase),
    /// Keep contents from being erased, and from expiring.
    #[command(subcommand)]
    Hold(Hold),
    /// Show all that is held about one user or subject, one event a line.
    Subject(Subject),
}

/// `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder to work in: empty, or an earlier demo's, which is made anew. By default greffier-demo; with --once a
    /// passing one.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Stop after the answers instead of serving on; exit with 1 if one of them does not show.
    #[arg(long)]
    pub(crate) once: bool,
}

/// `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Folder to write into.
    #[arg(long, default_value = ".")]
    pub(crate) dir: PathBuf,
}

/// `config …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Say what is wrong with the configuration, each problem with its place.
    Check,
    /// Show the configuration in force: the file, the environment's overrides, and the defaults.
    Show,
}

/// `token`.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Who the token is for.
    #[arg(long)]
    pub(crate) sub: String,
    /// A role; may be repeated.
    #[arg(long = "role", value_name = "ROLE")]
    pub(crate) roles: Vec<String>,
    /// A scope; may be repeated.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// The tenant.
    #[arg(long, default_value = "default")]
    pub(crate) tenant: String,
    /// The agent that acts for the user.
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// The agent's tier.
    #[arg(long)]
    pub(crate) tier: Option<String>,
    /// The session.
    #[arg(long)]
    pub(crate) session: Option<String>,
    /// The user's e-mail.
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// How long it is valid.
    #[arg(long, default_value = "1h", value_parser = ttl)]
    pub(crate) ttl: Duration,
}

/// `prove`.
#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// The event's id.
    pub(crate) event: uuid::Uuid,
    /// Keys folder: adds the event's decrypted parts to the proof. Without it the proof holds the entry alone.
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub(crate) keys: Option<PathBuf>,
    /// With --server: adds the event's parts to the proof, as --keys does with files.
    #[arg(long, requires = "server")]
    pub(crate) parts: bool,
    /// Write to a file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Prove against the checkpoint that we signed (`integrated`) or that witnesses cosigned (`witnessed`); by default
    /// the best that covers the event.
    #[arg(long, value_parser = proof_level)]
    pub(crate) level: Option<Level>,
    #[command(flatten)]
    pub(crate) place: Where,
}

fn proof_level(text: &str) -> Result<Level, String> {
    let level = Level::parse(text).filter(|level| *level > Level::Durable);
    level.ok_or_else(|| "must be integrated or witnessed".to_owned())
}

/// `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A data directory, an evidence pack or a proof; the configured data directory by default.
    #[arg(value_name = "DIR | PACK | PROOF")]
    pub(crate) target: Option<PathBuf>,
    /// Whom to trust: a C2SP trust policy, obtained from elsewhere.
    #[arg(long, value_name = "POLICY")]
    pub(crate) trust: Option<PathBuf>,
    /// A signed checkpoint that was kept: the trail must have grown from it; may be repeated.
    #[arg(long, value_name = "CHECKPOINT")]
    pub(crate) from: Vec<PathBuf>,
    /// A receipt that was kept, as in 'TRAIL INDEX HASH', or a file with one a line; may be repeated.
    #[arg(long, value_name = "RECEIPT | FILE")]
    pub(crate) receipt: Vec<String>,
    /// Every trail must have a checkpoint that meets the quorum of the trust policy's witnesses.
    #[arg(long, requires = "trust")]
    pub(crate) require_witnessed: bool,
    /// Also makes every column of sealed entries again, instead of relying on the files' signed digests.
    #[arg(long)]
    pub(crate) deep: bool,
    /// Only this event: what it and each of its parts is.
    #[arg(long, value_name = "ID", conflicts_with_all = ["from", "deep"])]
    pub(crate) event: Option<uuid::Uuid>,
    /// Keys folder: also decrypts every part and holds it against its entry.
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
}

/// `scan`.
#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// What to read; stdin by default.
    pub(crate) file: Option<PathBuf>,
    /// Each line is a text, not JSON.
    #[arg(long)]
    pub(crate) text: bool,
    /// Say of each hit which rule decided, and which word beside it.
    #[arg(long)]
    pub(crate) explain: bool,
    /// List the types that are looked for.
    #[arg(long, conflicts_with_all = ["file", "text", "explain", "fail_on"])]
    pub(crate) types: bool,
    /// Exit with 6 if anything of this type (or `any`) is found; may be repeated.
    #[arg(long = "fail-on", value_name = "TYPE")]
    pub(crate) fail_on: Vec<String>,
}

/// `policy …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Validate the policies and list them by id.
    Check {
        /// Folder of `*.cedar` files; the configured one by default.
        dir: Option<PathBuf>,
    },
}

/// Longest life of a development token.
const MAX_TTL: Duration = Duration::from_secs(366 * 24 * 3600);

fn ttl(text: &str) -> Result<Duration, String> {
    let ttl = duration(text)?;
    if (1..=MAX_TTL.as_secs()).contains(&ttl.as_secs()) {
        Ok(ttl)
    } else {
        Err("must be between 1s and 366d".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
