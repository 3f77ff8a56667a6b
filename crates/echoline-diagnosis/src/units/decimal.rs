//! A number and its unit, exactly: no floating point, which would round what people write.

use super::Unit;

/// What happens to the part of a number that is smaller than the smallest unit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    Down,
    /// A half goes up.
    Nearest,
}

/// The number at the beginning, and the unit behind it.
pub(super) fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// How many of the smallest unit one of this name is.
pub(super) fn factor(units: &[Unit], unit: &str) -> Option<u64> {
    units.iter().find(|(name, _)| *name == unit).map(|&(_, factor)| factor)
}

/// A number that is not negative: digits with at most one point before, between or behind them.
pub(super) struct Decimal<'a> {
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    /// `None` if it is no number.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
        is_number.then_some(Self { whole, fraction })
    }

    pub(super) fn is_zero(&self) -> bool {
        self.whole.bytes().chain(self.fraction.bytes()).all(|digit| digit == b'0')
    }

    /// Exactly this number times `factor`, then rounded; `None` if that leaves 64 bits.
    pub(super) fn times(&self, factor: u64, rounding: Rounding) -> Option<u64> {
        let whole = if self.whole.is_empty() { 0 } else { self.whole.parse::<u64>().ok()? };
        // As on paper, from the last digit to the first: what is carried out of the first is whole.
        let mut carried = 0_u128;
        let mut tenths = 0;
        for digit in self.fraction.bytes().rev() {
            carried += u128::from(digit - b'0') * u128::from(factor);
            tenths = carried % 10;
            carried /= 10;
        }
        let up = u64::from(rounding == Rounding::Nearest && tenths >= 5);
        let below_one = u64::try_from(carried).ok()?;
        whole.checked_mul(factor)?.checked_add(below_one)?.checked_add(up)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_decimal_times_a_factor_is_that_of_integers(
            whole in 0_u64..1_000_000, fraction in "[0-9]{0,9}", factor in 1_u64..4_000_000_000_000,
        ) {
            let text = format!("{whole}.{fraction}");
            let scale = 10_u128.pow(fraction.len() as u32);
            let parts = u128::from(whole) * scale + fraction.parse().unwrap_or(0);
            let exact = parts * u128::from(factor);
            let times = |rounding| Decimal::read(&text).unwrap().times(factor, rounding).map(u128::from);
            prop_assert_eq!(times(Rounding::Down), Some(exact / scale));
            prop_assert_eq!(times(Rounding::Nearest), Some((2 * exact + scale) / (2 * scale)));
        }
    }
}
