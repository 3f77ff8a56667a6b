//! What programs show: exact values that parse back, and measured ones for a person.

use std::fmt;
use std::time::Duration;

use super::{Rate, Size, Span, Unit};

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_exact(f, self.0, &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)])
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX);
        let units = [
            ("h", 3_600_000_000_000),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
            ("ms", 1_000_000),
            ("us", 1_000),
            ("ns", 1),
        ];
        if ns == 0 { f.write_str("0s") } else { print_exact(f, ns, &units) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000), ("bit", 1)];
        print_exact(f, self.0, &units)
    }
}

/// In the largest unit that needs no fraction, zero in the last; `units` goes from large to 1.
fn print_exact<const N: usize>(f: &mut fmt::Formatter<'_>, value: u64, units: &[Unit; N]) -> fmt::Result {
    let fits = |&&(_, factor): &&Unit| value >= factor && value.is_multiple_of(factor);
    let (unit, factor) = units.iter().find(fits).unwrap_or(&units[N - 1]);
    write!(f, "{}{unit}", value / factor)
}

/// A measured time for a person, to two or three digits: `0.09 ms`, `12.4 ms`, `5.0 s`.
pub fn human_time(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    match ms {
        ..0.995 => format!("{ms:.2} ms"),
        ..99.95 => format!("{ms:.1} ms"),
        ..999.5 => format!("{ms:.0} ms"),
        ..599_950.0 => format!("{:.1} s", ms / 1e3),
        _ => format!("{:.0} min", ms / 60e3),
    }
}

/// A measured number of bytes for a person: `6 bytes`, `1 byte`, `1.5 MiB`.
pub fn human_size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown to one digit")]
    let float = bytes as f64;
    match bytes {
        1 => "1 byte".to_owned(),
        0 | 2..10_240 => format!("{bytes} bytes"),
        10_240..1_048_576 => format!("{:.1} KiB", float / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", float / 1_048_576.0),
        _ => format!("{:.1} GiB", float / 1_073_741_824.0),
    }
}

/// A count with its noun: `1 line`, `2 lines`, `12,345 lines`.
pub fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A number as people read it: `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A list that others decide the length of, for a person: `a, b, c and 7 more` if three are shown.
pub fn few(items: &[impl ToString], shown: usize) -> String {
    let mut text = items.iter().take(shown).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if items.len() > shown {
        text += &format!(" and {} more", items.len() - shown);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_list_is_named_by_its_beginning() {
        let items = ["a", "b", "c", "d"];
        assert_eq!(
            (1..=4).map(|many| few(&items[..many], 3)).collect::<Vec<_>>(),
            ["a", "a, b", "a, b, c", "a, b, c and 1 more"]
        );
    }

    #[test]
    fn measured_values_read_well() {
        let time = |us| human_time(Duration::from_micros(us));
        assert_eq!(
            [time(90), time(12_400), time(250_000), time(5_004_000), time(1_200_000_000)],
            ["0.09 ms", "12.4 ms", "250 ms", "5.0 s", "20 min"]
        );
        assert_eq!(
            [human_size(1), human_size(6), human_size(1 << 20), human_size(1_600_000)],
            ["1 byte", "6 bytes", "1.0 MiB", "1.5 MiB"]
        );
        assert_eq!(
            [count(1, "line"), count(0, "line"), count(1_234_567, "line")],
            ["1 line", "0 lines", "1,234,567 lines"]
        );
    }

    #[test]
    fn a_rate_is_written_in_the_largest_unit_that_fits() {
        let written =
            [0, 999, 64_000, 1_500_000, 10_000_000, 2_000_000_000].map(|bits| Rate(bits).to_string());
        assert_eq!(written, ["0bit", "999bit", "64kbit", "1500kbit", "10mbit", "2gbit"]);
    }

    proptest! {
        #[test]
        fn a_printed_size_parses_to_itself(bytes in any::<u64>(), shift in 0..40_u32) {
            for value in [bytes, bytes >> shift << shift] {
                prop_assert_eq!(Size(value).to_string().parse(), Ok(Size(value)));
            }
        }

        #[test]
        fn a_printed_time_parses_to_itself(
            ns in any::<u64>(),
            unit in prop::sample::select(vec![1, 1_000, 1_000_000, 1_000_000_000, 60_000_000_000]),
        ) {
            for value in [ns, ns / unit * unit] {
                let time = Span(Duration::from_nanos(value));
                prop_assert_eq!(time.to_string().parse(), Ok(time));
            }
        }

        #[test]
        fn a_printed_rate_parses_to_itself(
            bits in any::<u64>(), unit in prop::sample::select(vec![1, 1_000, 1_000_000, 1_000_000_000]),
        ) {
            for value in [bits, bits / unit * unit] {
                prop_assert_eq!(Rate(value).to_string().parse(), Ok(Rate(value)));
            }
        }
    }
}
