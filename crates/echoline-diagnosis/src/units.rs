//! Sizes, times and numbers as people write them: `64KiB`, `500ms`, `16`. What these types print they also parse, to
//! the same value.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes: `512`, `512B`, `64KiB`, `1MiB`, `2GiB`; `64K` means `64KiB` and `64kB` is 64,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A time: `250us`, `500ms`, `10s`, `1.5s`, `5m`, `2h`. A bare number is refused: its unit would be a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// Why a text is no size or time; says what would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitError(String);

impl std::error::Error for UnitError {}

impl UnitError {
    /// An error of another parser, in the same form: says what the text should look like.
    pub fn new(what_it_looks_like: &str) -> Self {
        Self(what_it_looks_like.to_owned())
    }
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const SIZE_UNITS: [(&str, u64); 12] = [
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
const SPAN_UNITS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        const SHAPE: &str = "a size looks like 512, 64KiB or 1MiB";
        if text.is_empty() {
            return Err(UnitError(format!("the size is missing; {SHAPE}")));
        }
        let (number, unit) = split(text);
        let factor = factor(&SIZE_UNITS, unit)
            .ok_or_else(|| UnitError(format!("\"{unit}\" is no unit of size; use B, KiB, MiB or GiB")))?;
        let bytes = scale(number, factor).ok_or_else(|| UnitError(SHAPE.to_owned()))?;
        bytes
            .map(Self)
            .ok_or_else(|| UnitError(format!("{text} is too large: at most {}GiB", u64::MAX >> 30)))
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        const SHAPE: &str = "a time looks like 500ms, 10s or 5m";
        if text.is_empty() {
            return Err(UnitError(format!("the time is missing; {SHAPE}")));
        }
        let (number, unit) = split(text);
        if number == "0" && unit.is_empty() {
            return Ok(Self(Duration::ZERO));
        }
        if unit.is_empty() && !number.is_empty() {
            return Err(UnitError(format!("a time needs its unit: {number}s or {number}ms")));
        }
        let factor = factor(&SPAN_UNITS, unit)
            .ok_or_else(|| UnitError(format!("\"{unit}\" is no unit of time; use us, ms, s, m or h")))?;
        let ns = scale(number, factor).ok_or_else(|| UnitError(SHAPE.to_owned()))?;
        let longest = u64::MAX / 3_600_000_000_000;
        ns.map(|ns| Self(Duration::from_nanos(ns)))
            .ok_or_else(|| UnitError(format!("{text} is too long: at most {longest}h")))
    }
}

/// A time to wait for something: with none at all, nothing could ever come.
pub fn patience(text: &str) -> Result<Span, UnitError> {
    match text.parse()? {
        Span(Duration::ZERO) => Err(UnitError(format!("{text} is no time to wait: give 1ms or more"))),
        span => Ok(span),
    }
}

/// Room for something: with none at all, nothing could ever move.
pub fn room(text: &str) -> Result<Size, UnitError> {
    match text.parse()? {
        Size(0) => Err(UnitError(format!("{text} is no room: give 1B or more"))),
        size => Ok(size),
    }
}

/// Reads whole numbers within these bounds; what is refused is told in our words, with the bound.
pub fn number<T: FromStr>(bounds: RangeInclusive<u64>) -> impl Fn(&str) -> Result<T, UnitError> + Clone {
    move |text| {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(UnitError(format!("\"{text}\" is no whole number")));
        }
        let (least, most) = (bounds.start(), bounds.end());
        // Only digits: what does not fit into 64 bits is too large.
        let number = text.parse().unwrap_or(u64::MAX);
        let (Ok(value), true) = (text.parse(), bounds.contains(&number)) else {
            let told = if number < *least {
                format!("small: at least {least}")
            } else {
                format!("large: at most {most}")
            };
            return Err(UnitError(format!("{text} is too {told}")));
        };
        Ok(value)
    }
}

/// What there must be at least one of, and is counted in memory.
pub const SOME: RangeInclusive<u64> = 1..=usize::MAX as u64;

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn factor(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units.iter().find(|(name, _)| *name == unit).map(|&(_, factor)| factor)
}

/// `number * factor`, exact to one unit; `None` if `number` is no number, `Some(None)` if the result leaves 64 bits.
fn scale(number: &str, factor: u64) -> Option<Option<u64>> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let parts = u128::from(fraction.parse::<u64>().ok()?) * u128::from(factor);
    let below_one = u64::try_from(parts / 10_u128.pow(u32::try_from(fraction.len()).ok()?)).ok()?;
    let whole = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(factor));
    Some(whole.and_then(|whole| whole.checked_add(below_one)))
}

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

/// In the largest unit that needs no fraction; `units` goes from large to 1.
fn print_exact(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let fits = |&&(_, factor): &&(&str, u64)| value >= factor && value.is_multiple_of(factor);
    let (unit, factor) = units.iter().find(fits).copied().unwrap_or(("B", 1));
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

/// A list that others decide the length of, for a person: `a, b, c and 7 more` with three to be shown.
pub fn few(items: &[impl ToString], shown: usize) -> String {
    let mut text = items.iter().take(shown).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if items.len() > shown {
        text += &format!(" and {} more", items.len() - shown);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(text: &str) -> Result<u64, String> {
        text.parse::<Size>().map(|size| size.0).map_err(|error| error.to_string())
    }

    fn span(text: &str) -> Result<Duration, String> {
        text.parse::<Span>().map(|span| span.0).map_err(|error| error.to_string())
    }

    #[test]
    fn a_long_list_is_named_by_its_beginning() {
        let items = ["a", "b", "c", "d"];
        assert_eq!(
            (1..=4).map(|many| few(&items[..many], 3)).collect::<Vec<_>>(),
            ["a", "a, b", "a, b, c", "a, b, c and 1 more"]
        );
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
    fn a_number_that_is_refused_is_told_in_our_words_with_its_bound() {
        let refused = |text: &str| number::<std::num::NonZeroUsize>(SOME)(text).unwrap_err().to_string();
        assert_eq!(refused("0"), "0 is too small: at least 1");
        assert_eq!(
            refused("99999999999999999999"),
            format!("99999999999999999999 is too large: at most {}", usize::MAX)
        );
        for text in ["", "-1", "+1", "1.5", "many", "1 "] {
            assert_eq!(refused(text), format!("\"{text}\" is no whole number"));
        }
        assert_eq!(
            number::<u16>(1..=1000)("1001").unwrap_err().to_string(),
            "1001 is too large: at most 1000"
        );
        assert_eq!((number::<u16>(1..=1000)("1000"), number::<u64>(0..=u64::MAX)("007")), (Ok(1000), Ok(7)));
    }

    #[test]
    fn a_wait_is_longer_than_nothing() {
        assert_eq!(patience("0s").unwrap_err().to_string(), "0s is no time to wait: give 1ms or more");
        assert_eq!((patience("0").is_err(), patience("1ns")), (true, Ok(Span(Duration::from_nanos(1)))));
    }

    #[test]
    fn room_is_more_than_nothing() {
        assert_eq!(room("0KiB").unwrap_err().to_string(), "0KiB is no room: give 1B or more");
        assert_eq!((room("0").is_err(), room("1")), (true, Ok(Size(1))));
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

    proptest! {
        #[test]
        fn a_printed_size_parses_to_itself(bytes in any::<u64>(), shift in 0..40_u32) {
            for value in [bytes, bytes >> shift << shift] {
                prop_assert_eq!(size(&Size(value).to_string()), Ok(value));
            }
        }

        #[test]
        fn a_printed_time_parses_to_itself(ns in any::<u64>(), unit in prop::sample::select(vec![1, 1_000, 1_000_000, 1_000_000_000, 60_000_000_000])) {
            for value in [ns, ns / unit * unit] {
                let time = Duration::from_nanos(value);
                prop_assert_eq!(span(&Span(time).to_string()), Ok(time));
            }
        }

        #[test]
        fn any_text_is_a_value_or_an_error(text in ".*") {
            let _ = (size(&text), span(&text));
        }
    }
}
