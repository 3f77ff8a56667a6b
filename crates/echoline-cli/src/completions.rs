//! `echoline completions`: what a shell needs to complete our command line.

use crate::args::Cli;
use crate::failure::Stop;
use crate::output::Output;
use clap::CommandFactory;
use clap_complete::Shell;
use echoline_diagnosis::ExitStatus;

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  echoline completions bash > ~/.local/share/bash-completion/completions/echoline
  echoline completions fish > ~/.config/fish/completions/echoline.fish
  echoline completions zsh  > \"${fpath[1]}/_echoline\"")]
pub(crate) struct Args {
    /// The shell to complete for
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "echoline", &mut script);
    let mut output = Output::new()?;
    output.bytes(&script)?;
    output.flush()?;
    Ok(ExitStatus::Success)
}
