//! The first that the board does.

use core::mem::MaybeUninit;

use embassy_rp::interrupt::typelevel::{Binding, TRNG_IRQ};
use embassy_rp::peripherals::{TRNG, WATCHDOG};
use embassy_rp::trng::{Config, InterruptHandler, Trng};
use embassy_rp::{Peri, Peripherals, watchdog};
use embassy_time::Duration;
use rand_core::SeedableRng;
use sealift_mcu::{Random, cortex, heap, rtt};
use static_cell::ConstStaticCell;

/// Bytes of heap.
const HEAP: usize = 256 * 1024;

/// How long the watchdog waits: longer than a key exchange, or the start of the
/// Wi-Fi chip, takes.
const PATIENCE: Duration = Duration::from_secs(8);

/// Makes the board ready: stack painted, heap, log, clocks.
pub(crate) fn board() -> Peripherals {
    static MEMORY: ConstStaticCell<[MaybeUninit<u8>; HEAP]> =
        ConstStaticCell::new([MaybeUninit::uninit(); HEAP]);

    cortex::paint_stack();
    heap::give(MEMORY.take());
    rtt::start();
    // Without a limit for the stack pointer (embassy-rp could set one): capsules
    // run on stacks of their own, on the heap below this one.
    embassy_rp::init(Default::default())
}

/// A generator, seeded by the chip's source, with all of that one's tests on.
pub(crate) fn random(
    trng: Peri<'static, TRNG>,
    interrupts: impl Binding<TRNG_IRQ, InterruptHandler<TRNG>> + 'static,
) -> Random {
    let mut source = Trng::new(trng, interrupts, Config::default());
    let mut seed = [0; 32];
    source.blocking_fill_bytes(&mut seed);
    Random::from_seed(seed)
}

/// The watchdog.
pub(crate) struct Watchdog(watchdog::Watchdog);

impl Watchdog {
    /// Starts it; it waits while a debugger halts the processor. From here on it
    /// has to be fed.
    pub(crate) fn start(watchdog: Peri<'static, WATCHDOG>) -> Self {
        let mut watchdog = watchdog::Watchdog::new(watchdog);
        watchdog.pause_on_debug(true);
        watchdog.start(PATIENCE);
        Self(watchdog)
    }

    /// The device is alive.
    pub(crate) fn feed(&mut self) {
        self.0.feed(PATIENCE);
    }
}
