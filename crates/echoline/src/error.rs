//! How this library makes an [`Error`], and the times in its sentences and waits.

use std::time::{Duration, Instant};

use echoline_diagnosis::{Code, Diagnosis as Error, Operation, Text};

/// An error of an operation on a socket, an endpoint or a name.
pub(crate) fn error(code: Code, operation: Operation, sentence: impl Into<Text>) -> Error {
    Error::new(code, sentence).during(operation)
}

/// A time as sentences give it: `250 ms`, `5.0 s`.
pub(crate) fn span(time: Duration) -> Text {
    echoline_diagnosis::plain(if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    })
}

/// The end of a wait of `timeout` from `now`. A timeout beyond what the clock can count is as good as a year.
pub(crate) fn deadline(now: Instant, timeout: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    now + timeout.min(YEAR)
}
