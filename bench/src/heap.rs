//! The heap of this program, counted.
#![allow(
    unsafe_code,
    reason = "an allocator that counts; it hands everything on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, which counts what a thread has in use.
struct Counting;

thread_local! {
    static IN_USE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn add(size: usize) {
    let in_use = IN_USE.get().wrapping_add(size);
    IN_USE.set(in_use);
    PEAK.set(PEAK.get().max(in_use));
}

// SAFETY: the layouts and pointers go to the system's allocator as they come.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.set(IN_USE.get().wrapping_sub(layout.size()));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that are in use, of those that this thread asked for.
pub(crate) fn in_use() -> usize {
    IN_USE.get()
}

/// What `run` returns, and the most bytes that were in use meanwhile.
pub(crate) fn peak<R>(run: impl FnOnce() -> R) -> (R, usize) {
    PEAK.set(in_use());
    let result = run();
    (result, PEAK.get())
}
