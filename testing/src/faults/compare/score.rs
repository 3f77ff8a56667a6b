//! The score: row by server, as a table for people and as one JSON document.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Result, bail};
use serde::{Serialize, Serializer};

use super::super::bench::Bench;
use super::super::canary::Watched;
use super::super::report::{Line, Outcome, wrap};
use super::super::row::Row;
use super::super::victim::Subject;
use crate::machine::Machine;

#[derive(Serialize)]
pub(super) struct Score {
    schema: &'static str,
    machine: Machine,
    versions: BTreeMap<&'static str, String>,
    rows: Vec<Cell>,
}

#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    Held,
    Broken,
    NotMeaningful,
    NotShown,
}

/// One row against one server.
#[derive(Serialize)]
pub(super) struct Cell {
    row: u8,
    fault: &'static str,
    server: String,
    verdict: Verdict,
    seen: String,
    /// What should have been and was not, or why there is no verdict.
    why: Vec<String>,
    figures: BTreeMap<&'static str, f64>,
    canary: Option<Watched>,
    tries: u32,
    seconds: f64,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "BROKEN",
            Self::NotMeaningful => "-",
            Self::NotShown => "not shown",
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Held => "held",
            Self::Broken => "broken",
            Self::NotMeaningful => "not-meaningful",
            Self::NotShown => "not-shown",
        })
    }
}

/// Ours as `echoline-uring`, beside names of other programs.
fn name(subject: Subject) -> String {
    match subject {
        Subject::Ours(engine) => format!("echoline-{}", engine.name()),
        Subject::Other(other) => other.name.to_owned(),
    }
}

pub(super) fn of(bench: &Bench, line: Line) -> Cell {
    let verdict = match line.outcome {
        Outcome::Pass => Verdict::Held,
        Outcome::Fail => Verdict::Broken,
        Outcome::NotShown | Outcome::Later => Verdict::NotShown,
    };
    let why = if verdict == Verdict::NotShown { vec![line.seen.clone()] } else { line.broken };
    Cell {
        row: line.row,
        fault: line.fault,
        server: name(bench.subject),
        verdict,
        seen: line.seen,
        why,
        figures: line.figures,
        canary: line.canary,
        tries: line.tries,
        seconds: line.seconds,
    }
}

pub(super) fn unfit(row: &Row, bench: &Bench, why: &str) -> Cell {
    let line = Line::new(row, bench, Outcome::NotShown, why.to_owned());
    Cell { verdict: Verdict::NotMeaningful, ..of(bench, line) }
}

pub(super) fn not_shown(row: &Row, bench: &Bench, why: String) -> Cell {
    of(bench, Line::new(row, bench, Outcome::NotShown, why))
}

impl Cell {
    /// A line for whoever waits.
    pub(super) fn progress(&self) -> String {
        let Self { row, server, verdict, seconds, fault, .. } = self;
        format!("row {row:>2} {server:<17} {:<9} {seconds:>5.1} s  {fault}", verdict.word())
    }
}

const COLUMN: usize = 18;
const FAULT: usize = 34;

impl Score {
    pub(super) fn new(machine: Machine) -> Self {
        Self { schema: "echoline-faults-beside/1", machine, versions: BTreeMap::new(), rows: Vec::new() }
    }

    pub(super) fn add_server(&mut self, name: &'static str, version: String) {
        self.versions.insert(name, version);
    }

    pub(super) fn add(&mut self, cell: Cell) {
        self.rows.push(cell);
    }

    /// Prints it. An error says that a row of ours did not hold: what others do is no failure of this command.
    pub(super) fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
        } else {
            print!("{}", self.table());
        }
        let is_ours = |cell: &&Cell| cell.server.starts_with("echoline-");
        match self.rows.iter().filter(is_ours).filter(|cell| cell.verdict == Verdict::Broken).count() {
            0 => Ok(()),
            failed => bail!("{failed} rows of ours did not hold"),
        }
    }

    /// In the order in which they were attacked.
    fn servers(&self) -> Vec<&str> {
        let mut servers: Vec<&str> = Vec::new();
        for cell in &self.rows {
            if !servers.contains(&cell.server.as_str()) {
                servers.push(&cell.server);
            }
        }
        servers
    }

    fn table(&self) -> String {
        let servers = self.servers();
        let Machine { processor, kernel, cores } = &self.machine;
        let mut text = format!("{processor}, {cores} cores, Linux {kernel}\n");
        for (server, version) in &self.versions {
            let _ = writeln!(text, "{server}: {version}");
        }
        let head: String = servers.iter().map(|server| format!("{server:<COLUMN$}")).collect();
        let _ = writeln!(text, "\nrow  {:<FAULT$}  {}", "fault", head.trim_end());
        for cells in self.rows.chunk_by(|one, two| one.row == two.row) {
            let words: String =
                cells.iter().map(|cell| format!("{:<COLUMN$}", cell.verdict.word())).collect();
            let Some(first) = cells.first() else { continue };
            let fault: String = first.fault.chars().take(FAULT).collect();
            let _ = writeln!(text, "{:>3}  {fault:<FAULT$}  {}", first.row, words.trim_end());
        }
        let held = servers.iter().map(|server| {
            let of = |cell: &&Cell| cell.server == *server && cell.verdict == Verdict::Held;
            format!("{:<COLUMN$}", self.rows.iter().filter(of).count())
        });
        let _ = writeln!(text, "{:>3}  {:<FAULT$}  {}\n", "", "held", held.collect::<String>().trim_end());
        for cell in self.rows.iter().filter(|cell| cell.verdict != Verdict::Held) {
            let why = if cell.why.is_empty() { cell.seen.clone() } else { cell.why.join("; ") };
            let sentence = match cell.verdict {
                Verdict::Broken => format!("Not so: {why}"),
                Verdict::NotMeaningful => format!("Not meaningful: {why}"),
                _ => format!("Not shown: {why}"),
            };
            for (index, line) in wrap(&sentence, 90).iter().enumerate() {
                let (row, server) =
                    if index == 0 { (cell.row.to_string(), &*cell.server) } else { Default::default() };
                let _ = writeln!(text, "{row:>3}  {server:<COLUMN$}{line}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(row: u8, server: &str, verdict: Verdict) -> Cell {
        Cell {
            row,
            fault: "a fault",
            server: server.to_owned(),
            verdict,
            seen: "seen".to_owned(),
            why: vec!["it is said why".to_owned()],
            figures: BTreeMap::new(),
            canary: None,
            tries: 1,
            seconds: 0.0,
        }
    }

    fn score(cells: Vec<Cell>) -> Score {
        let mut score = Score::new(Machine { processor: String::new(), kernel: String::new(), cores: 2 });
        score.rows = cells;
        score
    }

    #[test]
    fn a_row_of_others_that_breaks_is_told_but_fails_nothing() {
        let broken = score(vec![
            cell(1, "echoline-uring", Verdict::Held),
            cell(1, "socat", Verdict::Broken),
            cell(2, "echoline-uring", Verdict::Held),
            cell(2, "socat", Verdict::NotMeaningful),
        ]);
        let table = broken.table();
        assert!(table.contains("  1  socat             Not so: it is said why"));
        assert!(table.contains("  2  socat             Not meaningful: it is said why"));
        assert!(broken.print(false).is_ok());
        assert!(score(vec![cell(1, "echoline-uring", Verdict::Broken)]).print(false).is_err());
    }
}
