//! The commands that erase, hold, and say what is held about somebody: on a running server only, where each is an
//! event and the policies decide.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The server that is asked.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where to ask")]
pub(crate) struct At {
    /// A running server, as in http://127.0.0.1:4180; its token stands in GREFFIER_TOKEN.
    #[arg(long, value_name = "URL")]
    pub(crate) server: String,
    /// A file that holds the server's token.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// Why something is asked for.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The legal basis, as in `GDPR Art. 17(1)(b)`; needed unless it is a dry run.
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run", default_value = "")]
    pub(crate) basis: String,
    /// The reason; needed unless it is a dry run.
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run", default_value = "")]
    pub(crate) reason: String,
    /// Say what it would take, and ask for nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) at: At,
}

/// `erase …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Erase {
    /// Ask that all contents of a user be erased: the user's key is destroyed.
    User {
        /// The user's `sub`.
        sub: String,
        #[command(flatten)]
        why: Why,
    },
    /// Ask that all contents of events about a subject be erased.
    Subject {
        /// The subject's value, or its reference.
        subject: String,
        #[command(flatten)]
        why: Why,
    },
    /// Ask that all contents of one event be erased.
    Event {
        /// The event's id.
        event: uuid::Uuid,
        #[command(flatten)]
        why: Why,
    },
    /// Ask that one content of one event be erased.
    Part {
        /// The event's id.
        event: uuid::Uuid,
        /// The part's name, as in prompt or result.
        part: String,
        #[command(flatten)]
        why: Why,
    },
    /// Approve what another person asked for; it is done when this returns.
    Approve {
        /// The erasure's id.
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Deny what another person asked for.
    Deny {
        /// The erasure's id.
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// List the erasures, newest first.
    List {
        #[command(flatten)]
        at: At,
    },
}

/// `hold …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Hold {
    /// Place a legal hold: on everything, unless something narrower is named.
    Add {
        /// On what is held of a user.
        #[arg(long, value_name = "SUB", group = "scope")]
        user: Option<String>,
        /// On events about a subject.
        #[arg(long, value_name = "SUBJECT", group = "scope")]
        subject: Option<String>,
        /// On one event.
        #[arg(long, value_name = "ID", group = "scope")]
        event: Option<uuid::Uuid>,
        /// On what was recorded from this time on (RFC 3339).
        #[arg(long, value_name = "TIME", conflicts_with = "scope")]
        from: Option<greffier_event::Timestamp>,
        /// On what was recorded before this time (RFC 3339).
        #[arg(long, value_name = "TIME", conflicts_with = "scope")]
        until: Option<greffier_event::Timestamp>,
        /// The reason.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        at: At,
    },
    /// List the holds that stand.
    List {
        #[command(flatten)]
        at: At,
    },
    /// Release a hold.
    Release {
        /// The hold's id.
        id: String,
        /// The reason.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        at: At,
    },
}

/// `subject`.
#[derive(Debug, Args)]
#[group(id = "whom", required = true, multiple = false, args = ["user", "subject"])]
pub(crate) struct Subject {
    /// All of a user.
    #[arg(long, value_name = "SUB")]
    pub(crate) user: Option<String>,
    /// All about a subject, by value or reference.
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) subject: Option<String>,
    #[command(flatten)]
    pub(crate) at: At,
}
