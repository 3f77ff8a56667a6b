//! The `echoline` program as a library: one directory a command, and what commands share.
//!
//! The modules below stand in layers. A module uses others of its own layer without a circle, and
//! layers above its own, never one below; the commands do not use each other.
//!
//! A command that reads flags, does something and says what came of it goes through these steps,
//! one module each:
//!
//! - `args`: the flags, as they were written
//! - `config`: what is going to happen: the flags checked against each other, every default filled in
//! - `run`: does it, in order
//! - `report`: what came of it, as a value, which is also the JSON document
//! - `render`: the report, and what is said meanwhile, as text
//!
//! `serve`, `connect` and `bench` have all five. `play` has no report: the game is shown as it goes.
//! The report of `check` is made by the crate `echoline-check`. `lab` has a module for a few of its verbs
//! each. `explain`, `completions` and `man` print what they have in one file.
#![forbid(unsafe_code)]

// What commands share and what says nothing: this machine's limits.
mod descriptors;
mod shortage;

// How a command speaks: why it stopped, standard error, standard output.
mod failure;
mod output;
mod talk;

// What several commands begin with: the server that they talk to.
mod destination;

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

// All of them: the command line, and what the fuzzer reaches.
mod args;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use echoline_diagnosis::ExitStatus;

use std::ffi::OsString;

use clap::{CommandFactory, Parser};

use self::args::{Cli, Command};
use self::failure::Stop;
use self::output::Output;
use self::talk::Talk;

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
