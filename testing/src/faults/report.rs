//! What was seen, as a table for people and as one JSON document.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::bench::Bench;
use super::canary::Watched;
use super::row::{Bound, Kind, Row};
use super::victim::Subject;
use crate::machine::Machine;

#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) schema: &'static str,
    pub(crate) machine: Machine,
    pub(crate) quick: bool,
    pub(crate) rows: Vec<Line>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Pass,
    Fail,
    /// This machine cannot provoke it.
    NotShown,
    /// The feature is not there yet.
    Later,
}

/// One row on one engine.
#[derive(Serialize)]
pub(crate) struct Line {
    pub(crate) row: u8,
    pub(crate) fault: &'static str,
    pub(crate) expected: &'static str,
    /// Absent where it is no matter of an engine.
    pub(crate) engine: Option<&'static str>,
    pub(crate) outcome: Outcome,
    pub(crate) seen: String,
    /// What should have been and was not.
    pub(crate) broken: Vec<String>,
    pub(crate) figures: BTreeMap<&'static str, f64>,
    pub(crate) canary: Option<Watched>,
    /// Why the canary's p99 has no bound.
    pub(crate) canary_exempt: Option<&'static str>,
    pub(crate) tests: Vec<String>,
    pub(crate) tries: u32,
    pub(crate) seconds: f64,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::NotShown => "not shown",
            Self::Later => "later",
        }
    }
}

/// `None` where it is no matter of an engine.
pub(super) fn engine_of(row: &Row, bench: &Bench) -> Option<&'static str> {
    match (&row.kind, bench.subject) {
        (Kind::Once(_) | Kind::Later(_), _) => None,
        (_, Subject::Ours(engine)) => Some(engine.name()),
        (_, Subject::Other(other)) => Some(other.name),
    }
}

impl Line {
    pub(crate) fn new(row: &Row, bench: &Bench, outcome: Outcome, seen: String) -> Self {
        Self {
            row: row.number,
            fault: row.fault,
            expected: row.expected,
            engine: engine_of(row, bench),
            outcome,
            seen,
            broken: Vec::new(),
            figures: BTreeMap::new(),
            canary: None,
            canary_exempt: match row.canary {
                Bound::BytesOnly(why) => Some(why),
                Bound::Times(_) | Bound::None => None,
            },
            tests: Vec::new(),
            tries: 0,
            seconds: 0.0,
        }
    }

    /// A line for whoever waits.
    pub(crate) fn progress(&self) -> String {
        format!(
            "row {:>2} {:<8} {:<9} {:>5.1} s  {}",
            self.row,
            self.engine.unwrap_or("-"),
            self.outcome.word(),
            self.seconds,
            self.fault
        )
    }

    fn seen(&self) -> String {
        let mut text = self.seen.clone();
        if !self.tests.is_empty() {
            let _ = write!(text, "; tests {}", self.tests.join(", "));
        }
        if !self.broken.is_empty() {
            let _ = write!(text, ". Not so: {}", self.broken.join("; "));
        }
        if self.tries > 1 {
            let _ = write!(text, " ({} tries)", self.tries);
        }
        text
    }

    fn watched(&self) -> String {
        let Some(watched) = &self.canary else { return "-".to_owned() };
        let bytes = if watched.broken.is_some() { "broken" } else { "same bytes" };
        let exempt = if self.canary_exempt.is_some() { " (no bound)" } else { "" };
        let Watched { quiet_p99_us, p99_us, ratio, .. } = watched;
        format!("{bytes}, p99 {quiet_p99_us} -> {p99_us} us, {ratio:.1}x{exempt}")
    }
}

const HEAD: [&str; 7] = ["row", "fault", "expected", "engine", "seen", "canary", "pass"];
/// Columns of text are wrapped at so many characters.
const WIDTHS: [usize; 7] = [3, 24, 32, 8, 48, 20, 9];

impl Report {
    /// Nothing failed; and where everything has to run, everything was shown.
    pub(crate) fn holds(&self) -> bool {
        let all = std::env::var("ECHOLINE_TEST_ALL").is_ok_and(|all| all == "1");
        self.count(Outcome::Fail) == 0 && !(all && self.count(Outcome::NotShown) > 0)
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.rows.iter().filter(|line| line.outcome == outcome).count()
    }

    pub(crate) fn table(&self) -> String {
        let Machine { processor, kernel, cores } = &self.machine;
        let mut text = format!("{processor}, {cores} cores, Linux {kernel}\n\n");
        text.push_str(&wrapped(&HEAD.map(str::to_owned)));
        for line in &self.rows {
            text.push_str(&wrapped(&[
                line.row.to_string(),
                line.fault.to_owned(),
                line.expected.to_owned(),
                line.engine.unwrap_or("-").to_owned(),
                line.seen(),
                line.watched(),
                line.outcome.word().to_owned(),
            ]));
        }
        let outcomes = [Outcome::Pass, Outcome::Fail, Outcome::NotShown, Outcome::Later];
        let counts = outcomes.map(|outcome| format!("{} {}", self.count(outcome), outcome.word()));
        let _ = writeln!(text, "\n{}", counts.join(", "));
        text
    }
}

/// One row of the table, as many lines as its longest cell needs.
fn wrapped(cells: &[String; 7]) -> String {
    let columns: Vec<Vec<String>> = cells.iter().zip(WIDTHS).map(|(cell, width)| wrap(cell, width)).collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    let mut text = String::new();
    for at in 0..height {
        let line = columns
            .iter()
            .zip(WIDTHS)
            .map(|(column, width)| format!("{:<width$}", column.get(at).map_or("", String::as_str)));
        let _ = writeln!(text, "{}", line.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

/// Lines of at most `width` characters, broken between words where there is a place.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut words: Vec<String> = text.split_whitespace().rev().map(str::to_owned).collect();
    while let Some(word) = words.pop() {
        let Some(line) = lines.last_mut() else { break };
        let room = width.saturating_sub(line.chars().count() + usize::from(!line.is_empty()));
        if word.chars().count() <= room {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        } else if line.is_empty() {
            // A word that is longer than the column.
            let at = word.char_indices().nth(width).map_or(word.len(), |(at, _)| at);
            line.push_str(&word[..at]);
            words.push(word[at..].to_owned());
            lines.push(String::new());
        } else {
            words.push(word);
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_wrap_between_words_and_inside_one_that_is_too_long() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
