//! Figures as a person reads them.

use echoline_diagnosis::units::{grouped, human_size};

/// Three digits or all of the whole ones.
pub(super) fn short(us: f64) -> String {
    match us {
        ..9.995 => format!("{us:.2}"),
        ..99.95 => format!("{us:.1}"),
        _ => format!("{us:.0}"),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are far below 2^63")]
pub(super) fn rounded(number: f64) -> String {
    grouped(number.round() as u64)
}

pub(super) fn megabytes(bytes_per_s: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are far below 2^63")]
    let size = human_size(bytes_per_s.round() as u64);
    format!("{size}/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([short(1.234), short(12.34), short(1234.5)], ["1.23", "12.3", "1234"]);
        assert_eq!(rounded(1_234_567.4), "1,234,567");
    }
}
