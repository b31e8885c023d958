//! How much of the stack was ever used: it is painted at the start.
#![expect(
    unsafe_code,
    reason = "the stack's unused part belongs to nobody that the compiler knows"
)]

use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

const PAINT: u32 = 0x5ea1_1f75;
/// Left alone below the place where painting starts: what this function, and
/// an interrupt in it, may use.
const MARGIN: usize = 512;

static BOTTOM: AtomicUsize = AtomicUsize::new(0);
static TOP: AtomicUsize = AtomicUsize::new(0);

/// Paints the stack from its lower end `range.start` up to where it is in use
/// now.
///
/// # Safety
///
/// `range` is the stack that this function runs on, which grows down, and
/// nothing else is in it.
// In a frame of its own, which `here` is in: a caller's could be larger than
// the margin.
#[inline(never)]
pub unsafe fn paint(range: Range<usize>) {
    let here = 0_u32;
    let now = (&raw const here).addr();
    BOTTOM.store(range.start.next_multiple_of(4), Ordering::Relaxed);
    TOP.store(range.end, Ordering::Relaxed);
    let end = now.saturating_sub(MARGIN).min(range.end);
    for address in (range.start.next_multiple_of(4)..end).step_by(4) {
        let word: *mut u32 = core::ptr::with_exposed_provenance_mut(address);
        // SAFETY: the caller vouches that this is stack, and it is below all
        // that is in use, by the margin.
        unsafe { word.write_volatile(PAINT) };
    }
}

/// The most bytes of the stack that were in use at a time; 0 where it was not
/// painted.
pub fn peak() -> usize {
    let top = TOP.load(Ordering::Relaxed);
    let mut address = BOTTOM.load(Ordering::Relaxed);
    while address < top {
        let word: *const u32 = core::ptr::with_exposed_provenance(address);
        // SAFETY: `paint` was given this range as the stack.
        if unsafe { word.read_volatile() } != PAINT {
            break;
        }
        address = address.saturating_add(4);
    }
    top.saturating_sub(address)
}
