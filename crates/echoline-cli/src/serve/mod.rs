//! `echoline serve`: the server as a program.

use crate::exit::ExitStatus;
use crate::failure::Stop;

/// Serve lines back to whoever sends them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to serve where
    #[arg(value_name = "[SERVICE=]LISTEN")]
    listen: Vec<String>,
}

pub(crate) fn run(args: Args) -> Result<ExitStatus, Stop> {
    drop(args);
    Ok(ExitStatus::Success)
}
