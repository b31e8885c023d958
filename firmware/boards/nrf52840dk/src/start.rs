//! The first that the board does.

use core::mem::MaybeUninit;

use embassy_nrf::config::{Config, HfclkSource, LfclkSource};
use embassy_nrf::peripherals::{RNG, WDT};
use embassy_nrf::rng::Rng;
use embassy_nrf::wdt::{self, HaltConfig, Watchdog, WatchdogHandle};
use embassy_nrf::{Peri, Peripherals, pac};
use rand_core::SeedableRng;
use sealift_mcu::{Random, cortex, heap, rtt};
use static_cell::ConstStaticCell;

/// Bytes of heap.
const HEAP: usize = 128 * 1024;

/// How long the watchdog waits, in ticks of 32,768 Hz: longer than a key
/// exchange takes at 64 MHz, with room to spare.
const PATIENCE: u32 = 8 * 32_768;

/// Makes the board ready: stack painted, heap, log, clocks.
pub(crate) fn board() -> Peripherals {
    static MEMORY: ConstStaticCell<[MaybeUninit<u8>; HEAP]> =
        ConstStaticCell::new([MaybeUninit::uninit(); HEAP]);

    cortex::paint_stack();
    heap::give(MEMORY.take());
    rtt::start();
    let mut config = Config::default();
    // The board has both crystals, and USB needs this one.
    config.hfclk_source = HfclkSource::ExternalXtal;
    config.lfclk_source = LfclkSource::ExternalXtal;
    let chip = embassy_nrf::init(config);
    // The cache for instructions, which is off after a reset.
    pac::NVMC.icachecnf().write(|cache| cache.set_cacheen(true));
    chip
}

/// A generator, seeded by the chip's source.
pub(crate) fn random(rng: Peri<'static, RNG>) -> Random {
    let mut source = Rng::new_blocking(rng);
    // Slower, and without the source's preference for one bit.
    source.set_bias_correction(true);
    let mut seed = [0; 32];
    source.blocking_fill_bytes(&mut seed);
    Random::from_seed(seed)
}

/// Starts the watchdog, which waits while a debugger halts the processor;
/// `None` where another program started it in another way.
pub(crate) fn watchdog(wdt: Peri<'static, WDT>) -> Option<WatchdogHandle> {
    let mut config = wdt::Config::default();
    config.timeout_ticks = PATIENCE;
    config.action_during_debug_halt = HaltConfig::Pause;
    let (_, [handle]) = Watchdog::try_new(wdt, config).ok()?;
    Some(handle)
}
