//! `--find-capacity`: the highest rate that keeps what is required, by doubling and then halving the gap.

use echoline_diagnosis::units::grouped;

use super::figures::rounded;
use super::report::{Missed, Report, Try};
use crate::failure::Stop;

const FIRST: u64 = 1_000;
/// No rate above this is tried.
const HIGHEST: u64 = 16_000_000;
/// The search ends when the lowest rate that failed is at most 5 % above the highest that was kept.
const CLOSE_PERCENT: u64 = 105;

/// Searches with `measure`, which runs at a rate and reports. The result is the report of the highest rate that was
/// kept (of the lowest tried, if none was), with every try.
pub(super) fn search(mut measure: impl FnMut(u64) -> Result<Report, Stop>) -> Result<Report, Stop> {
    let mut tries = Vec::new();
    let mut best: Option<Report> = None;
    let mut lowest: Option<Report> = None;
    let mut interrupted = false;
    let mut bracket = Bracket::default();
    while let Some(rate) = bracket.next() {
        let report = measure(rate)?;
        interrupted = report.interrupted;
        if interrupted {
            best = best.or(Some(report));
            break;
        }
        let tried = judge(rate, &report);
        bracket.tell(rate, tried.kept);
        if tried.kept {
            best = Some(report);
        } else if lowest.as_ref().is_none_or(|lowest| lowest.options.rate_per_s > Some(rate)) {
            lowest = Some(report);
        }
        tries.push(tried);
    }
    let capacity = bracket.kept;
    let mut report = best.or(lowest).expect("at least one rate was tried");
    report.capacity_lines_per_s = capacity;
    report.interrupted = interrupted;
    report.tries = tries;
    Ok(report)
}

/// A rate is kept if the bounds are, nothing failed, and the lines really came back at that rate.
fn judge(rate: u64, report: &Report) -> Try {
    let mut missed = report.missed.clone();
    let mut also = |required: String, measured: String| missed.push(Missed { required, measured });
    if report.errors.total + report.errors.unsent > 0 {
        also("errors=0".to_owned(), grouped(report.errors.total + report.errors.unsent));
    }
    #[expect(clippy::cast_precision_loss, reason = "rates are far below 2^53")]
    let reached = report.lines_per_s >= rate as f64 * 0.98;
    if !reached {
        also(format!("rate={rate}"), rounded(report.lines_per_s));
    }
    let Report { lines_per_s, .. } = *report;
    Try { rate_per_s: rate, lines_per_s, p99_us: report.latency_us.p99, kept: missed.is_empty(), missed }
}

/// Where the capacity can still be.
#[derive(Debug, Default)]
struct Bracket {
    kept: Option<u64>,
    failed: Option<u64>,
}

impl Bracket {
    /// The next rate to try; `None` when the answer is close enough.
    fn next(&self) -> Option<u64> {
        match (self.kept, self.failed) {
            (None, None) => Some(FIRST),
            (Some(kept), None) => (kept < HIGHEST).then_some((kept * 2).min(HIGHEST)),
            (None, Some(failed)) => (failed > 1).then_some(failed / 2),
            (Some(kept), Some(failed)) => {
                let close = failed * 100 <= kept * CLOSE_PERCENT || failed - kept <= 1;
                (!close).then_some(u64::midpoint(kept, failed))
            }
        }
    }

    fn tell(&mut self, rate: u64, kept: bool) {
        if kept {
            self.kept = Some(rate);
        } else {
            self.failed = Some(rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_search_ends_within_five_percent_below_the_capacity(capacity in 0..20_000_000_u64) {
            let mut bracket = Bracket::default();
            let mut tries = 0;
            while let Some(rate) = bracket.next() {
                bracket.tell(rate, rate <= capacity);
                tries += 1;
                prop_assert!(tries < 40);
            }
            match bracket.kept {
                None => prop_assert_eq!(capacity, 0),
                Some(found) => {
                    prop_assert!(found <= capacity);
                    prop_assert!(found >= HIGHEST || found * 105 / 100 + 1 >= capacity.min(HIGHEST));
                }
            }
        }
    }
}
