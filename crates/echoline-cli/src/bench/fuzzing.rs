//! For the fuzz target `replies`: the comparison of one connection, without the connection.

use super::tape::Tape;
use super::verify::Verifier;

/// Lines that are on their way at once.
const DEPTH: usize = 8;

/// Each byte is a step: a piece of what was sent comes back, or bytes that were not sent do, or some are left out.
///
/// # Panics
/// When the count of faults is wrong: none exactly when every byte came back as it was sent.
pub fn faults(bytes: &[u8]) {
    let Some((&sizes, steps)) = bytes.split_first() else { return };
    let longest = 3 + u32::from(sizes % 32);
    let tape = Tape::new(&(3..=longest), DEPTH as u32, sizes.into());
    let mut verifier = Verifier::new(tape.entry(sizes.into()));
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    let (mut next, mut answered, mut lines, mut back) = (tape.entry(sizes.into()), 0, 0, 0);
    let mut steps = steps.iter();
    while let Some(step) = steps.next() {
        let room = DEPTH - verifier.on_their_way();
        sent.extend(tape.ahead(next, room).concat());
        next = tape.at(tape.after(next.line, room));
        verifier.sending(room);
        lines += room;
        let many = usize::from(step & 0x3f);
        let piece = match step >> 6 {
            0 | 1 => sent[back..sent.len().min(back + many)].to_vec(),
            2 => steps.by_ref().take(many % 16).copied().collect(),
            _ => Vec::new(),
        };
        back = sent.len().min(back + if step >> 6 == 2 { 0 } else { many });
        received.extend_from_slice(&piece);
        answered += verifier.received(&tape, &piece);
        assert!(answered <= lines && verifier.on_their_way() == lines - answered);
    }
    let faults = verifier.close(&tape);
    assert_eq!(faults.total() == 0, sent == received, "{faults:?}");
}
