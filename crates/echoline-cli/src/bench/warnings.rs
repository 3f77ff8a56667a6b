//! Reasons to distrust a result, as data.

use std::time::Duration;

use echoline_diagnosis::units::{count, grouped};
use echoline_diagnosis::{Code, code};

use super::figures::rounded;
use super::report::{Report, Warning};
use super::samples::PERCENTILES;

/// A thread that used more of its core than this had no room left.
const BUSY_PERCENT: f64 = 90.0;
/// A thread that waited more than this for a processor measured the machine's other work too.
const WAITED_PERCENT: f64 = 5.0;
/// Samples that must lie beyond a percentile for it to mean something.
const BEYOND: f64 = 10.0;
/// Below this many lines a connection, the difference between connections is chance.
const FAIR_LINES: u64 = 20;
/// The generator's own lateness that shows in response times.
const LATE_US: f64 = 1000.0;

/// The warnings that follow from a report's figures.
pub(super) fn of(report: &Report, clock_step: Option<Duration>) -> Vec<Warning> {
    [
        bound(report),
        crowded(report),
        late(report),
        few(report),
        starved(report),
        unsent(report),
        stepped(clock_step),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn warning(code: Code, message: String) -> Option<Warning> {
    Some(Warning { code: code.as_str().to_owned(), message })
}

fn bound(report: &Report) -> Option<Warning> {
    let percent = report.generator.busiest_thread_percent?;
    let advice = if report.options.threads == 1 {
        "more --threads may show more"
    } else {
        "it may be able to do more"
    };
    (percent >= BUSY_PERCENT).then(|| {
        warning(
            code::GENERATOR_BOUND,
            format!("the generator used {percent:.0} % of a core: the server may not be the limit; {advice}"),
        )
    })?
}

fn crowded(report: &Report) -> Option<Warning> {
    let percent = report.generator.waited_percent?;
    (percent >= WAITED_PERCENT).then(|| {
        let message = format!(
            "the generator was ready and had no processor for {percent:.0} % of the time: other work on this machine is in the figures"
        );
        warning(code::GENERATOR_CROWDED, message)
    })?
}

fn late(report: &Report) -> Option<Warning> {
    let late_us = report.generator.latest_send_us;
    (late_us >= LATE_US).then(|| {
        let message = format!(
            "the generator itself was up to {:.1} ms late: response times include that, service times do not",
            late_us / 1000.0
        );
        warning(code::GENERATOR_LATE, message)
    })?
}

/// The highest percentile that the samples carry; those above it are few values, or one.
fn few(report: &Report) -> Option<Warning> {
    let times = &report.latency_us;
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
    let thin = |&(_, percent): &(&str, f64)| (1.0 - percent / 100.0) * (times.count as f64) < BEYOND - 1e-6;
    // Nothing lies beyond the maximum, however many samples there are.
    let (name, percent) = PERCENTILES.into_iter().filter(|(_, percent)| *percent < 100.0).find(thin)?;
    let needed = (BEYOND / (1.0 - percent / 100.0)).round();
    warning(
        code::FEW_SAMPLES,
        format!(
            "{} {} too few for {name} and above: {name} needs {}",
            count(times.count, "line"),
            if times.count == 1 { "is" } else { "are" },
            rounded(needed)
        ),
    )
}

fn starved(report: &Report) -> Option<Warning> {
    let connections = &report.connections;
    let (min, median) = (connections.lines_min, connections.lines_median?);
    if report.options.connections < 2 || median < FAIR_LINES || report.options.churn {
        return None;
    }
    (min < median / 10).then(|| {
        let (min, median) = (grouped(min), grouped(median));
        warning(code::STARVED, format!("one connection got {min} answers while the median got {median}"))
    })?
}

fn unsent(report: &Report) -> Option<Warning> {
    let unsent = report.errors.unsent;
    (unsent > 0).then(|| {
        let (lines, were) = (count(unsent, "line"), if unsent == 1 { "was" } else { "were" });
        let message = format!("{lines} {were} due and never left: that waiting is in no percentile");
        warning(code::UNSENT, message)
    })?
}

fn stepped(step: Option<Duration>) -> Option<Warning> {
    let ms = step?.as_secs_f64() * 1e3;
    warning(
        code::CLOCK_STEP,
        format!("the wall clock was set by {ms:.0} ms; the times here do not depend on it"),
    )
}
