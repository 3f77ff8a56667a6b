//! Times in fixed memory: HDR histograms of nanoseconds, three digits exact, from 1 ns to an hour.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use serde::{Deserialize, Serialize};

/// Measured times. Longer ones than an hour count as an hour.
#[derive(Debug, Clone)]
pub(super) struct Samples(Histogram<u64>);

const HOUR_NS: u64 = 3_600_000_000_000;

impl Samples {
    pub(super) fn new() -> Self {
        Self(
            Histogram::new_with_bounds(1, HOUR_NS, 3).expect("the bounds are constants that the crate takes"),
        )
    }

    /// `count` times of `ns`.
    pub(super) fn record(&mut self, ns: u64, count: u64) {
        self.0.saturating_record_n(ns.max(1), count);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time that `percent` of all were at or below, in microseconds; `None` without samples.
    pub(super) fn percentile_us(&self, percent: f64) -> Option<f64> {
        (self.count() > 0).then(|| us(self.0.value_at_quantile(percent / 100.0)))
    }

    pub(super) fn max_us(&self) -> Option<f64> {
        (self.count() > 0).then(|| us(self.0.max()))
    }

    pub(super) fn summary(&self) -> Times {
        let at = |percent| self.percentile_us(percent);
        Times {
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p99_9: at(99.9),
            p99_99: at(99.99),
            max: self.max_us(),
            mean: (self.count() > 0).then(|| round(self.0.mean() / 1000.0)),
            count: self.count(),
        }
    }

    /// Counts in `[from, to)` microseconds for each pair of neighbours in `bounds_us`; the last reaches to the end.
    pub(super) fn buckets(&self, bounds_us: &[f64]) -> Vec<u64> {
        let mut counts = vec![0; bounds_us.len()];
        for value in self.0.iter_recorded() {
            let value_us = us(value.value_iterated_to());
            let bucket = bounds_us.iter().rposition(|&bound| bound <= value_us).unwrap_or(0);
            counts[bucket] += value.count_since_last_iteration();
        }
        counts
    }

    /// HdrHistogram's V2 format, which all its implementations read, in base64.
    pub(super) fn encode(&self) -> String {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&self.0, &mut bytes).expect("a vector takes every write");
        STANDARD.encode(bytes)
    }

    /// Reads what [`Samples::encode`] wrote.
    pub(super) fn decode(text: &str) -> Result<Self, String> {
        let bytes = STANDARD.decode(text).map_err(|error| error.to_string())?;
        let read: Histogram<u64> =
            Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|error| error.to_string())?;
        let mut samples = Self::new();
        samples.0.add(&read).map_err(|error| error.to_string())?;
        Ok(samples)
    }
}

/// The percentiles of one distribution, in microseconds; nulls where nothing was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Times {
    pub(super) p50: Option<f64>,
    pub(super) p90: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) p99_9: Option<f64>,
    pub(super) p99_99: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) mean: Option<f64>,
    pub(super) count: u64,
}

impl Times {
    /// One of the percentiles that are kept here; 100 is the maximum.
    pub(super) fn at(&self, percent: f64) -> Option<f64> {
        match percent {
            ..=50.0 => self.p50,
            ..=90.0 => self.p90,
            ..=99.0 => self.p99,
            ..=99.9 => self.p99_9,
            ..=99.99 => self.p99_99,
            _ => self.max,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "an hour of nanoseconds fits a double's 53 bits")]
fn us(ns: u64) -> f64 {
    round(ns as f64 / 1000.0)
}

/// To a nanosecond, so that JSON shows no digits that were not measured.
fn round(us: f64) -> f64 {
    (us * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_reads_back_the_same(times in prop::collection::vec((0..HOUR_NS * 2, 1..5_u64), 0..200)) {
            let mut samples = Samples::new();
            for (ns, count) in times {
                samples.record(ns, count);
            }
            let read = Samples::decode(&samples.encode()).unwrap();
            prop_assert_eq!(read.0, samples.0);
        }

        #[test]
        fn any_text_decodes_or_is_an_error(text in "[A-Za-z0-9+/=]{0,200}") {
            let _ = Samples::decode(&text);
        }

        #[test]
        fn percentiles_are_right_to_three_digits(mut times in prop::collection::vec(1_000..1_000_000_000_u64, 1..300)) {
            let mut samples = Samples::new();
            times.iter().for_each(|&ns| samples.record(ns, 1));
            times.sort_unstable();
            for percent in [50.0, 90.0, 99.0, 100.0_f64] {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
                let rank = ((percent / 100.0 * times.len() as f64).ceil() as usize).max(1);
                let exact = us(times[rank - 1]);
                let found = samples.percentile_us(percent).unwrap();
                prop_assert!((found - exact).abs() <= exact / 999.0, "{} {}", found, exact);
            }
        }
    }
}
