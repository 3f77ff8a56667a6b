//! A share in percent.

use std::fmt;
use std::str::FromStr;

use super::UnitError;
use super::decimal::{Decimal, Rounding, split};

/// How often something happens, in parts of a million: `5%` is 50,000, `0.0001%` is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(u32);

impl Chance {
    /// Never.
    pub const NEVER: Self = Self(0);
    const WHOLE: u32 = 1_000_000;

    /// `parts` of a million; more than a million is always.
    pub fn per_million(parts: u32) -> Self {
        Self(parts.min(Self::WHOLE))
    }

    /// True for this share of all values of `draw`. A draw that a small chance picks, a larger one
    /// picks too.
    pub fn picks(self, draw: u32) -> bool {
        // The whole range of u32 maps onto the million, so that 100% picks every draw.
        (u64::from(draw) * u64::from(Self::WHOLE)) >> 32 < u64::from(self.0)
    }
}

impl FromStr for Chance {
    type Err = UnitError;

    /// To the nearest part of a million.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        const SHAPE: &str = "a share looks like 5% or 0.1%";
        if text.is_empty() {
            return Err(UnitError(format!("the share is missing; {SHAPE}")));
        }
        let (number, unit) = split(text);
        let number = Decimal::read(number).filter(|_| unit == "%").ok_or_else(|| UnitError::new(SHAPE))?;
        let parts = number.times(u64::from(Self::WHOLE) / 100, Rounding::Nearest);
        let parts = parts.and_then(|parts| u32::try_from(parts).ok()).filter(|parts| *parts <= Self::WHOLE);
        parts.map(Self).ok_or_else(|| UnitError(format!("{text} is too much: at most 100%")))
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percent, fraction) = (self.0 / 10_000, self.0 % 10_000);
        if fraction == 0 {
            return write!(f, "{percent}%");
        }
        let fraction = format!("{fraction:04}");
        write!(f, "{percent}.{}%", fraction.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_read_in_percent_and_written_without_needless_zeros() {
        for (text, parts, written) in [
            ("5%", 50_000, "5%"),
            ("100%", 1_000_000, "100%"),
            ("0%", 0, "0%"),
            ("0.10 %", 1_000, "0.1%"),
            (".5%", 5_000, "0.5%"),
            ("12.3456%", 123_456, "12.3456%"),
            ("0.00005%", 1, "0.0001%"),
            ("0.00004%", 0, "0%"),
            ("10.0100%", 100_100, "10.01%"),
        ] {
            let chance: Chance = text.parse().unwrap();
            assert_eq!((chance, chance.to_string().as_str()), (Chance(parts), written), "{text}");
        }
    }

    #[test]
    fn what_is_no_share_says_what_would_be() {
        let error = |text: &str| text.parse::<Chance>().unwrap_err().to_string();
        assert_eq!(error(""), "the share is missing; a share looks like 5% or 0.1%");
        for text in ["5", "%", "-5%", "5%%", "1.2.3%", "five%"] {
            assert_eq!(error(text), "a share looks like 5% or 0.1%", "{text}");
        }
        for text in ["101%", "100.0001%", "99999999999999999999%"] {
            assert_eq!(error(text), format!("{text} is too much: at most 100%"));
        }
    }

    #[test]
    fn a_chance_of_one_hundred_percent_picks_every_draw_and_none_picks_none() {
        for draw in [0, 1, u32::MAX / 2, u32::MAX] {
            assert!(Chance::per_million(1_000_000).picks(draw));
            assert!(!Chance::NEVER.picks(draw));
        }
    }

    proptest! {
        #[test]
        fn a_printed_share_parses_to_itself(parts in 0_u32..=1_000_000) {
            prop_assert_eq!(Chance(parts).to_string().parse(), Ok(Chance(parts)));
        }

        #[test]
        fn any_text_is_a_share_or_an_error(text in ".*", number in "[0-9.]{0,40}%") {
            let _ = (text.parse::<Chance>(), number.parse::<Chance>());
        }
    }
}
