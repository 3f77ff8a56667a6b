//! The report as text: the outcome first, then the steps. Read without colour, as it is pasted into
//! tickets.

use std::fmt::Write;
use std::time::Duration;

use echoline_check::Report;
use echoline_check::report::Step;
use echoline_diagnosis::Diagnosis;
use echoline_diagnosis::units::human_time;

use super::quote::words;

/// Where the second line of a text begins.
const INDENT: &str = "                         ";
/// As wide as a line of a ticket is read with ease.
const WIDTH: usize = 108;

/// On a terminal the outcome is broken into lines as the steps are.
pub(super) fn text(report: &Report, verbose: bool, on_terminal: bool) -> String {
    let verdict = &report.verdict;
    let mut text = String::new();
    if on_terminal {
        let sentence = verdict.whole().to_string();
        wrapped(&mut text, "", "", words(&sentence).into_iter().chain([label(verdict).as_str()]));
    } else {
        text = headline(verdict) + "\n";
    }
    for next in verdict.steps() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  next  {next}");
    }
    text.push('\n');
    for step in &report.steps {
        self::step(&mut text, step);
    }
    if verbose {
        let _ = writeln!(text, "\nAll of it took {}.", human_time(Duration::from_micros(report.took_us)));
    }
    text
}

/// On one line, however long: it is what is searched for, and what `head -1` shows.
pub(super) fn headline(verdict: &Diagnosis) -> String {
    format!("{verdict:#} {}", label(verdict))
}

fn label(verdict: &Diagnosis) -> String {
    format!("  [{}, {}]", verdict.code(), verdict.certainty())
}

fn step(text: &mut String, step: &Step) {
    let took = step.took_us.map_or_else(String::new, |us| human_time(Duration::from_micros(us)));
    let mut head = format!("{:<4}  {:<8} {took:>8}  ", step.state, step.name());
    for line in &step.says {
        wrapped(text, &head, INDENT, words(&line.to_string()));
        INDENT.clone_into(&mut head);
    }
}

/// One paragraph, broken between words and never in a quotation.
fn wrapped<'a>(text: &mut String, first: &str, rest: &str, words: impl IntoIterator<Item = &'a str>) {
    text.push_str(first);
    let mut column = first.len();
    for (number, word) in words.into_iter().enumerate() {
        let length = word.chars().count();
        // A number keeps its unit.
        let is_unit = matches!(word.trim_end_matches([',', ';', '.']), "ms" | "s" | "min");
        if number > 0 && column + 1 + length > WIDTH && !is_unit {
            text.push('\n');
            text.push_str(rest);
            column = rest.len();
        } else if number > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}
