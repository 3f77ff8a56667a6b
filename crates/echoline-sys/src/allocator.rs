//! What the C library's allocator does with memory that was freed (mallopt(3)).

/// Above this size glibc maps a block by itself, and up to this much it keeps (mallopt(3), both at their defaults).
const DEFAULT: usize = 128 << 10;
/// So much is kept at most, at the end of each of the allocator's areas.
const MOST: usize = 8 << 20;

/// Has freed blocks of up to so many bytes stay in the process, to be used again: no larger ones than 8 MiB, and no more
/// than 8 MiB of them. Does nothing where the allocator does so anyway.
///
/// As glibc comes, a large block is given back to the system when it is freed and asked for again when the next one is
/// needed, and each of its pages is then missing at its first touch. A server that holds one long line after the other
/// spends its time on that: 200 page faults for each line of 1 MiB were counted, and half as many lines a second.
pub fn keep_freed_memory(bytes: usize) {
    if bytes <= DEFAULT {
        return;
    }
    let number = |bytes: usize| libc::c_int::try_from(bytes.min(MOST)).unwrap_or(libc::c_int::MAX);
    for (option, value) in [(libc::M_TRIM_THRESHOLD, MOST), (libc::M_MMAP_THRESHOLD, bytes)] {
        // SAFETY: mallopt(3) changes the allocator's own settings under its own lock, and has no pointers. Where it
        // refuses, all stays as it was.
        unsafe { libc::mallopt(option, number(value)) };
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    fn page_faults() -> i64 {
        // SAFETY: a C structure of integers, for which zeroes are values.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: it is written to `usage`, which is one.
        let result = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
        assert_eq!(result, 0);
        usage.ru_minflt
    }

    #[test]
    fn blocks_of_a_mebibyte_are_used_again_without_page_faults() {
        keep_freed_memory(8 << 20);
        let all_at_once = || drop([0; 4].map(|_| black_box(vec![1_u8; 1 << 20])));
        all_at_once();
        let before = page_faults();
        for _ in 0..10 {
            all_at_once();
        }
        let faults = page_faults() - before;
        assert!(faults < 1000, "{faults} page faults for 40 MiB");
    }
}
