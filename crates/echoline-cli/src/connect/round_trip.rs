//! How long lines took from our send until their last byte was back.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Round trips of any number of lines in fixed memory: minimum, mean and maximum exact, p99 to 1 %.
#[derive(Debug)]
pub(super) struct RoundTrips {
    ns: Histogram<u64>,
    sum: Duration,
    min: Duration,
    max: Duration,
}

/// What a report shows of [`RoundTrips`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) lines: u64,
    #[serde(rename = "min_us", serialize_with = "us")]
    pub(super) min: Duration,
    #[serde(rename = "mean_us", serialize_with = "us")]
    pub(super) mean: Duration,
    #[serde(rename = "p99_us", serialize_with = "us")]
    pub(super) p99: Duration,
    #[serde(rename = "max_us", serialize_with = "us")]
    pub(super) max: Duration,
}

impl RoundTrips {
    /// The longest time that p99 tells apart: one hour.
    const LONGEST_NS: u64 = 3_600_000_000_000;

    pub(super) fn new() -> Self {
        let ns =
            Histogram::new_with_bounds(1, Self::LONGEST_NS, 2).expect("the bounds are constants in order");
        Self { ns, sum: Duration::ZERO, min: Duration::MAX, max: Duration::ZERO }
    }

    /// `lines` lines came back after `took`.
    pub(super) fn record(&mut self, took: Duration, lines: u64) {
        if lines == 0 {
            return;
        }
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).clamp(1, Self::LONGEST_NS);
        self.ns.saturating_record_n(ns, lines);
        let factor = u32::try_from(lines).unwrap_or(u32::MAX);
        self.sum = self.sum.saturating_add(took.saturating_mul(factor));
        self.min = self.min.min(took);
        self.max = self.max.max(took);
    }

    /// `None` when no whole line has come back.
    pub(super) fn summary(&self) -> Option<Summary> {
        let lines = self.ns.len();
        if lines == 0 {
            return None;
        }
        let mean =
            Duration::from_nanos(u64::try_from(self.sum.as_nanos() / u128::from(lines)).unwrap_or(u64::MAX));
        // The histogram answers with the upper end of a bucket; no line took longer than the maximum.
        let p99 = Duration::from_nanos(self.ns.value_at_quantile(0.99)).clamp(self.min, self.max);
        Some(Summary { lines, min: self.min, mean, p99, max: self.max })
    }
}

fn us<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_nanos() as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_back_is_no_summary() {
        let mut trips = RoundTrips::new();
        trips.record(Duration::from_millis(1), 0);
        assert_eq!(trips.summary(), None);
    }

    #[test]
    fn one_line_is_its_own_minimum_mean_p99_and_maximum() {
        let took = Duration::from_nanos(90_123);
        let mut trips = RoundTrips::new();
        trips.record(took, 1);
        assert_eq!(trips.summary(), Some(Summary { lines: 1, min: took, mean: took, p99: took, max: took }));
    }

    proptest! {
        #[test]
        fn the_summary_agrees_with_a_sorted_list(times in prop::collection::vec((1..10_000_000_000_u64, 1..50_u64), 1..200)) {
            let mut trips = RoundTrips::new();
            let mut all = Vec::new();
            for &(ns, lines) in &times {
                trips.record(Duration::from_nanos(ns), lines);
                all.extend(std::iter::repeat_n(ns, usize::try_from(lines).unwrap()));
            }
            all.sort_unstable();
            let summary = trips.summary().unwrap();
            prop_assert_eq!(summary.lines, all.len() as u64);
            prop_assert_eq!(summary.min, Duration::from_nanos(all[0]));
            prop_assert_eq!(summary.max, Duration::from_nanos(*all.last().unwrap()));
            prop_assert_eq!(summary.mean, Duration::from_nanos(all.iter().sum::<u64>() / all.len() as u64));
            let p99 = all[(all.len() * 99).div_ceil(100) - 1] as f64;
            let told = summary.p99.as_nanos() as f64;
            prop_assert!((told - p99).abs() <= p99 * 0.01 + 1.0, "{} for {}", told, p99);
        }
    }
}
