//! What a completion belongs to: kind, slot and generation in the 64 bits that a request carries.

use crate::slots::Key;

/// What a request was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    ReceiveStream,
    ReceiveBulk,
    Send,
    Accept,
    Wake,
    /// Its own completion says nothing: the cancelled request completes by itself.
    Cancel,
}

const KINDS: [Kind; 6] =
    [Kind::ReceiveStream, Kind::ReceiveBulk, Kind::Send, Kind::Accept, Kind::Wake, Kind::Cancel];
const INDEX_BITS: u32 = 28;

/// From the top: 4 bits of kind, 28 of the slot's index, 32 of its generation.
pub(super) fn user_data(kind: Kind, index: u32, generation: u32) -> u64 {
    assert!(index < 1 << INDEX_BITS, "descriptors, and so connections, are fewer than 2^28");
    (kind as u64) << 60 | u64::from(index) << 32 | u64::from(generation)
}

pub(super) fn parse(user_data: u64) -> (Kind, Key) {
    let index = (user_data >> 32) as u32 & ((1 << INDEX_BITS) - 1);
    (KINDS[(user_data >> 60) as usize], Key { index, generation: user_data as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        for kind in KINDS {
            for index in [0, 1, (1 << INDEX_BITS) - 1] {
                for generation in [0, 7, u32::MAX] {
                    let (parsed, key) = parse(user_data(kind, index, generation));
                    assert_eq!((parsed, key), (kind, Key { index, generation }));
                }
            }
        }
    }
}
