//! The race as a table for people and as one JSON document.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::race::{Figures, Round};
use super::servers::REFERENCE;
use crate::machine::Machine;

/// Everything that a race gave.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) schema: &'static str,
    pub(crate) machine: Machine,
    pub(crate) seed: u64,
    pub(crate) rounds: usize,
    pub(crate) seconds_per_run: f64,
    pub(crate) results: Vec<Section>,
    pub(crate) raw: Vec<Round>,
}

/// One workload: a row for each contender.
#[derive(Serialize)]
pub(crate) struct Section {
    pub(crate) workload: String,
    pub(crate) sentence: String,
    pub(crate) rows: Vec<Row>,
}

#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) server: &'static str,
    /// Key: the figure's name with its unit.
    pub(crate) figures: BTreeMap<&'static str, Spread>,
    /// Why it is absent, or why some of its rounds failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
}

/// The middle of the rounds and their ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) rounds: usize,
}

type Pick = fn(&Figures) -> Option<f64>;

const FIGURES: &[(&str, &str, Pick)] = &[
    ("cpu_us_per_line", "CPU us/line", |figures| figures.cpu_us_per_line),
    ("lines_per_s", "lines/s", |figures| figures.lines_per_s),
    ("p99_us", "p99 us", |figures| figures.p99_us),
    ("memory_bytes_per_connection", "bytes/connection", |figures| figures.memory_bytes_per_connection),
    ("kernel_bytes_per_connection", "kernel bytes (both ends)", |figures| {
        figures.kernel_bytes_per_connection
    }),
];

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max, rounds: values.len() })
    }
}

impl Row {
    /// The row of `server` from its rounds of one workload; `absent` says why there are none.
    pub(crate) fn of(server: &'static str, rounds: &[&Round], absent: Option<String>) -> Self {
        let figures = FIGURES.iter().filter_map(|(key, _, pick)| {
            let values = rounds.iter().filter_map(|round| pick(&round.figures)).collect();
            Some((*key, Spread::of(values)?))
        });
        let mut warnings: Vec<_> = rounds.iter().flat_map(|round| round.figures.warnings.clone()).collect();
        warnings.sort();
        warnings.dedup();
        let failed = rounds.iter().filter_map(|round| round.failed.as_ref()).collect::<Vec<_>>();
        let failure = failed
            .first()
            .map(|first| format!("{} of {} rounds failed: {first}", failed.len(), rounds.len()));
        Self { server, figures: figures.collect(), reason: absent.or(failure), warnings }
    }
}

impl Report {
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let Machine { processor, kernel, cores } = &self.machine;
        let _ = writeln!(text, "{processor}, {cores} cores, Linux {kernel}");
        let _ = writeln!(
            text,
            "{} rounds of {} s each, seed {}; median (min..max); x = median / median of {REFERENCE}",
            self.rounds, self.seconds_per_run, self.seed
        );
        for section in &self.results {
            let _ = writeln!(text, "\n{}: {}", section.workload, section.sentence);
            text.push_str(&section.table());
        }
        text
    }
}

impl Section {
    /// Who each warning of the generator is about.
    fn warnings(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut all = BTreeMap::<&str, Vec<&str>>::new();
        for row in &self.rows {
            for warning in &row.warnings {
                all.entry(warning).or_default().push(row.server);
            }
        }
        all
    }

    fn table(&self) -> String {
        let shown: Vec<_> = FIGURES
            .iter()
            .filter(|(key, ..)| self.rows.iter().any(|row| row.figures.contains_key(key)))
            .collect();
        let reference = self.rows.iter().find(|row| row.server == REFERENCE);
        let mut lines = vec![
            std::iter::once("server")
                .chain(shown.iter().map(|(_, title, _)| *title))
                .map(str::to_owned)
                .collect(),
        ];
        let mut notes = String::new();
        for row in &self.rows {
            let cells = shown.iter().map(|(key, ..)| {
                row.figures.get(key).map_or("-".to_owned(), |spread| {
                    cell(spread, reference.and_then(|row| row.figures.get(key)))
                })
            });
            let cells: Vec<String> = cells.collect();
            if !row.figures.is_empty() {
                lines.push(std::iter::once(row.server.to_owned()).chain(cells).collect());
            }
            if let Some(reason) = &row.reason {
                let _ = writeln!(notes, "  {}: {reason}", row.server);
            }
        }
        for (warning, servers) in self.warnings() {
            let _ = writeln!(notes, "  {warning}, the generator warns: {}", servers.join(", "));
        }
        aligned(&lines) + &notes
    }
}

fn cell(spread: &Spread, reference: Option<&Spread>) -> String {
    let ratio = reference.filter(|reference| reference.median > 0.0);
    let ratio = ratio.map_or(String::new(), |reference| format!(" {:.2}x", spread.median / reference.median));
    format!("{} ({}..{}){ratio}", number(spread.median), number(spread.min), number(spread.max))
}

/// Three digits that mean something; whole numbers from 100 on.
fn number(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| lines.iter().filter_map(|line| line.get(column)).map(String::len).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let _ = writeln!(text, "  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_lies_between_the_middle_two() {
        let wanted = Spread { median: 2.5, min: 1.0, max: 9.0, rounds: 4 };
        assert_eq!(Spread::of(vec![9.0, 2.0, 1.0, 3.0]), Some(wanted));
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn an_absent_peer_stands_in_the_table_with_its_reason() {
        let row = Row::of("go", &[], Some("go is not installed".to_owned()));
        let section = Section { workload: "ping".to_owned(), sentence: String::new(), rows: vec![row] };
        assert!(section.table().contains("go: go is not installed"));
    }

    #[test]
    fn ratios_are_against_the_reference() {
        let round = |server, cpu| Round {
            round: 0,
            workload: "ping".to_owned(),
            server,
            figures: Figures { cpu_us_per_line: Some(cpu), ..Figures::default() },
            failed: None,
        };
        let (ours, theirs) = (round("echoline-portable", 4.5), round(REFERENCE, 6.0));
        let rows = vec![Row::of(ours.server, &[&ours], None), Row::of(theirs.server, &[&theirs], None)];
        let section = Section { workload: "ping".to_owned(), sentence: String::new(), rows };
        assert!(section.table().contains("4.50 (4.50..4.50) 0.75x"), "{}", section.table());
    }
}
