//! The heap, and how much of it is in use.
#![expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait, whose work another crate does"
)]

use core::alloc::{GlobalAlloc, Layout};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering};

use embedded_alloc::LlffHeap;

#[global_allocator]
static HEAP: Counting = Counting {
    heap: LlffHeap::empty(),
    peak: AtomicUsize::new(0),
};

struct Counting {
    heap: LlffHeap,
    peak: AtomicUsize,
}

/// Gives the heap its memory. Only the first call counts.
pub fn give(memory: &'static mut [MaybeUninit<u8>]) {
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    if GIVEN.swap(1, Ordering::Relaxed) == 0 && !memory.is_empty() {
        let start = memory.as_mut_ptr().expose_provenance();
        // SAFETY: called once, by the swap above, and the memory is the
        // heap's alone from here on: the exclusive reference is used up.
        unsafe { HEAP.heap.init(start, memory.len()) };
    }
}

/// Bytes in use now.
pub fn used() -> usize {
    HEAP.heap.used()
}

/// The most bytes that were in use at a time.
pub fn peak() -> usize {
    HEAP.peak.load(Ordering::Relaxed)
}

// SAFETY: the inner heap does the work, and its results are handed on as they
// are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the same contract.
        let place = unsafe { self.heap.alloc(layout) };
        self.peak.fetch_max(self.heap.used(), Ordering::Relaxed);
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the same contract, and `place` is from the
        // inner heap.
        unsafe { self.heap.dealloc(place, layout) }
    }
}
