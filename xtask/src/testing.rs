//! `cargo xtask faults`, `soak` and `peers`: hands the words over to the program of `testing/`. It is
//! a workspace of its own, so that xtask compiles fast.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Error, Result};

use crate::run;

/// What follows the subcommand, whatever it is: the program there knows its own flags.
#[derive(clap::Args)]
pub(crate) struct Words {
    #[arg(hide = true, allow_hyphen_values = true, trailing_var_arg = true)]
    words: Vec<OsString>,
}

/// The program there with `words`; cargo builds it first if need be.
pub(crate) fn program<Word: AsRef<OsStr>>(words: impl IntoIterator<Item = Word>) -> Command {
    let mut cargo = run::testing("run");
    cargo.args(["--quiet", "--"]).args(words);
    cargo
}

/// Becomes that program: so its exit code is ours, and a signal reaches it as it would reach us.
pub(crate) fn become_program(subcommand: &str, Words { words }: Words) -> Result<()> {
    let error = program([subcommand]).args(words).exec();
    Err(Error::new(error).context("cannot start cargo"))
}

/// `help faults` as `faults --help`: our own parser knows too little to answer it.
pub(crate) fn asked_directly(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<_> = words.into_iter().collect();
    if let [_, help, subcommand] = &mut words[..]
        && help == "help"
        && ["faults", "soak", "peers"].iter().any(|ours| subcommand == ours)
    {
        *help = std::mem::replace(subcommand, "--help".into());
    }
    words
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn every_word_passes_our_parser_as_it_is() {
        for words in [&["--help"][..], &["-h"], &["22", "--engine", "uring", "--quick", "-v", "--help"], &[]]
        {
            let line = ["xtask", "faults"].iter().chain(words);
            let crate::Command::Faults(passed) = crate::Args::parse_from(line).command else {
                panic!("another subcommand");
            };
            assert_eq!(passed.words, words);
        }
    }

    #[test]
    fn help_on_a_subcommand_of_theirs_is_asked_of_them() {
        let asked = |line: &str| asked_directly(line.split(' ').map(OsString::from));
        assert_eq!(asked("xtask help faults"), ["xtask", "faults", "--help"]);
        assert_eq!(asked("xtask help ci"), ["xtask", "help", "ci"]);
        assert_eq!(asked("xtask faults help"), ["xtask", "faults", "help"]);
    }
}
