//! `echoline explain`: the longer text behind each code.

use crate::exit::ExitStatus;
use crate::failure::{Failure, Stop};
use crate::output::Output;
use echoline::Code;
use echoline::explain::explain;

/// Explain the code of a failure: what it means, what causes it, what to do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  echoline explain               list all codes
  echoline explain no-answer     what nothing coming back means, and how to find out why")]
pub(crate) struct Args {
    /// The code, as it stands in brackets after a failure; without it, all codes are listed
    code: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    let text = match &args.code {
        None => list(),
        Some(text) => explain(read(text)?).to_string(),
    };
    Output::new()?.text(text)?;
    Ok(ExitStatus::Success)
}

/// Each code with what it says in one line.
fn list() -> String {
    let width = Code::ALL.iter().map(|code| code.as_str().len()).max().unwrap_or_default();
    Code::ALL.iter().map(|code| format!("{code:<width$}  {}\n", explain(*code).title)).collect()
}

/// Takes the code as it was copied: in brackets, in capitals.
fn read(text: &str) -> Result<Code, Failure> {
    let word = text.trim().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    word.parse().map_err(|_| {
        let failure = Failure::new("usage", ExitStatus::Usage, format!("there is no code \"{text}\""));
        let failure = match nearest(&word) {
            Some(code) => failure.next(format!("did you mean {code}? echoline explain {code}")),
            None => failure,
        };
        failure.next("echoline explain lists all codes")
    })
}

/// The code that looks most like it, if one does.
fn nearest(word: &str) -> Option<Code> {
    /// Below this, the words have little in common.
    const ALIKE: f64 = 0.75;
    let likeness = |code: &Code| strsim::jaro_winkler(word, code.as_str());
    let best = Code::ALL.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) >= ALIKE).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_line_in_the_list() {
        let list = list();
        assert_eq!(list.lines().count(), Code::ALL.len());
        for code in Code::ALL {
            assert!(list.lines().any(|line| line.split(' ').next() == Some(code.as_str())), "{code}");
        }
    }

    #[test]
    fn a_code_is_read_as_it_was_copied_and_a_typing_error_finds_its_code() {
        assert_eq!(read("[No-Answer]").unwrap(), Code::NoAnswer);
        assert_eq!(nearest("no-anwser"), Some(Code::NoAnswer));
        assert_eq!(nearest("adress-in-use"), Some(Code::AddressInUse));
        assert_eq!(nearest("zzzzz"), None);
        let failure = read("refusd").unwrap_err();
        assert_eq!(
            failure.next,
            ["did you mean refused? echoline explain refused", "echoline explain lists all codes"]
        );
    }
}
