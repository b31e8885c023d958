//! The device's pages: the last MiB of the board's flash chip, a W25Q32, which
//! the processor reads as memory, so that payloads run in place.
//!
//! The chip programs 256 bytes at a time and the driver would take any part of
//! that. Here a word is all of it: nothing then depends on what a chip makes of a
//! second program of the same page. While it programs or erases, the processor
//! runs from RAM, without interrupts; the worst case for erasing a page of 4 KiB
//! is 0.4 s (W25Q32JV datasheet, 9.6).
#![expect(
    unsafe_code,
    reason = "where this board's flash is in memory, only the board can vouch for"
)]

use core::ops::Range;

use embassy_rp::Peri;
use embassy_rp::flash::{Blocking, ERASE_SIZE, FLASH_BASE, Flash, PAGE_SIZE};
use embassy_rp::peripherals::FLASH;
use sealift_core::capsule::Mapping;
use sealift_partition::Partition;

/// Write word, in bytes.
pub(crate) const WORD: usize = PAGE_SIZE;
/// Pages of 4 KiB of one slot: 240 KiB. With the key, the provisioning record and
/// the journals that is 249 of the 256 pages.
pub(crate) const SLOT_PAGES: u16 = 60;
/// Where the device's pages have the name of the wireless network: the last one.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the length of a page, and of a part of a flash with 32-bit addresses"
)]
pub(crate) const WIFI: u32 = PLACE.end - PLACE.start - ERASE_SIZE as u32;

const CHIP: usize = 4 << 20;
/// `memory.x` leaves it alone.
const PLACE: Range<u32> = 0x0030_0000..0x0040_0000;

/// The part of the chip that is the device's.
pub(crate) type BoardFlash = Partition<Flash<'static, FLASH, Blocking, CHIP>, WORD>;

/// The flash, and where it is in memory.
pub(crate) fn open(flash: Peri<'static, FLASH>) -> Option<(BoardFlash, Mapping)> {
    let partition = Partition::new(Flash::new_blocking(flash), PLACE)?;
    let start = FLASH_BASE
        .addr()
        .checked_add(usize::try_from(PLACE.start).ok()?)?;
    let start = core::ptr::with_exposed_provenance(start);
    // SAFETY: the chip is in memory from `FLASH_BASE` on, through a cache that
    // the driver empties when it changed something, so offset 0 of the partition
    // is at its start, for its whole length. The driver takes that away only for
    // as long as it programs or erases, in which it lets nothing else run. The
    // linker has nothing there, and the driver, of which there is one, is the
    // partition's from here on.
    let mapping = unsafe { Mapping::new(start, PLACE.len()) };
    Some((partition, mapping))
}
