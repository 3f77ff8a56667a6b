//! Standard error: everything that is said to a person.

use std::fmt::Display;
use std::io::Write;

use echoline_diagnosis::Diagnosis;

use crate::failure::Shown;

/// How much a command says on standard error.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Voice {
    /// Say more on standard error
    #[arg(short, long, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Say nothing on standard error but failures
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Says things on standard error, as much as the user asked for.
///
/// A message that cannot be written is dropped: talk never stops a command.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Talk {
    voice: Voice,
}

impl Talk {
    pub(crate) fn new(voice: Voice) -> Self {
        Self { voice }
    }

    pub(crate) fn is_verbose(self) -> bool {
        self.voice.verbose
    }

    /// One line, unless quiet.
    pub(crate) fn say(self, line: impl Display) {
        if !self.voice.quiet {
            write(line);
        }
    }

    /// One line, only when verbose.
    pub(crate) fn detail(self, line: impl Display) {
        if self.voice.verbose {
            write(line);
        }
    }

    /// A failure, also when quiet.
    pub(crate) fn failure(self, failure: &Diagnosis) {
        write(Shown::of(failure).text());
    }
}

fn write(line: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}
