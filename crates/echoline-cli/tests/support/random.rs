//! Random bytes that are the same in every run.

use echoline_testing::Random;

/// Lines of 0 to 127 bytes of every value; the last one has no end.
pub(crate) fn random_lines(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let bytes = random.by_ref().flat_map(u64::to_le_bytes);
    let mut lines: Vec<u8> = bytes.take(length).collect();
    let mut at = 0;
    while at < length - 1 {
        lines[at] = b'\n';
        at += 1 + usize::try_from(random.next().unwrap() % 128).unwrap();
    }
    lines[length - 1] = b'.';
    lines
}
