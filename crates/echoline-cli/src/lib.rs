//! The `echoline` program as a library: one module a command, each in the same steps:
//! `args -> config -> run -> report -> render`.
#![forbid(unsafe_code)]

// The program's frame.
mod args;
mod failure;
mod output;
mod talk;

// What the commands share.
mod descriptors;
mod destination;
mod holder;
mod place;
mod reach;
mod recognise;
mod shortage;
#[cfg(target_os = "linux")]
mod sockets;

// The commands.
mod bench;
#[cfg(target_os = "linux")]
mod check;
mod completions;
mod connect;
mod explain;
#[cfg(target_os = "linux")]
mod lab;
mod man;
mod play;
mod serve;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use echoline_diagnosis::ExitStatus;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use failure::Stop;
use output::Output;
use std::ffi::OsString;
use talk::Talk;

/// Reads the arguments (the first is the program's name), runs the command and says how it ended.
///
/// Failures are already on standard error when this returns.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitStatus {
    let ended = match Cli::try_parse_from(arguments) {
        Ok(cli) => dispatch(cli.command),
        Err(refused) => help_or_usage(&refused),
    };
    match ended {
        Ok(status) => status,
        Err(Stop::OutputClosed) => ExitStatus::Success,
        Err(Stop::Failure(failure)) => {
            Talk::default().failure(&failure);
            failure.exit()
        }
    }
}

fn dispatch(command: Command) -> Result<ExitStatus, Stop> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Connect(args) => connect::run(&args),
        Command::Bench(args) => bench::run(args),
        #[cfg(target_os = "linux")]
        Command::Check(args) => check::run(&args),
        Command::Play(args) => play::run(&args),
        Command::Explain(args) => explain::run(&args),
        #[cfg(target_os = "linux")]
        Command::Lab(args) => lab::run(args),
        Command::Completions(args) => completions::run(&args, Cli::command()),
        Command::Man(args) => man::run(&args, Cli::command()),
    }
}

/// Clap reports `--help` and `--version` as errors too: those are data, the others are talk.
fn help_or_usage(message: &clap::Error) -> Result<ExitStatus, Stop> {
    if message.use_stderr() {
        // Nobody is left to tell when standard error cannot be written.
        let _ = message.print();
        return Ok(ExitStatus::Usage);
    }
    let text = message.render();
    let choice = anstream::AutoStream::choice(&std::io::stdout());
    let styled = choice != anstream::ColorChoice::Never;
    Output::new()?.text(if styled { text.ansi().to_string() } else { text.to_string() })?;
    Ok(ExitStatus::Success)
}
