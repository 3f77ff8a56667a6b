//! What the C library's allocator does with memory that was freed (mallopt(3)).

/// How much freed memory may stay with the process, at the end of each of the allocator's areas.
const KEPT: libc::c_int = 8 << 20;

/// Has freed blocks of up to 8 MiB stay in the process, to be used again.
///
/// As glibc comes, a large block is given back to the system when it is freed and asked for again when the next one is
/// needed, and each of its pages is then missing at its first touch. A server that holds one long line after the other
/// spends its time on that: 200 page faults for each line of 1 MiB were counted, and half as many lines a second.
pub fn keep_freed_memory() {
    for option in [libc::M_TRIM_THRESHOLD, libc::M_MMAP_THRESHOLD] {
        // SAFETY: mallopt(3) changes the allocator's own settings under its own lock, and has no pointers. Where it
        // refuses, all stays as it was.
        unsafe { libc::mallopt(option, KEPT) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

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
        keep_freed_memory();
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
