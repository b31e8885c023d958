//! How much memory is in use, and was at the most.
#![expect(
    unsafe_code,
    reason = "an allocator is one by an unsafe trait; this one only counts"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

// Of each thread, so that tests next to each other do not count together.
thread_local! {
    static USED: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counted. A fuzzer makes it the global one; where
/// nobody does, every count is 0.
#[derive(Debug)]
pub struct Counting;

/// Bytes that this thread has in use now.
#[must_use]
pub fn used() -> usize {
    USED.get()
}

/// The most bytes that this thread had in use since [`restart`].
#[must_use]
pub fn peak() -> usize {
    PEAK.get()
}

/// Forgets the peak.
pub fn restart() {
    PEAK.set(used());
}

// A thread that ends may free something after its counters are gone; and what
// one thread allocates another may free, so the count wraps.
fn add(bytes: usize) {
    let _ = USED.try_with(|used| {
        used.set(used.get().wrapping_add(bytes));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(used.get())));
    });
}

fn take(bytes: usize) {
    let _ = USED.try_with(|used| used.set(used.get().wrapping_sub(bytes)));
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        take(layout.size());
        // SAFETY: the caller's promises are the same.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        take(layout.size());
        // SAFETY: the caller's promises are the same.
        unsafe { System.realloc(at, layout, size) }
    }
}
