//! What people write, read.

use std::str::FromStr;
use std::time::Duration;

use super::decimal::{Decimal, Rounding, factor, split};
use super::{Rate, Size, Span, Unit, UnitError};

const SIZE_UNITS: [Unit; 12] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// In nanoseconds.
const SPAN_UNITS: [Unit; 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// In bits a second.
const RATE_UNITS: [Unit; 4] = [("bit", 1), ("kbit", 1_000), ("mbit", 1_000_000), ("gbit", 1_000_000_000)];

impl FromStr for Size {
    type Err = UnitError;

    /// Parts of a byte are dropped.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        const SHAPE: &str = "a size looks like 512, 64KiB or 1MiB";
        if text.is_empty() {
            return Err(UnitError(format!("the size is missing; {SHAPE}")));
        }
        let (number, unit) = split(text);
        let factor = factor(&SIZE_UNITS, unit)
            .ok_or_else(|| UnitError(format!("\"{unit}\" is no unit of size; use B, KiB, MiB or GiB")))?;
        let number = Decimal::read(number).ok_or_else(|| UnitError::new(SHAPE))?;
        number
            .times(factor, Rounding::Down)
            .map(Self)
            .ok_or_else(|| UnitError(format!("{text} is too large: at most {}GiB", u64::MAX >> 30)))
    }
}

impl FromStr for Span {
    type Err = UnitError;

    /// Parts of a nanosecond are dropped.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        span(text, Rounding::Down)
    }
}

impl Span {
    /// As [`FromStr`] reads it, but to the nearest nanosecond.
    ///
    /// # Errors
    ///
    /// The text is no time, or it is longer than 64 bits of nanoseconds.
    pub fn nearest(text: &str) -> Result<Self, UnitError> {
        span(text, Rounding::Nearest)
    }
}

fn span(text: &str, rounding: Rounding) -> Result<Span, UnitError> {
    const SHAPE: &str = "a time looks like 500ms, 10s or 5m";
    if text.is_empty() {
        return Err(UnitError(format!("the time is missing; {SHAPE}")));
    }
    let (number, unit) = split(text);
    let decimal = Decimal::read(number);
    if unit.is_empty() && decimal.as_ref().is_some_and(Decimal::is_zero) {
        return Ok(Span(Duration::ZERO));
    }
    if unit.is_empty() && !number.is_empty() {
        return Err(UnitError(format!("a time needs its unit: {number}s or {number}ms")));
    }
    let factor = factor(&SPAN_UNITS, unit)
        .ok_or_else(|| UnitError(format!("\"{unit}\" is no unit of time; use us, ms, s, m or h")))?;
    let decimal = decimal.ok_or_else(|| UnitError::new(SHAPE))?;
    let longest = u64::MAX / 3_600_000_000_000;
    let ns = decimal.times(factor, rounding);
    ns.map(|ns| Span(Duration::from_nanos(ns)))
        .ok_or_else(|| UnitError(format!("{text} is too long: at most {longest}h")))
}

impl FromStr for Rate {
    type Err = UnitError;

    /// To the nearest bit.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        const SHAPE: &str = "a rate looks like 64kbit, 10mbit or 1gbit";
        if text.is_empty() {
            return Err(UnitError(format!("the rate is missing; {SHAPE}")));
        }
        let (number, unit) = split(text);
        if unit.is_empty() && !number.is_empty() {
            return Err(UnitError(format!("a rate needs its unit: {number}kbit or {number}mbit")));
        }
        let factor = factor(&RATE_UNITS, unit).ok_or_else(|| {
            UnitError(format!("\"{unit}\" is no unit of rate; use bit, kbit, mbit or gbit"))
        })?;
        let number = Decimal::read(number).ok_or_else(|| UnitError::new(SHAPE))?;
        number
            .times(factor, Rounding::Nearest)
            .map(Self)
            .ok_or_else(|| UnitError(format!("{text} is too fast: at most {}gbit", u64::MAX / 1_000_000_000)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(text: &str) -> Result<u64, String> {
        text.parse::<Size>().map(|size| size.0).map_err(|error| error.to_string())
    }

    fn span(text: &str) -> Result<Duration, String> {
        text.parse::<Span>().map(|span| span.0).map_err(|error| error.to_string())
    }

    fn rate(text: &str) -> Result<u64, String> {
        text.parse::<Rate>().map(|rate| rate.0).map_err(|error| error.to_string())
    }

    #[test]
    fn sizes_take_the_usual_units() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("64KiB", 65_536),
            ("64K", 65_536),
            ("64 KiB", 65_536),
            ("64kB", 64_000),
            ("1.5MiB", 1_572_864),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn times_take_the_usual_units() {
        for (text, us) in [
            ("0", 0),
            ("250us", 250),
            ("500ms", 500_000),
            ("1.5s", 1_500_000),
            ("10 s", 10_000_000),
            ("5m", 300_000_000),
            ("2h", 7_200_000_000),
        ] {
            assert_eq!(span(text), Ok(Duration::from_micros(us)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_or_time_says_what_would_be() {
        assert_eq!(size("64KB2"), Err("\"KB2\" is no unit of size; use B, KiB, MiB or GiB".into()));
        assert_eq!(size("KiB"), Err("a size looks like 512, 64KiB or 1MiB".into()));
        assert_eq!(size("-1").unwrap_err(), "\"-1\" is no unit of size; use B, KiB, MiB or GiB");
        assert_eq!(size("1.2.3"), Err("a size looks like 512, 64KiB or 1MiB".into()));
        assert_eq!(size("17179869184GiB"), Err("17179869184GiB is too large: at most 17179869183GiB".into()));
        assert_eq!(span("5124096h"), Err("5124096h is too long: at most 5124095h".into()));
        assert_eq!(
            span("99999999999999999999s").unwrap_err(),
            "99999999999999999999s is too long: at most 5124095h"
        );
        assert!(size("17179869183GiB").is_ok() && span("5124095h").is_ok());
        assert_eq!(span("10"), Err("a time needs its unit: 10s or 10ms".into()));
        assert_eq!(span("10 parsec"), Err("\"parsec\" is no unit of time; use us, ms, s, m or h".into()));
        assert_eq!(span("soon"), Err("\"soon\" is no unit of time; use us, ms, s, m or h".into()));
        assert_eq!(span(""), Err("the time is missing; a time looks like 500ms, 10s or 5m".into()));
        assert_eq!(size(""), Err("the size is missing; a size looks like 512, 64KiB or 1MiB".into()));
    }

    #[test]
    fn rates_take_the_units_of_tc() {
        for (text, bits) in [
            ("9600bit", 9_600),
            ("64kbit", 64_000),
            ("1.5mbit", 1_500_000),
            ("10 mbit", 10_000_000),
            ("100gbit", 100_000_000_000),
            ("0.0005kbit", 1),
            ("0.00049kbit", 0),
        ] {
            assert_eq!(rate(text), Ok(bits), "{text}");
        }
        assert_eq!(rate("10"), Err("a rate needs its unit: 10kbit or 10mbit".into()));
        assert_eq!(rate("10Mbit"), Err("\"Mbit\" is no unit of rate; use bit, kbit, mbit or gbit".into()));
        assert_eq!(rate("1.2.3bit"), Err("a rate looks like 64kbit, 10mbit or 1gbit".into()));
        assert_eq!(rate(""), Err("the rate is missing; a rate looks like 64kbit, 10mbit or 1gbit".into()));
        assert_eq!(
            rate("18446744074gbit"),
            Err("18446744074gbit is too fast: at most 18446744073gbit".into())
        );
        assert!(rate("18446744073gbit").is_ok());
    }

    #[test]
    fn a_fraction_may_have_any_length_and_its_rest_is_dropped_or_rounded() {
        let third = format!("0.{}s", "3".repeat(500));
        assert_eq!(span(&third), Ok(Duration::from_nanos(333_333_333)));
        let ns = |text: &str| (span(text).unwrap().as_nanos(), Span::nearest(text).unwrap().0.as_nanos());
        assert_eq!((ns("1.5ns"), ns("1.49999ns"), ns("0.0000000019s")), ((1, 2), (1, 1), (1, 2)));
        assert_eq!(
            (ns(".5us"), ns("5.us"), ns("0.0"), ns("00")),
            ((500, 500), (5_000, 5_000), (0, 0), (0, 0))
        );
        assert_eq!(size("0.7KiB"), Ok(716));
        for text in [".s", ".", "1..s", "1.2.3s"] {
            assert!(span(text).is_err(), "{text}");
        }
        // 2^64 - 1 in all.
        assert_eq!(size("18446744073709551615.9"), Ok(u64::MAX));
        assert!(rate("18446744073709551615.5bit").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_value_or_an_error(text in ".*") {
            let _ = (size(&text), span(&text), rate(&text), Span::nearest(&text));
        }

        #[test]
        fn any_number_with_a_unit_is_a_value_or_an_error(
            number in "[0-9.]{0,40}", unit in "(|ns|us|ms|s|m|h|B|KiB|GiB|bit|gbit|%)",
        ) {
            let text = number + &unit;
            let _ = (size(&text), span(&text), rate(&text), Span::nearest(&text));
        }
    }
}
