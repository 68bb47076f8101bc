//! `demo`: a week of two organisations, simulated around a real gateway, and the questions an auditor asks about it.

use crate::cli;
use crate::demo;
use crate::exit::Exit;
use crate::output::Output;

/// No configuration is read, nor the environment's overrides: the demo writes its own, in its own folder.
pub(super) fn run(args: &cli::Demo, output: Output) -> anyhow::Result<Exit> {
    demo::run(args.dir.as_deref(), args.once, output)
}
