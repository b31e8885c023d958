//! The addresses of the second flash bank, which the program uses for nothing
//! else.
//!
//! What is read there is the memory's content, or a status while a command is
//! under way: what the two mean is flash.rs's business.
#![expect(
    unsafe_code,
    reason = "memory at a fixed address that the linker knows nothing of"
)]

use core::cell::Cell;
use core::sync::atomic::{Ordering, fence};

use critical_section::Mutex;
use sealift_core::capsule::Mapping;

const START: usize = 0x2200_0000;
/// Bytes of the bank.
pub(crate) const LEN: usize = 32 << 20;

/// The bank. There is one of it.
#[derive(Debug)]
pub(crate) struct Bank(());

impl Bank {
    /// The first call gets it.
    pub(crate) fn take() -> Option<Self> {
        static TAKEN: Mutex<Cell<bool>> = Mutex::new(Cell::new(false));
        let taken = critical_section::with(|cs| TAKEN.borrow(cs).replace(true));
        (!taken).then_some(Self(()))
    }

    /// Copies content out; `None` beyond the end. No command may be under way.
    pub(crate) fn read(&self, offset: usize, bytes: &mut [u8]) -> Option<()> {
        if offset.checked_add(bytes.len())? > LEN {
            return None;
        }
        let from: *const u8 = core::ptr::with_exposed_provenance(START.wrapping_add(offset));
        // SAFETY: the range is in the bank, which is always there, and `bytes`
        // is not in it.
        unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Some(())
    }

    /// Reads the 4 bytes at `offset` for what they are now; `None` beyond the
    /// end or where that is not aligned.
    pub(crate) fn word(&self, offset: usize) -> Option<u32> {
        let place = Self::place(offset)?;
        // SAFETY: an aligned word of the bank, which is always there.
        Some(unsafe { place.read_volatile() })
    }

    /// Writes the 4 bytes at `offset`, which is a command or its data; `None`
    /// as above.
    pub(crate) fn command(&mut self, offset: usize, value: u32) -> Option<()> {
        let place = Self::place(offset)?;
        // No read of content is moved across it.
        fence(Ordering::SeqCst);
        // SAFETY: an aligned word of the bank. Writing there changes the bank
        // only, of which nobody else looks at what is changed: a payload that
        // runs in place is in a slot that is lent, which the store does not
        // write, and it does not run until the bank reads as memory again.
        unsafe { place.write_volatile(value) };
        fence(Ordering::SeqCst);
        Some(())
    }

    /// For payloads that run in place.
    pub(crate) fn mapping(&self) -> Mapping {
        let start = core::ptr::with_exposed_provenance(START);
        // SAFETY: the bank is always there and reads as memory but for the
        // time of the flash's `write` and `erase`, which alone change it.
        // There is one core, and no interrupt's handler reads payloads.
        unsafe { Mapping::new(start, LEN) }
    }

    fn place(offset: usize) -> Option<*mut u32> {
        let inside = offset < LEN && offset.is_multiple_of(4);
        inside.then(|| core::ptr::with_exposed_provenance_mut(START.wrapping_add(offset)))
    }
}
