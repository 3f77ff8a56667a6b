//! `echoline explain`: the longer text behind each code. The pages of the network's codes are the library's; those of
//! the program's own are here.

mod bench;
mod lab;
mod program;

use crate::code::{Code, Own};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Stop};
use crate::output::Output;
use echoline::explain::Page;

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

/// The page of one of the program's own codes.
pub(crate) fn page(code: Own) -> &'static Page {
    match code {
        Own::Ok => &program::OK,
        Own::Usage => &program::USAGE,
        Own::Input => &program::INPUT,
        Own::Output => &program::OUTPUT,
        Own::Server => &program::SERVER,
        Own::EngineUnavailable => &program::ENGINE_UNAVAILABLE,
        Own::UnexpectedReply => &program::UNEXPECTED_REPLY,
        Own::GeneratorBound => &bench::GENERATOR_BOUND,
        Own::GeneratorCrowded => &bench::GENERATOR_CROWDED,
        Own::GeneratorLate => &bench::GENERATOR_LATE,
        Own::FewSamples => &bench::FEW_SAMPLES,
        Own::Starved => &bench::STARVED,
        Own::Unsent => &bench::UNSENT,
        Own::ClockStep => &bench::CLOCK_STEP,
        Own::LabTopology => &lab::TOPOLOGY,
        Own::LabMissingTool => &lab::MISSING_TOOL,
        Own::LabForbidden => &lab::FORBIDDEN,
        Own::LabMisuse => &lab::MISUSE,
        Own::LabCommand => &lab::COMMAND,
        Own::LabUnknownName => &lab::UNKNOWN_NAME,
        Own::LabBadChange => &lab::BAD_CHANGE,
        Own::LabServer => &lab::SERVER,
        Own::LabSystem => &lab::SYSTEM,
    }
}

/// Each code with what it says in one line.
fn list() -> String {
    let width = Code::all().map(|code| code.as_str().len()).max().unwrap_or_default();
    Code::all().map(|code| format!("{code:<width$}  {}\n", code.page().title)).collect()
}

/// Takes the code as it was copied: in brackets, in capitals.
fn read(text: &str) -> Result<Code, Failure> {
    let word = text.trim().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    // check prints its certainty beside the code.
    let word = word.split(',').next().unwrap_or_default();
    Code::find(word).ok_or_else(|| {
        let failure = Failure::new(Own::Usage, ExitStatus::Usage, format!("there is no code \"{text}\""));
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
    use echoline::Code as Library;

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
            assert_eq!(read(text).unwrap(), Code::Library(Library::NoAnswer));
        }
        assert_eq!(read("[ok, certain]").unwrap(), Code::Own(Own::Ok));
        assert_eq!(nearest("no-anwser"), Some(Library::NoAnswer.into()));
        assert_eq!(nearest("adress-in-use"), Some(Library::AddressInUse.into()));
        assert_eq!(nearest("zzzzz"), None);
        let failure = read("refusd").unwrap_err();
        assert_eq!(
            failure.next,
            ["did you mean refused? echoline explain refused", "echoline explain lists all codes"]
        );
    }
}
