//! The allocator: first fit in a list of free blocks in address order, for
//! heaps of a few KiB.
//!
//! The heap is what the linker left between data and the end of the initial
//! memory. Where it is used up, the capsule asks the device for more memory.
//! Devices do not give any, but note that they were asked, and so can tell a
//! capsule that lacked memory from one with a bug.
#![expect(
    unsafe_code,
    reason = "an allocator hands out raw memory; each block says why it may"
)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr::{NonNull, null_mut};

/// Every block starts at a multiple of this, and is a multiple of it long.
const UNIT: usize = 8;

/// The allocator of a capsule. There is one, in this crate.
#[derive(Debug)]
pub struct Heap {
    /// First free block, once the heap was set up.
    free: Cell<Option<NonNull<Free>>>,
    ready: Cell<bool>,
}

/// A free block. Lies in the free memory itself.
#[derive(Debug)]
#[repr(C, align(8))]
struct Free {
    /// Of the whole block, in bytes.
    size: usize,
    next: Option<NonNull<Free>>,
}

// SAFETY: a capsule has one thread.
unsafe impl Sync for Heap {}

unsafe extern "C" {
    /// First byte behind data and stack, defined by the linker.
    static __heap_base: u8;
    /// First byte behind the initial memory, defined by the linker.
    static __heap_end: u8;
}

impl Heap {
    pub(crate) const fn new() -> Self {
        Self {
            free: Cell::new(None),
            ready: Cell::new(false),
        }
    }

    fn set_up(&self) {
        if self.ready.replace(true) {
            return;
        }
        let start = (&raw const __heap_base).addr().next_multiple_of(UNIT);
        let end = (&raw const __heap_end).addr() / UNIT * UNIT;
        let Some(size) = end.checked_sub(start).filter(|size| *size > 0) else {
            return;
        };
        // The linker gives addresses, not allocations.
        let block = core::ptr::with_exposed_provenance_mut::<Free>(start);
        // SAFETY: the linker keeps everything between the two symbols for the
        // heap; the block is aligned and not in use.
        unsafe { block.write(Free { size, next: None }) };
        self.free.set(NonNull::new(block));
    }

    /// The length of the block for a layout; `None` for what this heap does
    /// not serve.
    fn units(layout: Layout) -> Option<usize> {
        if layout.align() > UNIT {
            return None;
        }
        layout.size().max(1).checked_next_multiple_of(UNIT)
    }

    fn take(&self, size: usize) -> *mut u8 {
        let mut previous: Option<NonNull<Free>> = None;
        let mut cursor = self.free.get();
        while let Some(block) = cursor {
            // SAFETY: the list holds free blocks only, each with its header.
            let Free { size: have, next } = unsafe { block.read() };
            if have >= size {
                let rest = if have == size {
                    next
                } else {
                    // SAFETY: `size < have`, so this lies inside the block;
                    // both are multiples of the unit, so a header fits.
                    let rest = unsafe { block.byte_add(size) };
                    // SAFETY: as above; the rest is free and aligned.
                    unsafe {
                        rest.write(Free {
                            size: have - size,
                            next,
                        });
                    };
                    Some(rest)
                };
                self.link(previous, rest);
                return block.as_ptr().cast();
            }
            previous = cursor;
            cursor = next;
        }
        null_mut()
    }

    /// Makes `next` follow `previous`, or be the first.
    fn link(&self, previous: Option<NonNull<Free>>, next: Option<NonNull<Free>>) {
        match previous {
            None => self.free.set(next),
            // SAFETY: `previous` is in the list, so it is a free block.
            Some(previous) => unsafe { (*previous.as_ptr()).next = next },
        }
    }

    fn give(&self, block: NonNull<Free>, size: usize) {
        let mut previous: Option<NonNull<Free>> = None;
        let mut next = self.free.get();
        while let Some(other) = next.filter(|other| *other < block) {
            previous = next;
            // SAFETY: the list holds free blocks only.
            next = unsafe { other.read() }.next;
        }
        // SAFETY: the caller gives the block back, so it is ours to write.
        unsafe { block.write(Free { size, next }) };
        self.link(previous, Some(block));
        Self::merge(block);
        if let Some(previous) = previous {
            Self::merge(previous);
        }
    }

    /// Joins a free block with the next one, where they touch.
    fn merge(block: NonNull<Free>) {
        // SAFETY: the caller passes a free block of the list.
        let Free { size, next } = unsafe { block.read() };
        let Some(next) = next else { return };
        if block.addr().get() + size != next.addr().get() {
            return;
        }
        // SAFETY: `next` is in the list.
        let behind = unsafe { next.read() };
        // SAFETY: as above; this takes `next` out of the list.
        unsafe {
            block.write(Free {
                size: size + behind.size,
                next: behind.next,
            });
        };
    }

    /// Asks the device for more memory; true if it gave some.
    fn grow(&self, size: usize) -> bool {
        // Pages are one byte long: see .cargo/config.toml.
        let start = core::arch::wasm32::memory_grow::<0>(size);
        if start == usize::MAX || !start.is_multiple_of(UNIT) {
            return false;
        }
        match NonNull::new(core::ptr::with_exposed_provenance_mut(start)) {
            Some(block) => self.give(block, size),
            None => return false,
        }
        true
    }
}

// SAFETY: `alloc` returns null or a block of at least the size asked for, at a
// multiple of eight, that is in no list and so is given out once; `dealloc`
// takes it back with the layout it was made for.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.set_up();
        let Some(size) = Self::units(layout) else {
            return null_mut();
        };
        let block = self.take(size);
        if block.is_null() && self.grow(size) {
            return self.take(size);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let (Some(size), Some(block)) = (Self::units(layout), NonNull::new(block.cast())) {
            self.give(block, size);
        }
    }
}
