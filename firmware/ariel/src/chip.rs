//! The device's pages on each kind of chip.
//!
//! They are not in Ariel OS's storage: that is a map of keys to values, of which
//! this has no use, and it erases itself where its mark cannot be read, which
//! would take the rollback floor with it. So the application has the flash to
//! itself, and `sw/storage` must not be selected with it. Where the pages are is
//! where the boards without an operating system have them, so that a record for
//! one is a record for the other.
#![expect(
    unsafe_code,
    reason = "where a chip's flash is in memory, only the board can vouch for"
)]

use core::ops::Range;

use ariel_os::hal::peripherals;
use sealift_core::capsule::Mapping;
use sealift_partition::Partition;

pub(crate) use self::this::{Peripherals, SLOT_PAGES, WORD};

/// The part of the chip's flash that is the device's.
pub(crate) type BoardFlash = Partition<this::Chip, WORD>;

/// The device's flash, and where it is in memory, if it is.
pub(crate) fn open(peripherals: Peripherals) -> Option<(BoardFlash, Option<Mapping>)> {
    let flash = Partition::new(this::chip(peripherals), this::PLACE)?;
    Some((flash, this::MEMORY.and_then(mapping)))
}

/// The mapping of a flash that is in memory from `start` on.
fn mapping(start: u32) -> Option<Mapping> {
    let Range { start: from, end } = this::PLACE;
    let address = usize::try_from(start.checked_add(from)?).ok()?;
    let len = usize::try_from(end.checked_sub(from)?).ok()?;
    // SAFETY: the chip's flash is in memory from `start` on, as its data sheet
    // has it, and offset 0 of the partition is at `address`, for its whole
    // length. The linker has nothing there (`build.rs`; on RP2350, Ariel OS gives
    // it the first 2 MiB), and what could change it is the driver, which is the
    // partition's: its peripheral is taken once.
    Some(unsafe { Mapping::new(core::ptr::with_exposed_provenance(address), len) })
}

/// nRF52840: 1 MB of flash at address 0.
#[cfg(context = "nrf52840")]
mod this {
    use super::{Range, peripherals};

    ariel_os::hal::define_peripherals!(Peripherals { nvmc: NVMC });

    pub(crate) type Chip = embassy_nrf::nvmc::Nvmc<'static>;
    pub(crate) const WORD: usize = 4;
    pub(crate) const SLOT_PAGES: u16 = 21;
    pub(super) const PLACE: Range<u32> = 0x000a_0000..0x0010_0000;
    pub(super) const MEMORY: Option<u32> = Some(0);

    pub(super) fn chip(peripherals: Peripherals) -> Chip {
        Chip::new(peripherals.nvmc)
    }
}

/// RP2350 with 4 MB of flash, which is programmed in pages of 256 bytes.
#[cfg(context = "rp235xa")]
mod this {
    use embassy_rp::flash::{Blocking, Flash};

    use super::{Range, peripherals};

    ariel_os::hal::define_peripherals!(Peripherals { flash: FLASH });

    pub(crate) type Chip = Flash<'static, peripherals::FLASH, Blocking, { 4 << 20 }>;
    pub(crate) const WORD: usize = 256;
    pub(crate) const SLOT_PAGES: u16 = 60;
    pub(super) const PLACE: Range<u32> = 0x0030_0000..0x0040_0000;
    pub(super) const MEMORY: Option<u32> = Some(0x1000_0000);

    pub(super) fn chip(peripherals: Peripherals) -> Chip {
        Flash::new_blocking(peripherals.flash)
    }
}

/// ESP32-C6 with 4 MB of flash or more, of which only the program's part is in
/// memory: payloads are copied to RAM to run.
#[cfg(context = "esp32c6")]
mod this {
    use esp_storage::FlashStorage;

    use super::{Range, peripherals};

    ariel_os::hal::define_peripherals!(Peripherals { flash: FLASH });

    pub(crate) type Chip = FlashStorage<'static>;
    pub(crate) const WORD: usize = 4;
    pub(crate) const SLOT_PAGES: u16 = 60;
    pub(super) const PLACE: Range<u32> = 0x0030_0000..0x0040_0000;
    pub(super) const MEMORY: Option<u32> = None;

    pub(super) fn chip(peripherals: Peripherals) -> Chip {
        FlashStorage::new(peripherals.flash)
    }
}
