//! NOR flash that is RAM, so that writing costs what copying costs: what a chip
//! makes of it is not a matter of instructions. It does not check what it is asked
//! to do; the mock flash of `sealift-storage` does, and the tests run on that.
#![expect(
    unsafe_code,
    reason = "memory at a fixed address that the linker knows nothing of"
)]

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use sealift_core::capsule::Mapping;

use crate::machine::FLASH;

/// Bytes of it: as much as many microcontrollers have.
const LEN: usize = 1 << 20;
/// Write word, in bytes: the nRF52840's.
pub const WORD: usize = 4;
/// Erase page, in bytes: the nRF52840's.
const PAGE: usize = 4096;

/// The flash. All of them are the same one, for the device's next start.
#[derive(Clone, Debug, Default)]
pub struct Flash(());

impl Flash {
    /// Where payloads can run in place.
    pub fn mapping(&self) -> Mapping {
        let start = core::ptr::with_exposed_provenance(FLASH);
        // SAFETY: the memory is always there, the linker places nothing in it, and
        // it changes by `write` and `erase` alone.
        unsafe { Mapping::new(start, LEN) }
    }

    fn address(offset: u32) -> *mut u8 {
        core::ptr::with_exposed_provenance_mut(FLASH.wrapping_add(offset as usize))
    }
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        let from = Self::address(offset);
        // SAFETY: the range is in the flash, by the line before the last, and
        // `bytes` is not.
        unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn capacity(&self) -> usize {
        LEN
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        let start = Self::address(from);
        // SAFETY: the range is in the flash. Nobody else looks at these bytes: a
        // payload that runs in place is in a slot that is lent, which the store
        // does not erase, and there is one core.
        unsafe { start.write_bytes(0xff, to.saturating_sub(from) as usize) };
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        let to = Self::address(offset);
        // SAFETY: as for erasing, and `bytes` is not in the flash.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }
}
