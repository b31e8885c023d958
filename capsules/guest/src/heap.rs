//! Allocators for heaps of a few KiB.
//!
//! The heap is what the linker left between data and the end of the memory.
//! Where it is used up, the capsule asks the device for more, and gets it up to
//! what its manifest says. A device that refuses notes it, and so can tell a
//! capsule that lacked memory from one with a bug.
#![expect(
    unsafe_code,
    reason = "an allocator hands out raw memory; each block says why it may"
)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr::{null_mut, with_exposed_provenance_mut};

use memory::{base, end, grow, initial_end};

/// Every block starts at a multiple of this, and is a multiple of it long.
const UNIT: usize = 8;

/// For capsules that allocate nothing, and get nothing allocated.
#[derive(Debug)]
pub struct NoHeap;

// SAFETY: it gives no memory to anybody.
unsafe impl GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// Where the heap is.
#[cfg(target_arch = "wasm32")]
mod memory {
    use core::arch::wasm32::{memory_grow, memory_size};

    unsafe extern "C" {
        /// First byte behind data and stack, defined by the linker.
        static __heap_base: u8;
        /// First byte behind the initial memory, defined by the linker.
        static __heap_end: u8;
        /// Length of a page of memory, defined by the linker.
        static __wasm_first_page_end: u8;
    }

    pub(super) fn base() -> usize {
        (&raw const __heap_base)
            .addr()
            .next_multiple_of(super::UNIT)
    }

    pub(super) fn initial_end() -> usize {
        (&raw const __heap_end).addr()
    }

    fn page() -> usize {
        (&raw const __wasm_first_page_end).addr()
    }

    pub(super) fn end() -> usize {
        // A memory may be of any length, in pages of one byte.
        (memory_size::<0>() * page()) & !(super::UNIT - 1)
    }

    /// Asks the device for more memory; whether it gave some.
    pub(super) fn grow(size: usize) -> bool {
        memory_grow::<0>(size.div_ceil(page())) != usize::MAX
    }
}

/// An allocator, as the canonical ABI needs it.
pub trait Heap: GlobalAlloc {
    /// A block at a multiple of eight, or null.
    fn take(&self, size: usize) -> *mut u8;

    /// Takes back what `take` gave.
    fn give(&self, block: *mut u8);
}

fn aligned(heap: &impl Heap, layout: Layout) -> *mut u8 {
    if layout.align() > UNIT {
        return null_mut();
    }
    heap.take(layout.size())
}

/// First fit, in blocks that each begin with their length; for every capsule.
///
/// A block's header has its length, and bit 0 where it is in use. A header of
/// zero is the end of the list: nothing behind it was ever used. Memory begins
/// as zeros, so that an empty heap needs no setting up. Free neighbours are
/// joined by the next walk.
#[derive(Debug)]
pub struct FirstFit;

const USED: usize = 1;

impl FirstFit {
    /// A block of `need` bytes, header included; or null.
    fn find(need: usize) -> *mut u8 {
        let end = end();
        let mut at = base();
        while at < end {
            let mut size = header(at);
            if size & USED == 0 {
                loop {
                    let next = at + size;
                    if next >= end {
                        break;
                    }
                    let behind = header(next);
                    if behind & USED != 0 {
                        break;
                    }
                    if behind == 0 {
                        size = end - at;
                        break;
                    }
                    size += behind;
                }
                if size >= need {
                    if size > need {
                        set_header(at + need, size - need);
                    }
                    set_header(at, need | USED);
                    return with_exposed_provenance_mut(at + UNIT);
                }
                set_header(at, size);
            }
            at += size & !USED;
        }
        null_mut()
    }
}

/// The word at the beginning of a block.
fn header(at: usize) -> usize {
    // SAFETY: callers pass the address of a header, inside the heap.
    unsafe { with_exposed_provenance_mut::<usize>(at).read() }
}

fn set_header(at: usize, value: usize) {
    // SAFETY: callers pass the address of a header, or of free memory, inside
    // the heap.
    unsafe { with_exposed_provenance_mut::<usize>(at).write(value) };
}

impl Heap for FirstFit {
    fn take(&self, size: usize) -> *mut u8 {
        // A layout is at most half of the address space long.
        let need = size.next_multiple_of(UNIT) + UNIT;
        loop {
            let block = Self::find(need);
            if !block.is_null() || !grow(need) {
                return block;
            }
        }
    }

    fn give(&self, block: *mut u8) {
        let at = block.expose_provenance() - UNIT;
        set_header(at, header(at) & !USED);
    }
}

// SAFETY: `take` returns null or a block of at least the size asked for, at a
// multiple of eight, that was free and is now marked as used; only `give` marks
// it as free.
unsafe impl GlobalAlloc for FirstFit {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        aligned(self, layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        self.give(block);
    }
}

/// Block behind block, and all of it free again as soon as nothing is in use;
/// for capsules that keep nothing on the heap from one request to the next.
/// A third of the code of [`FirstFit`]. It does not ask the device for more.
///
/// What a capsule does keep can be used; but then nothing is free again.
#[derive(Debug)]
pub struct Bump {
    /// Behind the newest block, as an offset from the base.
    top: Cell<usize>,
    /// Blocks in use.
    live: Cell<usize>,
}

// SAFETY: a capsule has one thread.
unsafe impl Sync for Bump {}

impl Bump {
    /// An empty heap.
    #[expect(clippy::new_without_default, reason = "there is one, in a static")]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            top: Cell::new(0),
            live: Cell::new(0),
        }
    }
}

impl Heap for Bump {
    fn take(&self, size: usize) -> *mut u8 {
        let block = bump(&self.top, size);
        if !block.is_null() {
            self.live.set(self.live.get() + 1);
        }
        block
    }

    fn give(&self, _: *mut u8) {
        let live = self.live.get() - 1;
        self.live.set(live);
        if live == 0 {
            self.top.set(0);
        }
    }
}

// SAFETY: `take` returns null or a block of at least the size asked for, at a
// multiple of eight, behind every block that is in use.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        aligned(self, layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        self.give(block);
    }
}

/// Block behind block, and none of it ever free again; for capsules that run
/// once. It does not ask the device for more.
#[derive(Debug)]
pub struct Once {
    /// Behind the newest block, as an offset from the base.
    top: Cell<usize>,
}

// SAFETY: a capsule has one thread.
unsafe impl Sync for Once {}

impl Once {
    /// An empty heap.
    #[expect(clippy::new_without_default, reason = "there is one, in a static")]
    #[must_use]
    pub const fn new() -> Self {
        Self { top: Cell::new(0) }
    }
}

impl Heap for Once {
    fn take(&self, size: usize) -> *mut u8 {
        bump(&self.top, size)
    }

    fn give(&self, _: *mut u8) {}
}

// SAFETY: `take` returns null or a block of at least the size asked for, at a
// multiple of eight, behind every block before it.
unsafe impl GlobalAlloc for Once {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        aligned(self, layout)
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// A block at `top`, which rises behind it; or null.
fn bump(top: &Cell<usize>, size: usize) -> *mut u8 {
    let block = base() + top.get();
    // A layout is at most half of the address space long.
    let end = top.get() + size.next_multiple_of(UNIT);
    if base() + end > initial_end() {
        return null_mut();
    }
    top.set(end);
    // SAFETY: no heap begins at 0; saying so makes a check less.
    unsafe { core::hint::assert_unchecked(block != 0) };
    with_exposed_provenance_mut(block)
}

/// A heap of its own for each thread of the tests.
#[cfg(test)]
mod memory {
    use core::cell::Cell;

    use alloc::vec::Vec;

    std::thread_local! {
        static BASE: usize = Vec::leak(alloc::vec![0_u64; 1024]).as_mut_ptr().expose_provenance();
        static LENGTH: Cell<usize> = const { Cell::new(2048) };
        pub(super) static MORE: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn base() -> usize {
        BASE.with(|base| *base)
    }

    pub(super) fn initial_end() -> usize {
        base() + 2048
    }

    pub(super) fn end() -> usize {
        base() + LENGTH.get() / 8 * 8
    }

    pub(super) fn grow(size: usize) -> bool {
        // More than was asked for, and no multiple of anything.
        let size = size + 13;
        let more = MORE.get().checked_sub(size);
        if let Some(more) = more {
            MORE.set(more);
            LENGTH.set(LENGTH.get() + size);
        }
        more.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use alloc::vec::Vec;
    use core::ops::Range;

    /// How much is tried at random: Miri is some hundred times slower.
    const SEEDS: Range<u64> = if cfg!(miri) { 1..3 } else { 1..20 };
    const STEPS: usize = if cfg!(miri) { 1500 } else { 5000 };

    /// Takes and gives at random, and looks whether blocks keep what is
    /// written to them.
    fn churn(heap: &impl Heap, seed: u64, sizes: usize) -> usize {
        let mut state = seed;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as usize
        };
        let mut blocks: Vec<(*mut u8, usize, u8)> = Vec::new();
        let mut refused = 0;
        for _ in 0..STEPS {
            if next() % 5 < 3 || blocks.is_empty() {
                let size = 1 + next() % sizes;
                let block = heap.take(size);
                if block.is_null() {
                    refused += 1;
                    continue;
                }
                let at = block.expose_provenance();
                assert!(at.is_multiple_of(UNIT), "seed {seed}");
                assert!(at >= base() && at + size <= end(), "seed {seed}");
                let mark = next() as u8;
                // SAFETY: the block is that long.
                unsafe { block.write_bytes(mark, size) };
                blocks.push((block, size, mark));
            } else {
                let (block, size, mark) = blocks.swap_remove(next() % blocks.len());
                // SAFETY: the block is that long and was written.
                let bytes = unsafe { core::slice::from_raw_parts(block, size) };
                assert!(bytes.iter().all(|byte| *byte == mark), "seed {seed}");
                heap.give(block);
            }
        }
        for (block, ..) in blocks {
            heap.give(block);
        }
        refused
    }

    #[test]
    fn blocks_of_first_fit_do_not_touch_and_nothing_is_lost() {
        for seed in SEEDS {
            churn(&FirstFit, seed, 200);
            let all = FirstFit.take(2048 - 8);
            assert!(!all.is_null(), "seed {seed}: the heap is in pieces");
            FirstFit.give(all);
        }
    }

    #[test]
    fn first_fit_asks_for_more_and_uses_it() {
        assert!(FirstFit.take(4000).is_null());
        memory::MORE.set(4096);
        let block = FirstFit.take(4000);
        assert!(!block.is_null());
        FirstFit.give(block);
        assert!(churn(&FirstFit, 3, 2000) > 0, "never full");
        assert!(!FirstFit.take(2048).is_null());
    }

    #[test]
    fn blocks_of_bump_do_not_touch_and_all_are_free_at_the_end() {
        let heap = Bump::new();
        for seed in SEEDS {
            assert!(churn(&heap, seed, 30) > 0, "never full");
            let all = heap.take(2048);
            assert!(!all.is_null(), "seed {seed}");
            assert!(heap.take(1).is_null());
            heap.give(all);
        }
    }

    #[test]
    fn once_gives_block_behind_block_until_it_is_full() {
        let heap = Once::new();
        assert!(churn(&heap, 1, 30) > 0, "never full");
        assert!(heap.take(2048).is_null(), "something was free again");
    }

    #[test]
    fn larger_alignments_than_the_unit_are_refused() {
        let layout = Layout::from_size_align(8, 16).unwrap();
        let heaps: [&dyn GlobalAlloc; 3] = [&FirstFit, &Bump::new(), &Once::new()];
        for heap in heaps {
            // SAFETY: the layout is not of length 0.
            assert!(unsafe { heap.alloc(layout) }.is_null());
        }
    }
}
