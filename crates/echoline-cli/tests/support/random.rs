//! Random bytes that are the same in every run.

/// Xorshift (Marsaglia 2003): fast, and random enough to find what a pattern would hide.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Lines of 0 to 127 bytes of every value; the last one has no end.
pub(crate) fn random_lines(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut lines = Vec::with_capacity(length + 8);
    while lines.len() < length {
        lines.extend_from_slice(&random.next().to_le_bytes());
    }
    lines.truncate(length);
    let mut at = 0;
    while at < length - 1 {
        lines[at] = b'\n';
        at += 1 + usize::try_from(random.next() % 128).unwrap();
    }
    lines[length - 1] = b'.';
    lines
}
