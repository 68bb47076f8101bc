//! `witness …`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use greffier_merkle::note::Verifier;

/// `witness`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Witness {
    #[command(subcommand)]
    pub(crate) command: Option<WitnessCommand>,
    /// Folder of the witness's key and of what it cosigned; made on the first start.
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) dir: Option<PathBuf>,
    /// The witness's name, by custom a URL without its scheme; needed on the first start.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4190")]
    pub(crate) listen: SocketAddr,
    /// A proxy in front ends TLS: allows to listen beyond loopback.
    #[arg(long)]
    pub(crate) proxy_ends_tls: bool,
    /// The verifier key of a log to witness; may be repeated.
    #[arg(long = "log", value_name = "VKEY", required_unless_present = "trust")]
    pub(crate) logs: Vec<Verifier>,
    /// A C2SP trust policy: witness all of its logs.
    #[arg(long, value_name = "POLICY")]
    pub(crate) trust: Option<PathBuf>,
}

/// `witness …`.
#[derive(Debug, Subcommand)]
pub(crate) enum WitnessCommand {
    /// Make the key, and show its public half.
    Init {
        /// Folder to write into.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The witness's name, by custom a URL without its scheme.
        #[arg(long)]
        name: String,
    },
    /// Show the public half of the key.
    Key {
        /// The witness's folder.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}
