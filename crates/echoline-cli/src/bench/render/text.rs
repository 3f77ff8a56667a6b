//! The report as text.

use std::fmt::Write;
use std::net::SocketAddr;

use echoline_diagnosis::escape::{Escaped, escape};
use echoline_diagnosis::units::{count, grouped};
use echoline_diagnosis::{Code, code};

use crate::bench::figures::{megabytes, rounded, short};
use crate::bench::report::Report;
use crate::bench::samples::{PERCENTILES, Samples, Times};

const BAR: usize = 40;

/// The whole report; ends with a newline.
pub(in crate::bench) fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = head(&mut text, report)
        .and_then(|()| figures(&mut text, report))
        .and_then(|()| histogram(&mut text, report))
        .and_then(|()| verdict(&mut text, report));
    text
}

fn head(text: &mut String, report: &Report) -> std::fmt::Result {
    let options = &report.options;
    let place = if report.embedded { " (a server on other threads of this process)" } else { "" };
    writeln!(text, "{}{place}", shown(&report.target))?;
    let size = match (options.size_bytes.min, options.size_bytes.max) {
        (min, max) if min == max => format!("{min} B"),
        (min, max) => format!("{min} to {max} B"),
    };
    let pace = match options.rate_per_s {
        Some(rate) => format!("open loop at {} lines/s", grouped(rate)),
        None if options.churn => "a connection a line".to_owned(),
        None => format!("{} in flight on each", options.depth),
    };
    let connections = count(options.connections as u64, "connection");
    let threads = count(options.threads as u64, "thread");
    writeln!(text, "{connections}, {pace}, lines of {size}, {threads}\n")
}

fn figures(text: &mut String, report: &Report) -> std::fmt::Result {
    let lines = count(report.lines, "line");
    let speed = megabytes(report.bytes_per_s);
    writeln!(
        text,
        "{lines} in {:.2} s: {} lines/s, {speed} each way",
        report.elapsed_s,
        rounded(report.lines_per_s)
    )?;
    write!(text, "\n  us      ")?;
    for (name, _) in PERCENTILES {
        write!(text, " {name:>9}")?;
    }
    writeln!(text)?;
    if report.options.rate_per_s.is_some() {
        times(text, "response", &report.latency_us)?;
        times(text, "service", &report.service_us)?;
    } else {
        times(text, "latency", &report.latency_us)?;
    }
    if report.connect_us.count > 0 {
        times(text, "connect", &report.connect_us)?;
    }
    writeln!(text)
}

fn times(text: &mut String, name: &str, times: &Times) -> std::fmt::Result {
    write!(text, "  {name:<8}")?;
    for value in times.all() {
        match value {
            Some(us) => write!(text, " {:>9}", short(us))?,
            None => write!(text, " {:>9}", "-")?,
        }
    }
    writeln!(text)
}

/// How the response times are spread, in steps of 1, 2, 5.
fn histogram(text: &mut String, report: &Report) -> std::fmt::Result {
    let Ok(samples) = Samples::decode(&report.histograms.latency) else { return Ok(()) };
    let (Some(low), Some(high)) = (samples.percentile_us(0.1), report.latency_us.max) else { return Ok(()) };
    let bounds = steps(low, high);
    let counts = samples.buckets(&bounds);
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    for (bound, lines) in bounds.iter().zip(&counts) {
        let length =
            usize::try_from((u128::from(*lines) * BAR as u128).div_ceil(u128::from(most))).unwrap_or(BAR);
        writeln!(text, "  {:>9} us  {:<BAR$}  {}", short(*bound), "#".repeat(length), grouped(*lines))?;
    }
    if bounds.is_empty() { Ok(()) } else { writeln!(text) }
}

/// 1, 2, 5, 10 ... from the one at or below `low` to the last at or below `high`.
fn steps(low: f64, high: f64) -> Vec<f64> {
    let series = (-1..11).flat_map(|power| [1.0, 2.0, 5.0].map(|digit: f64| digit * 10_f64.powi(power)));
    let all: Vec<f64> = series.collect();
    let first = all.iter().rposition(|&step| step <= low).unwrap_or(0);
    all.into_iter().skip(first).take_while(|&step| step <= high).collect()
}

fn verdict(text: &mut String, report: &Report) -> std::fmt::Result {
    let errors = &report.errors;
    if report.lines == 0 && errors.of_bytes() == 0 {
        write!(text, "No line came back in time to be measured.")?;
    } else if errors.of_bytes() == 0 {
        write!(text, "Every echoed byte is identical.")?;
    } else {
        let kinds = [
            (errors.lost, "lost"),
            (errors.altered, "altered"),
            (errors.surplus, "surplus"),
            (errors.swapped, "swapped"),
        ];
        let found: Vec<_> = kinds
            .iter()
            .filter(|(lines, _)| *lines > 0)
            .map(|(lines, kind)| format!("{} {kind}", count(*lines, "line")))
            .collect();
        write!(text, "NOT an exact echo: {}.", found.join(", "))?;
    }
    if let Some(us) = report.generator.cpu_us_per_line {
        write!(text, " The generator took {us:.2} us of CPU a line")?;
        if let Some(percent) = report.generator.busiest_thread_percent {
            write!(text, ", its busiest thread {percent:.0} % of a core")?;
        }
        write!(text, ".")?;
    }
    writeln!(text)?;
    let connections =
        [(errors.connections_failed, "did not open"), (errors.connections_closed, "ended early")];
    for (number, what) in connections.into_iter().filter(|(number, _)| *number > 0) {
        writeln!(text, "{} {what}.", count(number, "connection"))?;
    }
    for (code, number) in &errors.by_code {
        writeln!(text, "  {:>9}  {}", grouped(*number), shown(code))?;
    }
    if errors.total > 0 {
        next(text, report)?;
    }
    if let Some(capacity) = report.capacity_lines_per_s {
        writeln!(text, "Capacity: {} lines/s is the highest rate that was kept.", grouped(capacity))?;
    }
    for tried in &report.tries {
        let kept = if tried.kept { "kept" } else { "missed" };
        let p99 = tried.p99_us.map_or("-".to_owned(), short);
        writeln!(text, "  tried {:>9} lines/s: p99 {p99} us, {kept}", grouped(tried.rate_per_s))?;
    }
    for missed in &report.missed {
        writeln!(text, "missed   {}: {}", shown(&missed.required), shown(&missed.measured))?;
    }
    for warning in &report.warnings {
        writeln!(text, "warning  {}   [{}]", shown(&warning.message), shown(&warning.code))?;
    }
    if report.interrupted { writeln!(text, "Interrupted: figures up to then.") } else { Ok(()) }
}

/// What helps with errors: the command that finds the reason, and the page of the most frequent.
fn next(text: &mut String, report: &Report) -> std::fmt::Result {
    // A report that was added up from several may name several.
    let target = report.target.parse::<SocketAddr>().ok().filter(|_| !report.embedded);
    if let Some(target) = target.filter(|_| cfg!(target_os = "linux")) {
        writeln!(text, "  next  echoline check --expect echo {target} says why")?;
    }
    let known = |(code, _): &(&String, &u64)| code.parse::<Code>().is_ok();
    let frequent = report.errors.by_code.iter().filter(known).max_by_key(|(_, number)| **number);
    let errors = &report.errors;
    let of_bytes = match (errors.surplus, errors.of_bytes()) {
        (_, 0) => None,
        (surplus, all) if surplus == all => Some(code::ADDED),
        _ => Some(code::ALTERED),
    };
    let code = frequent.map(|(code, _)| code.as_str()).or(of_bytes.map(Code::as_str));
    code.map_or(Ok(()), |code| writeln!(text, "  next  echoline explain {code}"))
}

/// A report that is merged comes from a file, which may say anything.
fn shown(text: &str) -> Escaped<'_> {
    escape(text.as_bytes()).with_plain_backslash()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_goes_in_steps_of_one_two_five() {
        assert_eq!(steps(30.0, 450.0), [20.0, 50.0, 100.0, 200.0]);
        assert_eq!(steps(0.3, 1.0), [0.2, 0.5, 1.0]);
    }
}
