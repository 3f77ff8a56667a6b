//! `echoline man`: the manual pages, made from the same definitions as `--help`.

use crate::args::Cli;
use crate::code::Own;
use crate::exit::ExitStatus;
use crate::failure::{Failure, Stop};
use crate::output::Output;
use clap::CommandFactory;

/// Print a manual page
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  echoline man | man -l -                                         read it
  echoline man serve > ~/.local/share/man/man1/echoline-serve.1   install one")]
pub(crate) struct Args {
    /// The command that the page is about; without it, the page of the program
    command: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    let mut output = Output::new()?;
    output.bytes(&page(args.command.as_deref())?)?;
    output.flush()?;
    Ok(ExitStatus::Success)
}

fn page(command: Option<&str>) -> Result<Vec<u8>, Failure> {
    let mut program = Cli::command();
    // Fills in the usage lines and the flags that commands inherit.
    program.build();
    let about = match command {
        None => program,
        Some(name) => program.find_subcommand(name).cloned().ok_or_else(|| unknown(name, &program))?,
    };
    let mut roff = Vec::new();
    clap_mangen::Man::new(about).render(&mut roff).expect("a vector takes every write");
    Ok(roff)
}

fn unknown(name: &str, program: &clap::Command) -> Failure {
    let names: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
    Failure::new(Own::Usage, ExitStatus::Usage, format!("there is no command \"{name}\""))
        .fact("have", names.join(", "))
        .next("echoline man COMMAND")
}
