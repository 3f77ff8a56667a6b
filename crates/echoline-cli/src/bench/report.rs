//! The report as a plain value: everything the renderings need, and nothing that they compute differently.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::master::{Measured, Second, ThreadTime};
use super::samples::{Samples, Times};

pub(super) const SCHEMA: &str = "echoline-bench/1";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) schema: String,
    /// The addresses that were loaded: one, or those of merged reports.
    pub(super) target: String,
    /// The server ran in this process.
    pub(super) embedded: bool,
    pub(super) interrupted: bool,
    pub(super) options: Options,
    pub(super) elapsed_s: f64,
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) lines_per_s: f64,
    pub(super) bytes_per_s: f64,
    /// From the moment at which a line was meant to leave.
    pub(super) latency_us: Times,
    /// From the moment at which it left.
    pub(super) service_us: Times,
    /// From the request for a connection until it was open.
    pub(super) connect_us: Times,
    pub(super) errors: Errors,
    pub(super) connections: Connections,
    pub(super) generator: GeneratorCost,
    pub(super) warnings: Vec<Warning>,
    pub(super) missed: Vec<Missed>,
    /// With `--find-capacity`: the highest rate that was kept.
    pub(super) capacity_lines_per_s: Option<u64>,
    pub(super) tries: Vec<Try>,
    pub(super) per_second: Vec<Row>,
    pub(super) histograms: Histograms,
}

/// The options in effect, defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Options {
    pub(super) connections: usize,
    pub(super) threads: usize,
    pub(super) depth: usize,
    pub(super) size_bytes: SizeRange,
    /// `closed` or `open`.
    pub(super) mode: String,
    pub(super) rate_per_s: Option<u64>,
    pub(super) churn: bool,
    pub(super) count: Option<u64>,
    pub(super) warm_up_s: f64,
    pub(super) duration_s: Option<f64>,
    pub(super) connect_timeout_s: f64,
    pub(super) wait_s: f64,
    pub(super) seed: u64,
    pub(super) require: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SizeRange {
    pub(super) min: u32,
    pub(super) max: u32,
}

impl From<&RangeInclusive<u32>> for SizeRange {
    fn from(sizes: &RangeInclusive<u32>) -> Self {
        Self { min: *sizes.start(), max: *sizes.end() }
    }
}

/// What was wrong: lines, and connections.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Errors {
    pub(super) total: u64,
    pub(super) lost: u64,
    pub(super) altered: u64,
    pub(super) surplus: u64,
    pub(super) swapped: u64,
    /// Never opened.
    pub(super) connections_failed: u64,
    /// Opened, and ended before their time.
    pub(super) connections_closed: u64,
    /// Lines that were due and never left; no error of the other side, so not in `total`.
    pub(super) unsent: u64,
    /// The failed and closed connections by code.
    pub(super) by_code: BTreeMap<String, u64>,
}

impl Errors {
    pub(super) fn of_bytes(&self) -> u64 {
        [self.lost, self.altered, self.surplus, self.swapped].into_iter().fold(0, u64::saturating_add)
    }
}

/// How many were open at the start, and how evenly they were served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Connections {
    pub(super) open: usize,
    pub(super) lines_min: u64,
    /// `None` in a merged report: it is in no histogram.
    pub(super) lines_median: Option<u64>,
    pub(super) lines_max: u64,
}

/// What the generator itself cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct GeneratorCost {
    pub(super) threads: usize,
    pub(super) cpu_us_per_line: Option<f64>,
    /// `None`: too little time was measured to judge by.
    pub(super) busiest_thread_percent: Option<f64>,
    /// How long one of its threads was ready to run and had no processor, at most; of the measured time.
    pub(super) waited_percent: Option<f64>,
    /// The open loop: by how much the generator itself was late, at most.
    pub(super) latest_send_us: f64,
}

/// A bound that was not kept.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
pub(super) struct Missed {
    pub(super) required: String,
    pub(super) measured: String,
}

/// A reason to distrust the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Warning {
    /// Stable: scripts match it.
    pub(super) code: String,
    pub(super) message: String,
}

/// One try of a search for the capacity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Try {
    pub(super) rate_per_s: u64,
    pub(super) lines_per_s: f64,
    pub(super) p99_us: Option<f64>,
    pub(super) kept: bool,
    /// Why not.
    pub(super) missed: Vec<Missed>,
}

/// One second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    /// From 1; the first second after the warm-up.
    pub(super) second: usize,
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) errors: u64,
    pub(super) p50_us: Option<f64>,
    pub(super) p99_us: Option<f64>,
    pub(super) max_us: Option<f64>,
}

/// HdrHistogram V2 in base64, values in nanoseconds: what `bench merge` adds up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Histograms {
    pub(super) unit: String,
    pub(super) latency: String,
    pub(super) service: String,
    pub(super) connect: String,
}

impl Row {
    pub(super) fn new(second: &Second) -> Self {
        Self {
            second: second.number + 1,
            lines: second.latency.count(),
            bytes: second.bytes,
            errors: second.errors,
            p50_us: second.latency.percentile_us(50.0),
            p99_us: second.latency.percentile_us(99.0),
            max_us: second.latency.max_us(),
        }
    }
}

impl Histograms {
    pub(super) fn new(latency: &Samples, service: &Samples, connect: &Samples) -> Self {
        let unit = "ns".to_owned();
        Self { unit, latency: latency.encode(), service: service.encode(), connect: connect.encode() }
    }
}

impl Report {
    /// Without warnings, and without what was missed: those follow from the figures.
    pub(super) fn new(target: String, embedded: bool, options: Options, measured: &Measured) -> Self {
        let Measured { latency, service, connect, .. } = measured;
        let service = service.as_ref().unwrap_or(latency);
        let elapsed_s = measured.elapsed.as_secs_f64();
        let lines = latency.count();
        Self {
            schema: SCHEMA.to_owned(),
            target,
            embedded,
            interrupted: measured.interrupted,
            options,
            elapsed_s: digits(elapsed_s, 6),
            lines,
            bytes: measured.bytes,
            lines_per_s: per_second(lines, elapsed_s),
            bytes_per_s: per_second(measured.bytes, elapsed_s),
            latency_us: latency.summary(),
            service_us: service.summary(),
            connect_us: connect.summary(),
            errors: errors(measured),
            connections: connections(measured),
            generator: generator(measured, lines),
            warnings: Vec::new(),
            missed: Vec::new(),
            capacity_lines_per_s: None,
            tries: Vec::new(),
            per_second: measured.seconds.iter().map(Row::new).collect(),
            histograms: Histograms::new(latency, service, connect),
        }
    }
}

fn errors(measured: &Measured) -> Errors {
    let (faults, failures) = (measured.faults, &measured.failures);
    Errors {
        total: faults.total() + failures.connect + failures.ended,
        lost: faults.lost,
        altered: faults.altered,
        surplus: faults.surplus,
        swapped: faults.swapped,
        connections_failed: failures.connect,
        connections_closed: failures.ended,
        unsent: measured.unsent,
        by_code: failures.by_code.iter().map(|(&code, &count)| (code.to_owned(), count)).collect(),
    }
}

fn connections(measured: &Measured) -> Connections {
    let mut lines = measured.per_connection.clone();
    lines.sort_unstable();
    Connections {
        open: measured.opened,
        lines_min: lines.first().copied().unwrap_or(0),
        lines_median: lines.get(lines.len() / 2).copied(),
        lines_max: lines.last().copied().unwrap_or(0),
    }
}

/// In a shorter time, what a thread does once, or one turn of another on its core, is a large share.
const JUDGED: Duration = Duration::from_millis(100);

fn generator(measured: &Measured, lines: u64) -> GeneratorCost {
    let cpu_us: f64 = measured.threads.iter().map(|thread| thread.cpu.as_secs_f64() * 1e6).sum();
    let highest = |part: fn(&ThreadTime) -> Duration| {
        let shares = measured.threads.iter().filter(|thread| thread.wall >= JUDGED);
        let shares = shares.map(|thread| 100.0 * part(thread).as_secs_f64() / thread.wall.as_secs_f64());
        shares.reduce(f64::max).map(|share| digits(share, 1))
    };
    #[expect(clippy::cast_precision_loss, reason = "a figure of three digits")]
    let cpu_us_per_line = (lines > 0).then(|| digits(cpu_us / lines as f64, 3));
    GeneratorCost {
        threads: measured.threads.len(),
        cpu_us_per_line,
        busiest_thread_percent: highest(|thread| thread.cpu),
        waited_percent: highest(|thread| thread.waited),
        latest_send_us: digits(measured.latest_send.as_secs_f64() * 1e6, 1),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
pub(super) fn per_second(count: u64, elapsed_s: f64) -> f64 {
    if elapsed_s > 0.0 { digits(count as f64 / elapsed_s, 1) } else { 0.0 }
}

/// `value` with so many digits after the point.
pub(super) fn digits(value: f64, places: i32) -> f64 {
    let scale = 10_f64.powi(places);
    (value * scale).round() / scale
}
