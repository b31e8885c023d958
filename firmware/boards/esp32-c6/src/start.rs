//! The first and the last that the board does.
#![expect(unsafe_code, reason = "the name of the handler of exceptions")]

use core::fmt;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use esp_hal::clock::CpuClock;
use esp_hal::peripherals::{ADC1, Peripherals, RNG, TIMG1};
use esp_hal::rng::{Trng, TrngSource};
use esp_hal::time::Duration;
use esp_hal::timer::timg::{MwdtStage, TimerGroup, Wdt};
use esp_hal::{Config, ram};
use esp_println::print;
use rand_core::SeedableRng;
use riscv::register::{mcause, mepc};
use sealift_mcu::{Random, heap, logger};
use static_cell::ConstStaticCell;

/// Bytes of heap; payloads are in it while they run.
const HEAP: usize = 192 * 1024;
/// Bytes of heap for the radio, which nothing else can use up, besides the 64 KiB
/// that the boot loader leaves.
const RADIO: usize = 40 * 1024;

/// How long the watchdog waits: longer than a key exchange takes.
const PATIENCE: Duration = Duration::from_secs(8);

/// Makes the board ready: clocks, heaps, log.
pub(crate) fn board() -> Peripherals {
    static MEMORY: ConstStaticCell<[MaybeUninit<u8>; HEAP]> =
        ConstStaticCell::new([MaybeUninit::uninit(); HEAP]);

    let chip = esp_hal::init(Config::default().with_cpu_clock(CpuClock::max()));
    heap::give(MEMORY.take());
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: RADIO);
    logger::start(|text| print!("{text}"), log::LevelFilter::Info);
    chip
}

/// A generator, seeded by the chip's source while that is fed by noise of the
/// analogue converter; `None` where it is not.
pub(crate) fn random(rng: RNG<'static>, adc: ADC1<'static>) -> Option<Random> {
    let _noise = TrngSource::new(rng, adc);
    let source = Trng::try_new().ok()?;
    let mut seed = [0; 32];
    source.read(&mut seed);
    Some(Random::from_seed(seed))
}

/// Starts the watchdog. From here on it has to be fed.
pub(crate) fn watchdog(timers: TIMG1<'static>) -> Wdt<TIMG1<'static>> {
    let mut watchdog = TimerGroup::new(timers).wdt;
    watchdog.set_timeout(MwdtStage::Stage0, PATIENCE);
    watchdog.enable();
    watchdog.feed();
    watchdog
}

/// Says why, and leaves the rest to whoever watches the log.
pub(crate) fn stop(why: impl fmt::Display) -> ! {
    log::error!("stopped: {why}");
    loop {
        core::hint::spin_loop();
    }
}

/// A device that cannot go on starts again.
fn again(why: fmt::Arguments<'_>) -> ! {
    logger::last_words(format_args!("FAULT {why}; starting again\n"));
    esp_hal::system::software_reset()
}

/// A panic comes here, too: in the image it is an illegal instruction.
#[unsafe(no_mangle)]
extern "C" fn ExceptionHandler() -> ! {
    again(format_args!(
        "exception {} at {:#010x}",
        mcause::read().code(),
        mepc::read()
    ))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    again(format_args!("{info}"))
}
