//! The commands that ask what was recorded, and those that carry it in and out.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use greffier_event::Tenant;
use greffier_query::FacetField;

use crate::fields::Field;
use crate::when;

/// Where a command reads: on a running server, where every read is an event, or in the files of a data directory,
/// where none is.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Where to read")]
pub(crate) struct Where {
    /// A running server, as in http://127.0.0.1:4180; its token stands in GREFFIER_TOKEN.
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// A file that holds the server's token.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(crate) token_file: Option<PathBuf>,
    /// A data directory; the configured one by default.
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub(crate) data: Option<PathBuf>,
    /// Whose trail: by default the token's own, or the only one in the data directory.
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    pub(crate) tenant: Option<Tenant>,
}

/// A span of time.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Span {
    /// Not before: `7d` ago, a day, `yesterday`, `last-month`, or a time in RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<String>,
    /// Before, in the same forms.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<String>,
}

impl Span {
    /// The beginning, as it was written: who answers knows the time that `7d` is counted from.
    pub(crate) fn since(&self) -> Option<&str> {
        self.since.as_deref()
    }

    /// The end, as it was written.
    pub(crate) fn until(&self) -> Option<&str> {
        self.until.as_deref()
    }

    /// A search within the span. The terms come last, so that places in the search stay what they are.
    pub(crate) fn narrow(&self, search: &str) -> String {
        let since = self.since().map(|since| format!(" since:{since}"));
        // `until:` means a day to its end; this span ends before its first instant, as everywhere else.
        let until = self.until().map(|until| format!(" before:{until}"));
        format!("{search}{}{}", since.unwrap_or_default(), until.unwrap_or_default())
    }
}

/// `search`.
#[derive(Debug, Args)]
#[command(after_help = "Example: greffier search 'user:alice tool:crm:* decision:deny' --since 7d --by user")]
pub(crate) struct Search {
    /// `field:value` terms and words; a repeated field is `or`, `-` negates, `*` stands for anything.
    #[arg(default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub(crate) query: String,
    /// Count by the values of a field, as in user, agent, tool, decision, model or type.
    #[arg(long, value_name = "FIELD", value_parser = FacetField::parse, conflicts_with_all = ["limit", "fields"])]
    pub(crate) by: Option<FacetField>,
    /// Count over time, in steps: minute, hour, day, week, month, quarter, year, or as in 5m or 6h.
    #[arg(long, value_name = "STEP", value_parser = step, conflicts_with_all = ["limit", "fields", "by"])]
    pub(crate) per: Option<String>,
    /// Write all that is found to a file, oldest first: .csv, .jsonl or .parquet.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["limit", "fields", "by", "per"])]
    pub(crate) to: Option<PathBuf>,
    /// Keys folder: words and `content:` are looked for in contents with it. A server looks for those who may see them.
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub(crate) keys: Option<PathBuf>,
    /// Most events to show, newest first.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// The fields to show, in this order.
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',', value_parser = Field::parse)]
    pub(crate) fields: Vec<Field>,
    #[command(flatten)]
    pub(crate) span: Span,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// `sql`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: greffier sql 'SELECT user_sub, count(*) AS events FROM events GROUP BY 1 ORDER BY 2 DESC'"
)]
pub(crate) struct Sql {
    /// A SELECT over the table `events`; `-` reads it from stdin.
    #[arg(required_unless_present = "file")]
    pub(crate) query: Option<String>,
    /// Read it from a file.
    #[arg(long, value_name = "FILE", conflicts_with = "query")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// `session`.
#[derive(Debug, Args)]
#[command(after_help = "Example: greffier session sess_42 --keys greffier-keys")]
pub(crate) struct Session {
    /// The session's id.
    pub(crate) id: String,
    /// One line a call, with when it began and how long it took, instead of the tree.
    #[arg(long)]
    pub(crate) timeline: bool,
    /// Keys folder: shows what was asked and answered, decrypted. A server shows it to those who may see it.
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub(crate) keys: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// `activity`.
#[derive(Debug, Args)]
#[command(after_help = "Example: greffier activity --agent crm-assistant --since 7d")]
pub(crate) struct Activity {
    /// Of this agent; without --agent, --user and --tool of the whole tenant.
    #[arg(long, value_name = "ID")]
    pub(crate) agent: Option<String>,
    /// For this user, by `sub`.
    #[arg(long, value_name = "SUB", conflicts_with = "agent")]
    pub(crate) user: Option<String>,
    /// With this tool or model: the action's name.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["agent", "user"])]
    pub(crate) tool: Option<String>,
    #[command(flatten)]
    pub(crate) span: Span,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// `findings`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples: greffier findings --since 1d --fail-on high\n          greffier findings acknowledge ID --reason 'a load test' --server URL"
)]
pub(crate) struct Findings {
    /// Say something of one finding.
    #[command(subcommand)]
    pub(crate) word: Option<Word>,
    /// Of this agent only.
    #[arg(long, value_name = "ID")]
    pub(crate) agent: Option<String>,
    /// Of this user only.
    #[arg(long, value_name = "SUB")]
    pub(crate) user: Option<String>,
    /// Exit with 6 if there is a new one of this severity (low, medium, high) or above, of this type, or `any`; may be
    /// repeated.
    #[arg(long = "fail-on", value_name = "WHAT")]
    pub(crate) fail_on: Vec<String>,
    #[command(flatten)]
    pub(crate) span: Span,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// `findings acknowledge`, `findings mute`, `findings unmute`.
#[derive(Debug, Subcommand)]
pub(crate) enum Word {
    /// It was seen, and may stand.
    Acknowledge(Judged),
    /// Hear no more of its rule about its agent or user.
    Mute(Judged),
    /// Hear of them again.
    Unmute(Judged),
}

/// Which finding, and why.
#[derive(Debug, Args)]
pub(crate) struct Judged {
    /// The finding's id.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Why; it is recorded.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// `producers`.
#[derive(Debug, Args)]
#[command(after_help = "Example: greffier producers --since 7d --fail-on-gaps")]
pub(crate) struct Producers {
    /// Exit with 6 if an event is missing.
    #[arg(long)]
    pub(crate) fail_on_gaps: bool,
    #[command(flatten)]
    pub(crate) span: Span,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// `tail`.
#[derive(Debug, Args)]
#[command(after_help = "Example: greffier tail 'decision:deny' -o jsonl")]
pub(crate) struct Tail {
    /// Which events, as in `search`.
    #[arg(default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub(crate) query: String,
    /// Keys folder, as in `search`.
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub(crate) keys: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// `import`.
#[derive(Debug, Args)]
#[command(after_help = "Example: greffier import events.jsonl --server http://127.0.0.1:4180")]
pub(crate) struct Import {
    /// One event a line, or one JSON array; `-` is stdin. To run it again is harmless.
    pub(crate) file: PathBuf,
    /// Whose records they are, or their form.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) form: ImportForm,
    /// Keep in this file how far it has come: after a kill the next run goes on there.
    #[arg(long, value_name = "FILE")]
    pub(crate) position: Option<PathBuf>,
    /// Keep lines that are not taken in this file; the input's name with `.refused` by default.
    #[arg(long, value_name = "FILE")]
    pub(crate) refused: Option<PathBuf>,
    /// Keys folder, for a data directory; the configured one by default.
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub(crate) keys: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// `export`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: greffier export 'user:alice' --format csv --since 2026-03-01 --out alice.csv"
)]
pub(crate) struct Export {
    /// Which events, as in `search`.
    #[arg(default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub(crate) query: String,
    /// The form: flat and governed join the two events of a call into one entry, the others have every event.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ExportForm,
    /// With what was asked and answered, decrypted.
    #[arg(long)]
    pub(crate) parts: bool,
    /// Keys folder, for a data directory: opens the parts, for which it is the configured one by default, and the contents
    /// that words are looked for in.
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub(crate) keys: Option<PathBuf>,
    /// Write to a file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Go on where an export ended, whose cursor this is: nothing is missed, nothing comes twice.
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
    /// Keep the cursor in this file: go on where the last export ended, and note where this one does.
    #[arg(long, value_name = "FILE", conflicts_with = "after")]
    pub(crate) cursor: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) span: Span,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// `evidence`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: greffier evidence 'user:alice' --since 2026-03-01 --parts prompt --out alice.zip"
)]
pub(crate) struct Evidence {
    /// Which events, as in `search`.
    #[arg(default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub(crate) query: String,
    /// Instead of a search: pack this standard's report, and the events that it shows as samples.
    #[arg(long, value_name = "STANDARD", conflicts_with_all = ["query", "range", "whole_range", "since", "until"], requires = "from")]
    pub(crate) report: Option<String>,
    #[command(flatten)]
    pub(crate) term: Option<crate::cli::Term>,
    /// With --report gdpr: also what the trail has about this user.
    #[arg(long, value_name = "SUB", requires = "report")]
    pub(crate) user: Option<String>,
    /// With --report gdpr: the same about a subject, by value or reference.
    #[arg(long, value_name = "SUBJECT", requires = "report")]
    pub(crate) subject: Option<String>,
    /// Pack the samples that are on the node's own trail, instead of the tenant's.
    #[arg(long, requires = "report")]
    pub(crate) of_node: bool,
    /// The contents to show, by name; all others stay withheld.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) parts: Vec<String>,
    /// Show all contents.
    #[arg(long, conflicts_with = "parts")]
    pub(crate) all_parts: bool,
    /// Leave out nothing between these indexes, so that the pack proves completeness.
    #[arg(long, value_name = "FIRST-LAST", value_parser = pack_range)]
    pub(crate) range: Option<greffier_api::PackRange>,
    /// Leave out nothing between the first and the last event found.
    #[arg(long, conflicts_with = "range")]
    pub(crate) whole_range: bool,
    /// Show in full what was not found and completes the range; otherwise it is there as leaf hashes.
    #[arg(long)]
    pub(crate) in_full: bool,
    /// The trust policy to put in; the node's own word by default.
    #[arg(long, value_name = "POLICY", conflicts_with = "server")]
    pub(crate) trust: Option<PathBuf>,
    /// Keys folder, for the parts in a data directory; the configured one by default.
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub(crate) keys: Option<PathBuf>,
    /// Where to write: a file (ZIP), or with a slash at its end a folder.
    #[arg(long, value_name = "FILE | DIR/")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) span: Span,
    #[command(flatten)]
    pub(crate) place: Where,
}

fn pack_range(text: &str) -> Result<greffier_api::PackRange, String> {
    greffier_api::PackRange::parse(text).ok_or_else(|| "must be two indexes, as in 100-200".to_owned())
}

/// The form of imported events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportForm {
    /// Told from each event's fields.
    #[default]
    Auto,
    /// Greffier's own.
    Native,
    /// The thirteen flat fields.
    Flat,
    /// One entry for a call.
    Governed,
    /// The access log of agentgateway, as text or JSON.
    Agentgateway,
    /// LiteLLM: `StandardLoggingPayload` or rows of `LiteLLM_SpendLogs`.
    Litellm,
    /// Langfuse: exported observations or traces.
    Langfuse,
}

/// The form of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportForm {
    /// Greffier's own, an event a line.
    #[default]
    Native,
    /// The thirteen flat fields, an entry a line.
    Flat,
    /// Identity, action, policy, content safety, usage and outcome, an entry a line.
    Governed,
    /// A table for spreadsheets, an event a row.
    Csv,
    /// OCSF 1.8, an event a line.
    Ocsf,
    /// CEF, an event a line.
    Cef,
    /// The agent audit trail draft of the IETF: a hash chain for each session.
    Aat,
    /// A Parquet file with the columns of the table `events`, an event a row.
    Parquet,
}

fn tenant(text: &str) -> Result<Tenant, String> {
    Tenant::new(text).map_err(|error| error.to_string())
}

fn step(text: &str) -> Result<String, String> {
    let known = greffier_query::Per::parse(text).is_some();
    known.then(|| text.to_owned()).ok_or_else(|| {
        "expected minute, hour, day, week, month, quarter, year, or a part of a day as in 5m".to_owned()
    })
}

/// Checked here, counted from where it is answered.
fn time(text: &str) -> Result<String, String> {
    when::parse(text, when::now()).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_within_a_span() {
        let check = |since: &str, until: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            Span { since: some(since), until: some(until) }.narrow("user:bob")
        };
        assert_eq!(check("", ""), "user:bob");
        assert_eq!(check("7d", "1d"), "user:bob since:7d before:1d");
        assert_eq!(check("2026-03-01", "yesterday"), "user:bob since:2026-03-01 before:yesterday");
    }
}
