//! `echoline explain`: the page of each code.

use crate::failure::Stop;
use crate::output::Output;
use echoline_diagnosis::ExitStatus;
use echoline_diagnosis::{Code, Diagnosis, code};

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
        Some(text) => read(text)?.page().to_string(),
    };
    Output::new()?.text(text)?;
    Ok(ExitStatus::Success)
}

/// Each code with what it says in one line.
fn list() -> String {
    let width = Code::all().map(|code| code.as_str().len()).max().unwrap_or_default();
    Code::all().map(|code| format!("{code:<width$}  {}\n", code.page().title)).collect()
}

/// Takes the code as it was copied: in brackets, in capitals.
fn read(text: &str) -> Result<Code, Diagnosis> {
    let word = text.trim().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    // check prints its certainty beside the code.
    let word = word.split(',').next().unwrap_or_default();
    word.parse().map_err(|_| {
        let failure = Diagnosis::new(code::USAGE, format!("there is no code \"{text}\""));
        let failure = match nearest(word) {
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
    let best = Code::all().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) >= ALIKE).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_line_in_the_list() {
        let list = list();
        assert_eq!(list.lines().count(), Code::all().count());
        for code in Code::all() {
            assert!(list.lines().any(|line| line.split(' ').next() == Some(code.as_str())), "{code}");
        }
    }

    #[test]
    fn a_code_is_read_as_it_was_copied_and_a_typing_error_finds_its_code() {
        for text in ["[No-Answer]", "no-answer, likely", "[no-answer, cannot-tell]"] {
            assert_eq!(read(text).unwrap(), code::NO_ANSWER);
        }
        assert_eq!(read("[ok, certain]").unwrap(), code::OK);
        assert_eq!(nearest("no-anwser"), Some(code::NO_ANSWER));
        assert_eq!(nearest("adress-in-use"), Some(code::ADDRESS_IN_USE));
        assert_eq!(nearest("zzzzz"), None);
        let failure = read("refusd").unwrap_err();
        assert_eq!(
            failure.steps().iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["did you mean refused? echoline explain refused", "echoline explain lists all codes"]
        );
    }
}
