//! `echoline completions`: what a shell needs to complete our command line.

use clap_complete::Shell;
use echoline_diagnosis::ExitStatus;

use crate::failure::Stop;
use crate::output::Output;

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

/// `program` is the whole command line.
pub(crate) fn run(args: &Args, mut program: clap::Command) -> Result<ExitStatus, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "echoline", &mut script);
    let mut output = Output::new()?;
    output.bytes(&script)?;
    output.flush()?;
    Ok(ExitStatus::Success)
}
