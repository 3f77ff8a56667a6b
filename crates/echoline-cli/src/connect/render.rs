//! The report as a sentence or two.

use std::time::Duration;

use echoline_diagnosis::units::{count, human_time};

use super::report::Report;

/// One line for a person, and one more of round-trip times if `verbose`.
pub(super) fn summary(report: &Report, verbose: bool, wait: Duration) -> String {
    let mut text = match report.result.as_str() {
        "identical" if report.sent.bytes == 0 => "Nothing sent, and nothing came back.".to_owned(),
        "identical" => format!("{}, identical{}.", report.sent.amount(), speed(report)),
        result => {
            let start = if result == "interrupted" { "Interrupted: sent" } else { "Sent" };
            format!("{start} {}; received {}.", report.sent.amount(), report.received.amount())
        }
    };
    if let (Some(round_trip), false) = (&report.round_trip, verbose) {
        let mean = if round_trip.lines == 1 { "" } else { " on average" };
        text += &format!(" Round trip {}{mean}.", human_time(round_trip.mean));
    }
    if let (Some(times), true) = (&report.round_trip, verbose) {
        let [min, mean, p99, max] = [times.min, times.mean, times.p99, times.max].map(human_time);
        text += &format!(
            "\nRound trip of {}: min {min}, mean {mean}, p99 {p99}, max {max}.",
            count(times.lines, "line")
        );
    }
    if report.left_open {
        let kept = format!("\nThe server had not finished its side {} after us.", human_time(wait));
        text += &kept;
    }
    text
}

/// Of a conversation that is long enough for a speed.
fn speed(report: &Report) -> String {
    let seconds = report.duration_us as f64 / 1e6;
    if report.sent.bytes < 1 << 20 || report.duration_us == 0 {
        return String::new();
    }
    format!(
        ", in {seconds:.1} s ({:.0} MiB/s each way)",
        report.sent.bytes as f64 / f64::from(1 << 20) / seconds
    )
}
