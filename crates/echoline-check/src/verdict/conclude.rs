//! How a verdict is put together.

use echoline_diagnosis::{Certainty, Code, Diagnosis, Text, code, plain};

use crate::words::sentence;

/// With the line that tells more about a failure.
pub(super) fn explained(verdict: Diagnosis) -> Diagnosis {
    match verdict.code() {
        code::OK | code::UNEXPECTED_REPLY => verdict,
        code => verdict.next(explain(code)),
    }
}

pub(super) fn explain(code: Code) -> Text {
    plain(format!("echoline explain {code}"))
}

/// It works, for certain.
pub(super) fn ok(sentence: impl Into<Text>) -> Diagnosis {
    Diagnosis::new(code::OK, sentence)
}

pub(super) fn likely(code: Code, sentence: impl Into<Text>) -> Diagnosis {
    Diagnosis::new(code, sentence).with_certainty(Certainty::Likely)
}

pub(super) fn cannot_tell(code: Code, sentence: impl Into<Text>) -> Diagnosis {
    Diagnosis::new(code, sentence).with_certainty(Certainty::CannotTell)
}

/// What could not be read, or done, as a verdict.
pub(super) fn of_problem(problem: &Diagnosis) -> Diagnosis {
    Diagnosis::new(problem.code(), sentence(&problem.whole())).next(remedy(problem))
}

/// The best next step as a text: of the failure, or of its code's page.
pub(super) fn remedy(problem: &Diagnosis) -> Text {
    problem.steps().first().cloned().unwrap_or_else(|| plain(problem.remedy()))
}
