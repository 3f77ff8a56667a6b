//! `echoline man`: the manual pages, made from the same definitions as `--help`.

use std::io;

use clap_mangen::Man;
use echoline_diagnosis::{Diagnosis, ExitStatus, code};

use crate::failure::Stop;
use crate::output::Output;

/// Print a manual page
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  echoline man | man -l -                                         read it
  echoline man lab run | man -l -                                 the page of a command of a command
  echoline man serve > ~/.local/share/man/man1/echoline-serve.1   install one")]
pub(crate) struct Args {
    /// The command that the page is about, as `lab run` or `lab-run`; without it, the page of the program
    command: Vec<String>,
}

/// `program` is the whole command line.
pub(crate) fn run(args: &Args, program: clap::Command) -> Result<ExitStatus, Stop> {
    let mut output = Output::new()?;
    output.bytes(&page(program, &args.command)?)?;
    output.flush()?;
    Ok(ExitStatus::Success)
}

fn page(mut program: clap::Command, words: &[String]) -> Result<Vec<u8>, Diagnosis> {
    // Fills in the usage lines and the flags that commands inherit.
    program.build();
    let path = words.join("-");
    let path = path.strip_prefix("echoline-").unwrap_or(&path);
    let mut about = &program;
    for name in path.split('-').filter(|_| !path.is_empty()) {
        let found = commands(about).find(|command| command.get_name() == name);
        about = found.ok_or_else(|| unknown(&words.join(" "), about))?;
    }
    let mut roff = Vec::new();
    render(about, &mut roff).expect("a vector takes every write");
    Ok(roff)
}

/// All but clap's own `help`: what it says stands in the pages of the others.
fn commands(about: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    about.get_subcommands().filter(|command| command.get_name() != "help")
}

/// As clap_mangen does it, but for what stands behind the help: that is set in lines.
fn render(about: &clap::Command, roff: &mut Vec<u8>) -> io::Result<()> {
    let version = about.get_version().unwrap_or_default();
    let man = Man::new(about.clone()).source(format!("echoline {version}"));
    man.render_title(roff)?;
    man.render_name_section(roff)?;
    man.render_synopsis_section(roff)?;
    man.render_description_section(roff)?;
    man.render_options_section(roff)?;
    if about.has_subcommands() {
        man.render_subcommands_section(roff)?;
    }
    if let Some(text) = about.get_after_help() {
        roff.extend_from_slice(in_lines(&text.to_string()).as_bytes());
    }
    man.render_version_section(roff)
}

/// `Examples:` and its like as sections, each line as it is written.
fn in_lines(text: &str) -> String {
    let mut roff = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_suffix(':').filter(|heading| !heading.starts_with(' ')) {
            Some(heading) => roff.push_str(&format!(".SH {}\n.nf\n", heading.to_uppercase())),
            None if roff.is_empty() => roff.push_str(&format!(".SH NOTES\n{}\n", escaped(line))),
            None => roff.push_str(&format!("{}\n", escaped(line))),
        }
    }
    roff.replace("\n.SH ", "\n.fi\n.SH ") + ".fi\n"
}

/// Nothing in it is a command of roff(7), and hyphens and quotes can be copied into a shell.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if line.starts_with('.') { format!("\\&{line}") } else { line }
}

fn unknown(name: &str, about: &clap::Command) -> Diagnosis {
    let names: Vec<_> = commands(about).map(clap::Command::get_name).collect();
    let failure = Diagnosis::new(code::USAGE, format!("there is no command \"{name}\""));
    let failure = if names.is_empty() { failure } else { failure.evidence("have", names.join(", ")) };
    failure.next("echoline man COMMAND")
}
