//! `echoline bench merge`: one report from several, added histogram by histogram.
//!
//! A percentile of several machines cannot be had from their percentiles, so none is averaged: what is not in a
//! histogram (the percentiles of each second) is left out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use echoline_diagnosis::{Diagnosis, ExitStatus, code};
use serde_json::{Number, Value};

use super::args::MergeArgs;
use super::render::{html, text};
use super::report::{
    Connections, Errors, GeneratorCost, Histograms, Report, Row, SCHEMA, digits, per_second,
};
use super::samples::Samples;
use super::warnings;
use crate::failure::Stop;
use crate::output::Output;

pub(super) fn run(args: &MergeArgs) -> Result<ExitStatus, Stop> {
    let mut sum: Option<Sum> = None;
    for file in &args.files {
        let report = read(file)?;
        match &mut sum {
            None => sum = Some(Sum::new(report, file)?),
            Some(sum) => sum.add(&report, file)?,
        }
    }
    let report = sum.expect("clap asks for one file at least").finish();
    let mut out = Output::new()?;
    if args.json {
        out.json(&report)?;
    } else {
        out.text(text::render(&report))?;
    }
    if let Some(file) = &args.html {
        html::write(&report, file)?;
    }
    Ok(if report.errors.total > 0 { ExitStatus::Refused } else { ExitStatus::Success })
}

/// Several times the report of the longest run.
const MAX_FILE: u64 = 128 << 20;

fn read(file: &Path) -> Result<Report, Diagnosis> {
    let bytes = contents(file).map_err(|error| cannot_merge(file).caused_by(error))?;
    let no_report = |error: serde_json::Error| {
        unreadable(file, "no report").caused_by(error).next("write one: echoline bench --json > FILE")
    };
    let report: Report = serde_json::from_slice(&bytes).map_err(no_report)?;
    if let Some(number) = impossible(&serde_json::from_slice(&bytes).map_err(no_report)?) {
        return Err(unreadable(file, &format!("no run has the number {number}")));
    }
    if report.schema != SCHEMA {
        return Err(unreadable(file, &format!("its schema is {}, this build reads {SCHEMA}", report.schema)));
    }
    Ok(report)
}

fn contents(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than any report"));
    }
    Ok(bytes)
}

/// A number that is below zero, or so large, or so close to zero, that what is computed from it would be infinite.
fn impossible(value: &Value) -> Option<&Number> {
    let is_possible = |number: f64| number == 0.0 || (1e-9..=1.9e19).contains(&number);
    match value {
        Value::Number(number) => Some(number).filter(|number| !number.as_f64().is_some_and(is_possible)),
        Value::Array(values) => values.iter().find_map(impossible),
        Value::Object(values) => values.values().find_map(impossible),
        _ => None,
    }
}

fn unreadable(file: &Path, why: &str) -> Diagnosis {
    Diagnosis::new(code::USAGE, format!("cannot merge {}: {why}", file.display()))
}

fn cannot_merge(file: &Path) -> Diagnosis {
    Diagnosis::new(code::USAGE, format!("cannot merge {}", file.display()))
}

/// The sum so far.
struct Sum {
    report: Report,
    latency: Samples,
    service: Samples,
    connect: Samples,
    cpu_us: f64,
    several: bool,
}

/// The three histograms of a report.
fn histograms(report: &Report, file: &Path) -> Result<[Samples; 3], Diagnosis> {
    let decode = |text: &str| {
        Samples::decode(text).map_err(|error| unreadable(file, &format!("a histogram is damaged: {error}")))
    };
    let Histograms { latency, service, connect, .. } = &report.histograms;
    Ok([decode(latency)?, decode(service)?, decode(connect)?])
}

impl Sum {
    fn new(report: Report, file: &Path) -> Result<Self, Diagnosis> {
        let [latency, service, connect] = histograms(&report, file)?;
        let cpu_us = cpu_us(&report);
        Ok(Self { report, latency, service, connect, cpu_us, several: false })
    }

    fn add(&mut self, other: &Report, file: &Path) -> Result<(), Diagnosis> {
        let sum = &mut self.report;
        let alike = |report: &Report| (report.options.mode.clone(), report.options.churn);
        if alike(sum) != alike(other) {
            let message = "it was measured in another mode (open, closed, churn): the sum would mean nothing";
            return Err(unreadable(file, message));
        }
        let [latency, service, connect] = histograms(other, file)?;
        self.latency.add(&latency);
        self.service.add(&service);
        self.connect.add(&connect);
        self.cpu_us += cpu_us(other);
        self.several = true;
        if !sum.target.split(", ").any(|target| target == other.target) {
            sum.target = format!("{}, {}", sum.target, other.target);
        }
        sum.embedded |= other.embedded;
        sum.interrupted |= other.interrupted;
        sum.options.connections = sum.options.connections.saturating_add(other.options.connections);
        sum.options.threads = sum.options.threads.saturating_add(other.options.threads);
        sum.options.rate_per_s =
            sum.options.rate_per_s.zip(other.options.rate_per_s).map(|(a, b)| a.saturating_add(b));
        sum.options.count = sum.options.count.zip(other.options.count).map(|(a, b)| a.saturating_add(b));
        sum.elapsed_s = sum.elapsed_s.max(other.elapsed_s);
        add(&mut sum.bytes, other.bytes);
        add_errors(&mut sum.errors, &other.errors);
        add_connections(&mut sum.connections, &other.connections);
        add_cost(&mut sum.generator, &other.generator);
        add_rows(&mut sum.per_second, &other.per_second);
        Ok(())
    }

    fn finish(self) -> Report {
        let Self { mut report, latency, service, connect, cpu_us, several } = self;
        if !several {
            return report;
        }
        report.lines = latency.count();
        report.lines_per_s = per_second(report.lines, report.elapsed_s);
        report.bytes_per_s = per_second(report.bytes, report.elapsed_s);
        report.latency_us = latency.summary();
        report.service_us = service.summary();
        report.connect_us = connect.summary();
        report.histograms = Histograms::new(&latency, &service, &connect);
        #[expect(clippy::cast_precision_loss, reason = "a figure of three digits")]
        let cost = (report.lines > 0).then(|| digits(cpu_us / report.lines as f64, 3));
        report.generator.cpu_us_per_line = cost;
        // What was required of one was not required of all, and their seconds are not the same ones.
        (report.missed, report.tries, report.capacity_lines_per_s) = (Vec::new(), Vec::new(), None);
        report.options.require = None;
        report.warnings = warnings::of(&report, None);
        report
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure of three digits")]
fn cpu_us(report: &Report) -> f64 {
    report.generator.cpu_us_per_line.unwrap_or(0.0) * report.lines as f64
}

/// A file may hold any number.
fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

fn add_errors(sum: &mut Errors, other: &Errors) {
    add(&mut sum.total, other.total);
    add(&mut sum.lost, other.lost);
    add(&mut sum.altered, other.altered);
    add(&mut sum.surplus, other.surplus);
    add(&mut sum.swapped, other.swapped);
    add(&mut sum.connections_failed, other.connections_failed);
    add(&mut sum.connections_closed, other.connections_closed);
    add(&mut sum.unsent, other.unsent);
    for (code, number) in &other.by_code {
        add(sum.by_code.entry(code.clone()).or_default(), *number);
    }
}

fn add_connections(sum: &mut Connections, other: &Connections) {
    sum.open = sum.open.saturating_add(other.open);
    sum.lines_min = sum.lines_min.min(other.lines_min);
    sum.lines_median = None;
    sum.lines_max = sum.lines_max.max(other.lines_max);
}

fn add_cost(sum: &mut GeneratorCost, other: &GeneratorCost) {
    sum.threads = sum.threads.saturating_add(other.threads);
    let most = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
    sum.busiest_thread_percent = most(sum.busiest_thread_percent, other.busiest_thread_percent);
    sum.waited_percent = most(sum.waited_percent, other.waited_percent);
    sum.latest_send_us = sum.latest_send_us.max(other.latest_send_us);
}

fn add_rows(sum: &mut Vec<Row>, other: &[Row]) {
    let mut rows: BTreeMap<usize, Row> = BTreeMap::new();
    for row in std::mem::take(sum).into_iter().chain(other.iter().cloned()) {
        match rows.get_mut(&row.second) {
            None => drop(rows.insert(row.second, row)),
            Some(known) => {
                add(&mut known.lines, row.lines);
                add(&mut known.bytes, row.bytes);
                add(&mut known.errors, row.errors);
                known.max_us = known.max_us.into_iter().chain(row.max_us).reduce(f64::max);
            }
        }
    }
    sum.extend(rows.into_values().map(|row| Row { p50_us: None, p99_us: None, ..row }));
}
