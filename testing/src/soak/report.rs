//! What a soak saw, as a value with two renderings.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use super::load::Longest;
use super::watch::Slope;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) schema: &'static str,
    pub(super) seed: u64,
    pub(super) clients: usize,
    /// What was asked for, in seconds an engine.
    pub(super) for_s: f64,
    pub(super) passed: bool,
    pub(super) engines: Vec<Soaked>,
}

/// One engine's soak.
#[derive(Debug, Serialize)]
pub(super) struct Soaked {
    pub(super) engine: String,
    pub(super) passed: bool,
    pub(super) ran_s: f64,
    pub(super) interrupted: bool,
    pub(super) connections: u64,
    pub(super) broken_off: u64,
    pub(super) left_at_once: u64,
    /// Lines that came back whole.
    pub(super) lines: u64,
    pub(super) bytes_sent: u64,
    pub(super) bytes_compared: u64,
    pub(super) differences: u64,
    pub(super) unexpected_endings: u64,
    /// The first few of both, and what went wrong with the server itself.
    pub(super) findings: Vec<String>,
    pub(super) longest: Longest,
    pub(super) files: Files,
    pub(super) resident: Resident,
    /// Processor time of the server, in seconds.
    pub(super) processor_s: f64,
    /// The server's last record.
    pub(super) served: Value,
    /// Where that contradicts what the clients did.
    pub(super) disagreements: Vec<String>,
}

/// Open file descriptors of the server.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Files {
    pub(super) before: usize,
    pub(super) most: usize,
    /// Once every client has left.
    pub(super) after: usize,
}

/// Resident memory of the server, in bytes.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Resident {
    pub(super) before: u64,
    pub(super) peak: u64,
    pub(super) after: u64,
    pub(super) slope: Option<Slope>,
}

impl Report {
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for engine in &self.engines {
            engine.describe(&mut text);
        }
        text
    }
}

impl Soaked {
    fn describe(&self, text: &mut String) {
        let verdict = if self.passed { "passed" } else { "FAILED" };
        let cut = if self.interrupted { ", interrupted" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}: {verdict} after {:.0} s{cut}", self.engine, self.ran_s);
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<20}{value}");
        };
        let (broken_off, at_once) = (self.broken_off, self.left_at_once);
        let of_which = format!("{broken_off} broken off by us, {at_once} of them at once");
        line("connections", &format!("{} ({of_which})", self.connections));
        line("lines", &self.lines.to_string());
        line("compared", &format!("{} ({} bytes)", mebibytes(self.bytes_compared), self.bytes_compared));
        line("differences", &self.differences.to_string());
        line("unexpected endings", &self.unexpected_endings.to_string());
        let Longest { took_s, conversation } = &self.longest;
        line("longest", &format!("{took_s:.1} s ({conversation})"));
        let Files { before, most, after } = self.files;
        line("open files", &format!("{before} before, {most} at most, {after} once all had left"));
        let Resident { before, peak, after, slope } = self.resident;
        let [before, peak, after] = [before, peak, after].map(mebibytes);
        line("resident memory", &format!("{before} before, {peak} at most, {after} after"));
        line("  its slope", &slope.map_or_else(|| "too few samples to tell".to_owned(), spell));
        line("processor time", &format!("{:.1} s", self.processor_s));
        let counters = if self.disagreements.is_empty() { "agree with the clients" } else { "DISAGREE" };
        line("server's counters", counters);
        for finding in self.findings.iter().chain(&self.disagreements) {
            let _ = writeln!(text, "  ! {finding}");
        }
    }
}

fn spell(slope: Slope) -> String {
    let kibibytes = |bytes: f64| bytes / 1024.0;
    format!(
        "{:+.0} KiB/h, give or take {:.0} (95 %, {} samples after {:.0} s of warm-up)",
        kibibytes(slope.bytes_per_hour),
        kibibytes(slope.uncertainty),
        slope.samples,
        slope.after_s
    )
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0))
}
