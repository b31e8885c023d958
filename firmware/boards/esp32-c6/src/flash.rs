//! The device's pages: a MiB of the module's flash chip.
//!
//! The chip's MMU shows the program's part of the flash as memory, in pages of 64
//! KiB that the boot loader sets up, and the driver does not keep the cache in
//! step with what it writes elsewhere. So this part is not in memory: a payload is
//! copied to RAM to run, and costs as much of it.

use core::ops::Range;

use esp_hal::peripherals::FLASH;
use esp_storage::FlashStorage;
use sealift_partition::Partition;

/// Write word, in bytes.
pub(crate) const WORD: usize = 4;
/// Page, in bytes.
const PAGE: u32 = FlashStorage::SECTOR_SIZE;
/// Pages of one slot: 240 KiB. With the key, the provisioning record and the
/// journals that is 249 of the 256 pages.
pub(crate) const SLOT_PAGES: u16 = 60;
/// Where the device's pages have the name of the wireless network: the last one.
pub(crate) const WIFI: u32 = PLACE.end - PLACE.start - PAGE;
/// `partitions.csv` has it as `sealift`.
const PLACE: Range<u32> = 0x0030_0000..0x0040_0000;

/// The part of the chip that is the device's.
pub(crate) type BoardFlash = Partition<FlashStorage<'static>, WORD>;

/// The device's pages; `None` on a chip of less than 4 MB.
pub(crate) fn open(flash: FLASH<'static>) -> Option<BoardFlash> {
    Partition::new(FlashStorage::new(flash), PLACE)
}
