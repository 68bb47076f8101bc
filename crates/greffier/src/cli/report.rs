//! `report`: what the trail shows of a period, and people's word about it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ask::Where;
use super::erase::At;

/// `report`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples: greffier report soc2 --from 2026-01-01 --to 2026-04-01 --tz Europe/Berlin --html soc2.html\n          greffier report gdpr --from 2026-01-01 --to 2026-04-01 --user alice --subject P-1047"
)]
pub(crate) struct Report {
    /// soc2, hipaa, gdpr, pci-dss, eu-ai-act, iso-42001; or summary, which is no standard.
    #[arg(value_name = "STANDARD", required = true)]
    pub(crate) standard: Option<String>,
    #[command(flatten)]
    pub(crate) term: Option<Term>,
    #[command(flatten)]
    pub(crate) person: Whom,
    /// Also write the page for people.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Also write it as PDF.
    #[arg(long, value_name = "FILE")]
    pub(crate) pdf: Option<PathBuf>,
    /// Exit with 6 if a clause has a gap.
    #[arg(long)]
    pub(crate) fail_on_gap: bool,
    #[command(flatten)]
    pub(crate) place: Where,
    #[command(subcommand)]
    pub(crate) attest: Option<Attest>,
}

/// One person, for `gdpr`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Whom {
    /// With gdpr: also what the trail has about this user, for an access request.
    #[arg(long, value_name = "SUB")]
    pub(crate) user: Option<String>,
    /// With gdpr: the same about a subject, by value or reference; with --user, of one person who is both.
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) subject: Option<String>,
    /// Keys folder, to find a person's references and erasures in a data directory; the configured one by default.
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub(crate) keys: Option<PathBuf>,
}

impl Whom {
    /// Whether anybody is named.
    pub(crate) fn is_somebody(&self) -> bool {
        self.user.is_some() || self.subject.is_some()
    }

    /// As a server takes it.
    pub(crate) fn params(&self) -> [(&'static str, Option<&str>); 2] {
        [("user", self.user.as_deref()), ("subject", self.subject.as_deref())]
    }
}

/// The period of a report.
#[derive(Clone, Debug, Args)]
#[group(required = false, multiple = true)]
pub(crate) struct Term {
    /// The first day of the period, or its first instant (RFC 3339).
    #[arg(long, value_name = "DAY | TIME", required = false, requires = "to")]
    pub(crate) from: String,
    /// The first day after the period, or its first instant.
    #[arg(long, value_name = "DAY | TIME", required = false, requires = "from")]
    pub(crate) to: String,
    /// Where days begin, as in Europe/Berlin; UTC by default.
    #[arg(long, value_name = "ZONE", requires = "from")]
    pub(crate) tz: Option<String>,
}

impl Term {
    /// As a server takes it.
    pub(crate) fn params(&self) -> [(&'static str, Option<&str>); 3] {
        [("from", Some(&self.from)), ("to", Some(&self.to)), ("tz", self.tz.as_deref())]
    }
}

/// A person's word on the trail.
#[derive(Debug, Subcommand)]
pub(crate) enum Attest {
    /// Sign off that the records of a period were reviewed.
    SignOff {
        /// The standard whose report was looked at.
        standard: String,
        #[command(flatten)]
        term: Term,
        /// The report that was looked at, as it was written: its SHA-256 goes on record.
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
        /// What was looked at, and found.
        #[arg(long, value_name = "TEXT")]
        note: String,
        #[command(flatten)]
        at: At,
    },
    /// Sign off that it was reviewed who may do what.
    AccessReview {
        /// What was looked at, and found.
        #[arg(long, value_name = "TEXT")]
        note: String,
        #[command(flatten)]
        at: At,
    },
    /// Say that emergency access is taken, and why; prints the id by which another person reviews it.
    BreakGlass {
        /// Why.
        #[arg(long, value_name = "TEXT")]
        note: String,
        #[command(flatten)]
        at: At,
    },
    /// Sign off that emergency access, which another person took, was looked at.
    ReviewBreakGlass {
        /// The id that `break-glass` printed.
        event: uuid::Uuid,
        /// What was looked at, and found.
        #[arg(long, value_name = "TEXT")]
        note: String,
        #[command(flatten)]
        at: At,
    },
    /// Approve policies by their digest, as `greffier policy check` and the node's trail name it.
    ApprovePolicy {
        /// `sha256:…`.
        digest: String,
        /// What was looked at, and found.
        #[arg(long, value_name = "TEXT")]
        note: String,
        #[command(flatten)]
        at: At,
    },
}
