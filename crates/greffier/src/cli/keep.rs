//! The commands that keep an installation: its keys, its copies.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `keys …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Show the keys that sign, by trail and generation, and who may read the files.
    Show,
    /// Make a fresh key ring; never overwrites one.
    Generate {
        /// Folder to make it in; the configured one by default.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Make the next generation: it signs beside the one before it until that is retired.
    Rotate,
    /// Let the older of two generations sign no more.
    Retire {
        /// Which generation; the older one by default.
        generation: Option<u32>,
    },
}

/// `backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Folder of backups: each copy gets a folder of its own in it, and shares with the one before what never changes.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Copy the keys instead of the data: into another folder, kept elsewhere.
    #[arg(long)]
    pub(crate) keys: bool,
}

/// `index`.
#[derive(Debug, Args)]
pub(crate) struct Index {
    /// A data directory; the configured one by default.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Make all of them again, not only what is missing or damaged.
    #[arg(long)]
    pub(crate) rebuild: bool,
    /// Remove all of them: searches find the same, later.
    #[arg(long, conflicts_with = "rebuild")]
    pub(crate) remove: bool,
}

/// `restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// A folder of backups, of which the newest copy counts, or one copy.
    #[arg(long, value_name = "DIR")]
    pub(crate) from: PathBuf,
    /// Where the data goes: a new or empty folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// The keys' backup, to restore them too and check every part.
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
    /// Where the keys go; the configured folder by default.
    #[arg(long, value_name = "DIR", requires = "keys")]
    pub(crate) keys_to: Option<PathBuf>,
    /// Whom to trust: a C2SP trust policy, obtained from elsewhere.
    #[arg(long, value_name = "POLICY")]
    pub(crate) trust: Option<PathBuf>,
}
