//! The command line: the commands and what they share. Each command's own flags stand in its module.

use clap::{Parser, Subcommand};

use crate::{bench, completions, connect, explain, man, play, serve};
#[cfg(target_os = "linux")]
use crate::{check, lab};

/// Says whether two programs can talk, and if not, why not.
#[derive(Debug, Parser)]
#[command(name = "echoline", version, propagate_version = true, styles = STYLES, after_help = EXAMPLES)]
#[command(infer_subcommands = false, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One command each.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::Args),
    Connect(connect::Args),
    Bench(bench::Args),
    #[cfg(target_os = "linux")]
    Check(check::Args),
    Play(play::Args),
    Explain(explain::Args),
    #[cfg(target_os = "linux")]
    Lab(lab::Args),
    Completions(completions::Args),
    Man(man::Args),
}

const EXAMPLES: &str = "\
Examples:
  echoline connect                      talk to an echo server inside this process
  echoline serve                        echo lines to this machine, on port 5151
  echoline serve :5151                  echo lines to every network of this machine
  echoline connect 192.0.2.7            talk to the server on another machine
  echoline check 192.0.2.7              say why two programs cannot talk
  echoline bench 192.0.2.7              how fast the server there is, every byte compared
  echoline lab show home                a home network behind a router, on this machine
  echoline play                         Connect Four against a server inside this process
  echoline explain no-answer            what a failure's code means, and what to do

Exit codes:
  0  it worked            1  the network said no         2  wrong usage, or our own fault
  3  a threshold was missed                            130  interrupted";

const STYLES: clap::builder::Styles = clap::builder::Styles::styled()
    .header(anstyle::Style::new().bold())
    .usage(anstyle::Style::new().bold())
    .literal(anstyle::AnsiColor::Cyan.on_default())
    .error(anstyle::AnsiColor::Red.on_default().bold());

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_example_in_the_help_is_a_command_line_that_the_program_takes() {
        let program = Cli::command();
        for command in [&program].into_iter().chain(program.get_subcommands()) {
            let help = command.get_after_help().expect("examples in the help").to_string();
            let examples = help.lines().filter_map(|line| line.trim().strip_prefix("echoline "));
            let mut count = 0;
            for example in examples {
                // What stands before the remark, a pipe or a redirection.
                let line = example.split("  ").next().unwrap_or_default();
                let words = line.split_whitespace().take_while(|word| !matches!(*word, "|" | ">" | "<"));
                let parsed = Cli::try_parse_from(["echoline"].into_iter().chain(words));
                assert!(parsed.is_ok(), "echoline {line}: {}", parsed.unwrap_err());
                count += 1;
            }
            assert!(count >= 2, "{}: {help}", command.get_name());
        }
    }
}
