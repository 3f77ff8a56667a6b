//! Receive buffers that the kernel picks from: a provided buffer ring (io_uring_register_buf_ring(3)).

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::{Submitter, types::BufRingEntry};

/// The kernel wants the ring on a page boundary, whose pages have 64 KiB at most where Linux runs (`PAGE_SIZE` of arm64
/// and ppc64).
const PAGE: usize = 64 * 1024;

/// A fixed set of buffers of one size. Each is either the kernel's to write into, or ours to read.
///
/// Invariants:
/// - `lent[id]` is true while a completion has handed buffer `id` to us. Only then is it read, and only then can
///   it be recycled; the kernel writes into none that is lent.
/// - `ring` and `memory` stay where they are and are freed only in `drop`. The owner drops the kernel's ring, with
///   no request under way, before the pool.
pub(super) struct Pool {
    ring: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    lent: Box<[bool]>,
    lent_count: usize,
    tail: u16,
    size: usize,
    stride: usize,
}

impl Pool {
    /// `count` is a power of two, at most 32,768. `size` is in bytes.
    pub(super) fn new(count: u16, size: usize) -> Self {
        assert!(count.is_power_of_two() && count <= 1 << 15 && size > 0);
        let entries = usize::from(count);
        // A stride off the power of two: else the first lines of all buffers would share a few cache sets.
        let stride = size + 64;
        let ring = allocate(ring_layout(entries)).cast();
        let memory = allocate(memory_layout(entries, stride));
        // Not zero, which the allocator has for nothing: now every page is there. A machine that is short of memory says so
        // at the start and not in the middle of a conversation, and what a client costs does not depend on who came before.
        // SAFETY: the whole of the allocation, which nobody else knows of yet.
        unsafe { memory.as_ptr().write_bytes(0xff, memory_layout(entries, stride).size()) };
        let lent = vec![true; entries].into_boxed_slice();
        let mut pool = Self { ring, memory, lent, lent_count: entries, tail: 0, size, stride };
        for id in 0..count {
            pool.recycle(id);
        }
        pool
    }

    /// Lets the kernel pick from this pool as buffer group `group`.
    pub(super) fn register(&self, submitter: &Submitter<'_>, group: u16) -> io::Result<()> {
        let entries = u16::try_from(self.lent.len()).expect("checked in new");
        // SAFETY: the ring is page-aligned memory for `entries` entries and lives until after the kernel's ring
        // (see the type's invariants); its entries point into `memory`, which lives as long.
        unsafe { submitter.register_buf_ring_with_flags(self.ring.as_ptr() as u64, entries, group, 0) }
    }

    pub(super) fn has_free(&self) -> bool {
        self.lent_count < self.lent.len()
    }

    #[cfg(test)]
    pub(super) fn lent(&self) -> usize {
        self.lent_count
    }

    /// Notes that a completion handed buffer `id` to us.
    pub(super) fn lend(&mut self, id: u16) {
        let was_lent = std::mem::replace(&mut self.lent[usize::from(id)], true);
        assert!(!was_lent, "the kernel handed out buffer {id}, which we have");
        self.lent_count += 1;
    }

    /// The first `len` bytes of a buffer that we have.
    pub(super) fn bytes(&self, id: u16, len: usize) -> &[u8] {
        assert!(self.lent[usize::from(id)] && len <= self.size, "buffer {id} with {len} bytes is not ours");
        // SAFETY: the buffer lies within `memory` (id < count, len <= size <= stride), was initialised at the
        // allocation, and nobody writes to it while it is lent; `&self` keeps it from being recycled.
        unsafe { std::slice::from_raw_parts(self.address(id).as_ptr(), len) }
    }

    /// Gives a buffer to the kernel.
    pub(super) fn recycle(&mut self, id: u16) {
        let was_lent = std::mem::replace(&mut self.lent[usize::from(id)], false);
        assert!(was_lent, "buffer {id} was recycled twice");
        self.lent_count -= 1;
        let address = self.address(id).as_ptr() as u64;
        let index = usize::from(self.tail) & (self.lent.len() - 1);
        // SAFETY: `index` is masked to the ring's entries.
        let mut entry = unsafe { self.ring.add(index) };
        // SAFETY: the kernel reads entries between its head and the tail alone, and this one is behind the tail
        // until the store below: there are never more entries than buffers.
        let entry = unsafe { entry.as_mut() };
        entry.set_addr(address);
        entry.set_len(u32::try_from(self.size).expect("a buffer is far below 4 GiB"));
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the base is the address of the first entry, as `tail` requires.
        let tail = unsafe { BufRingEntry::tail(self.ring.as_ptr()) };
        // SAFETY: the tail field is two aligned bytes inside the ring's first entry, which the kernel only reads.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // Release: the kernel sees the entry before it sees that the entry is there.
        tail.store(self.tail, Ordering::Release);
    }

    fn address(&self, id: u16) -> NonNull<u8> {
        assert!(usize::from(id) < self.lent.len());
        // SAFETY: within the allocation of `count * stride` bytes.
        unsafe { self.memory.add(usize::from(id) * self.stride) }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let entries = self.lent.len();
        // SAFETY: allocated in `new` with this layout; the kernel is done with it (see the type's invariants).
        unsafe { dealloc(self.ring.as_ptr().cast(), ring_layout(entries)) };
        // SAFETY: as above.
        unsafe { dealloc(self.memory.as_ptr(), memory_layout(entries, self.stride)) };
    }
}

fn ring_layout(entries: usize) -> Layout {
    Layout::from_size_align(entries * size_of::<BufRingEntry>(), PAGE).expect("a small constant size")
}

fn memory_layout(entries: usize, stride: usize) -> Layout {
    Layout::from_size_align(entries * stride, PAGE).expect("a small constant size")
}

fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: the layout's size is not zero: both factors are at least 1.
    let memory = unsafe { alloc_zeroed(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_either_ours_or_the_kernels() {
        let mut pool = Pool::new(4, 16);
        assert_eq!(pool.lent(), 0);
        pool.lend(2);
        assert_eq!(pool.bytes(2, 16), [0xff; 16], "every page was written");
        assert!(pool.has_free());
        pool.recycle(2);
        assert_eq!(pool.lent(), 0);
    }

    #[test]
    #[should_panic(expected = "recycled twice")]
    fn recycling_twice_is_a_defect() {
        let mut pool = Pool::new(4, 16);
        pool.lend(1);
        pool.recycle(1);
        pool.recycle(1);
    }

    #[test]
    #[should_panic(expected = "is not ours")]
    fn a_buffer_of_the_kernel_cannot_be_read() {
        let _ = Pool::new(4, 16).bytes(3, 1);
    }

    #[test]
    fn entries_wrap_around_and_always_name_their_buffer() {
        let mut pool = Pool::new(4, 16);
        for round in 0..70_000_u32 {
            let id = u16::try_from(round % 4).unwrap();
            pool.lend(id);
            pool.recycle(id);
        }
        // SAFETY: four entries were allocated and initialised.
        let entries = unsafe { std::slice::from_raw_parts(pool.ring.as_ptr(), 4) };
        let mut ids: Vec<u16> = entries.iter().map(BufRingEntry::bid).collect();
        ids.sort_unstable();
        assert_eq!(ids, [0, 1, 2, 3]);
        for entry in entries {
            assert_eq!(entry.addr(), pool.address(entry.bid()).as_ptr() as u64);
        }
    }
}
