//! The rows of all families, and those that wait for a feature.

use super::row::{Bound, Kind, Row};

const LATER: &[Row] = &[
    later(
        20,
        "PROXY enabled: forged, split, oversize, stalled header",
        "trusted sources only; 3 s deadline",
        "the PROXY protocol",
    ),
    later(21, "TLS handshake stalls", "handshake deadline", "TLS"),
    later(33, "restart under load", "0 refused, 0 bytes lost", "the hand-over of listeners"),
];

const fn later(number: u8, fault: &'static str, expected: &'static str, feature: &'static str) -> Row {
    Row {
        number,
        fault,
        expected,
        fast: true,
        tested: false,
        canary: Bound::None,
        kind: Kind::Later(feature),
    }
}

/// The catalogue, family by family.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    let families: [&[Row]; 12] = [
        super::slow::ROWS,
        super::ending::ROWS,
        super::bytes::ROWS,
        super::accept::ROWS,
        super::shortage::ROWS,
        super::many::ROWS,
        super::link::ROWS,
        super::system::ROWS,
        super::ring::ROWS,
        super::client::ROWS,
        super::clock::ROWS,
        LATER,
    ];
    families.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_the_catalogue_has_exactly_one_row() {
        let mut numbers: Vec<_> = all().map(|row| row.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=49).collect::<Vec<_>>());
    }
}
