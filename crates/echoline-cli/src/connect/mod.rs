//! `echoline connect`: the client.

use crate::exit::ExitStatus;
use crate::failure::Stop;

/// Connect to a server, send lines and show what comes back
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The host, or HOST:PORT; without it, a server in this process
    host: Option<String>,
    /// The port
    port: Option<String>,
}

pub(crate) fn run(args: Args) -> Result<ExitStatus, Stop> {
    drop(args);
    Ok(ExitStatus::Success)
}
