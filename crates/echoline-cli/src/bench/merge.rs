//! `echoline bench merge`: one report from several, added histogram by histogram.

use crate::exit::ExitStatus;
use crate::failure::{Failure, Stop};
use std::path::PathBuf;

/// Add up reports of several machines, histogram by histogram
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Reports that --json wrote
    #[arg(required = true, num_args = 1..)]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    let message = format!("cannot merge {} reports: merge is not in this build", args.files.len());
    Err(Failure::new("usage", ExitStatus::Usage, message).into())
}
