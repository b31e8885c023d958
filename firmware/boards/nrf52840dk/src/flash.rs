//! The device's pages: the last 384 KiB of the chip's flash, which the processor
//! reads as memory, so that payloads run in place.
//!
//! Erasing a page takes 85 ms and writing a word 41 us (nRF52840 Product
//! Specification, 4.3.8), in which the processor does not run if it executes
//! from flash, as it does here: requests wait meanwhile.
#![expect(
    unsafe_code,
    reason = "where this chip's flash is in memory, only the board can vouch for"
)]

use core::ops::Range;

use embassy_nrf::nvmc::Nvmc;
use sealift_core::capsule::Mapping;
use sealift_partition::Partition;

/// Write word, in bytes.
pub(crate) const WORD: usize = 4;
/// Pages of 4 KiB of one slot: 84 KiB. With the key, the provisioning record and
/// the journals that is 93 of the 96 pages.
pub(crate) const SLOT_PAGES: u16 = 21;
/// `memory.x` leaves it alone.
const PLACE: Range<u32> = 0x000a_0000..0x0010_0000;

/// The part of the chip's flash that is the device's.
pub(crate) type BoardFlash = Partition<Nvmc<'static>, WORD>;

/// The flash, and where it is in memory.
pub(crate) fn open(nvmc: Nvmc<'static>) -> Option<(BoardFlash, Mapping)> {
    let flash = Partition::new(nvmc, PLACE)?;
    let start = core::ptr::with_exposed_provenance(usize::try_from(PLACE.start).ok()?);
    // SAFETY: the chip's flash is in memory from address 0 on (Product
    // Specification, 4.2.4), so offset 0 of the partition is at its start, for
    // its whole length. The linker has nothing there, and the one controller
    // that could change it is `nvmc`, which the partition has from here on.
    let mapping = unsafe { Mapping::new(start, PLACE.len()) };
    Some((flash, mapping))
}
