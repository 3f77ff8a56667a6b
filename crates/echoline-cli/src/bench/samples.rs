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
/// Ten million a second for nearly a year; sums of such counts do not overflow.
const MOST: u64 = 1 << 48;
/// What comes before the counts, and which part of it says how they are to be read.
const HEADER: usize = 40;
const LENGTH: std::ops::Range<usize> = 4..8;

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
        let mut counts = vec![0_u64; bounds_us.len()];
        if counts.is_empty() {
            return counts;
        }
        for value in self.0.iter_recorded() {
            let value_us = us(value.value_iterated_to());
            let bucket = bounds_us.iter().rposition(|&bound| bound <= value_us).unwrap_or(0);
            counts[bucket] = counts[bucket].saturating_add(value.count_since_last_iteration());
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
        if !is_ours(&bytes) {
            return Err("it is none that bench wrote".to_owned());
        }
        let read: Histogram<u64> =
            Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|error| error.to_string())?;
        let mut samples = Self::new();
        samples.0.add(&read).map_err(|error| error.to_string())?;
        if samples.count() > MOST {
            return Err("it counts more lines than a run can send".to_owned());
        }
        Ok(samples)
    }
}

/// Whether a histogram has the bounds of ours and its own length. The reader of the crate makes room for whatever a
/// header asks for, and overflows at the number of zeros that nine bytes of 0xff stand for.
fn is_ours(bytes: &[u8]) -> bool {
    let Some((header, counts)) = bytes.split_at_checked(HEADER) else { return false };
    let mut expected = Vec::new();
    V2Serializer::new().serialize(&Samples::new().0, &mut expected).expect("a vector takes every write");
    let length = u32::try_from(counts.len()).unwrap_or(u32::MAX);
    expected[LENGTH].copy_from_slice(&length.to_be_bytes());
    *header == expected[..HEADER] && !counts.windows(9).any(|nine| nine == [0xff; 9])
}

/// The percentiles that are kept, by their names, in the order in which they are shown; 100 is the maximum.
pub(super) const PERCENTILES: [(&str, f64); 6] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9), ("p99.99", 99.99), ("max", 100.0)];

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
    /// In the order of [`PERCENTILES`].
    pub(super) fn all(&self) -> [Option<f64>; PERCENTILES.len()] {
        PERCENTILES.map(|(_, percent)| self.at(percent))
    }

    /// One of [`PERCENTILES`].
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_bounds_have_no_counts() {
        let mut samples = Samples::new();
        samples.record(1000, 1);
        assert_eq!(samples.buckets(&[]), [0_u64; 0]);
    }

    #[test]
    fn the_percentiles_come_in_the_order_of_their_names() {
        let mut samples = Samples::new();
        for (us, count) in (1..).zip([60_000, 35_000, 4_500, 450, 45, 5]) {
            samples.record(us * 1000, count);
        }
        let times = samples.summary();
        assert_eq!(times.all(), [times.p50, times.p90, times.p99, times.p99_9, times.p99_99, times.max]);
        assert!(times.all().is_sorted_by(|a, b| a < b), "{times:?}");
    }

    /// These bytes where the counts stand.
    fn encoded(counts: &[u8]) -> String {
        let mut bytes = STANDARD.decode(Samples::new().encode()).unwrap();
        bytes.truncate(HEADER);
        bytes[LENGTH].copy_from_slice(&u32::try_from(counts.len()).unwrap().to_be_bytes());
        bytes.extend(counts);
        STANDARD.encode(bytes)
    }

    #[test]
    fn counts_that_overflow_are_refused() {
        // The least number of 64 bits, of which there is no negative; then the largest, twice.
        let least = [0xff; 9];
        let largest = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert!(Samples::decode(&encoded(&least)).is_err());
        assert!(Samples::decode(&encoded(&[largest, largest].concat())).is_err());
        assert_eq!(Samples::decode(&encoded(&[2, 4])).unwrap().count(), 3);
    }

    #[test]
    fn a_header_that_asks_for_gigabytes_is_refused() {
        let mut bytes = STANDARD.decode(Samples::new().encode()).unwrap();
        bytes[LENGTH].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(Samples::decode(&STANDARD.encode(bytes)).unwrap_err().contains("none that bench wrote"));
    }

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
        fn any_counts_behind_our_header_decode_to_what_can_be_shown_or_are_an_error(
            counts in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xff), Just(0xfe), 0..4_u8], 0..60)
        ) {
            if let Ok(samples) = Samples::decode(&encoded(&counts)) {
                let times = samples.summary();
                prop_assert_eq!(samples.buckets(&[0.0, 1.0]).iter().sum::<u64>(), times.count);
            }
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
