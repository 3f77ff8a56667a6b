//! Values within bounds: a time to wait, room for something, a whole number.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::{Size, Span, UnitError};

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

/// Reads whole numbers within these bounds; an error names the bound, in our words.
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
