//! The commands that keep an installation: its keys, its copies.

use std::path::PathBuf;

use clap::Subcommand;

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
