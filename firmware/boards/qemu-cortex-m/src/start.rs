//! The first that the board does, and its interrupts.
#![expect(
    unsafe_code,
    reason = "interrupts are switched on here, and have their handlers"
)]

use core::cell::Cell;
use core::mem::MaybeUninit;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::exception;
use critical_section::Mutex;
use sealift_mcu::cortex::{self, again};
use sealift_mcu::{heap, logger};
use static_cell::ConstStaticCell;

use crate::ethernet::Lan9118;
use crate::psram::Psram;
use crate::uart::{self, Uart};
use crate::{clock, ethernet};

/// Bytes of heap.
const HEAP: usize = 128 * 1024;

/// The interrupts that are in use (Arm AN386, table 4-3).
#[derive(Clone, Copy)]
#[repr(u16)]
enum Interrupt {
    Timer0 = 8,
    Timer1 = 9,
    Ethernet = 13,
}

// SAFETY: these are the numbers of this chip's interrupts, and no two are the
// same.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

/// Makes the board ready: stack painted, heap, log, time, interrupts.
pub(crate) fn board() {
    static MEMORY: ConstStaticCell<[MaybeUninit<u8>; HEAP]> =
        ConstStaticCell::new([MaybeUninit::uninit(); HEAP]);

    cortex::paint_stack();
    heap::give(MEMORY.take());
    uart::start();
    logger::start(
        |text| logger::write_to(&mut Uart, text),
        log::LevelFilter::Info,
    );
    clock::start();
    unmask(Interrupt::Timer0);
    unmask(Interrupt::Timer1);
}

/// Switches the network controller on. Until it was set up, its interrupt line
/// means the opposite.
pub(crate) fn network() -> Lan9118 {
    let controller = Lan9118::start();
    unmask(Interrupt::Ethernet);
    controller
}

fn unmask(interrupt: Interrupt) {
    // SAFETY: the handler below is ready for it, and no critical section is
    // under way: this is called from the main task only.
    unsafe { NVIC::unmask(interrupt) };
}

/// The memory for the flash; the first call gets it.
pub(crate) fn psram(len: usize) -> Psram {
    static TAKEN: Mutex<Cell<bool>> = Mutex::new(Cell::new(false));
    let taken = critical_section::with(|cs| TAKEN.borrow(cs).replace(true));
    assert!(!taken);
    // SAFETY: once, by the line above; memory.x leaves the PSRAM alone.
    unsafe { Psram::take(len) }
}

/// The watchdog's interrupt, its first warning, is not maskable.
const WATCHDOG: i16 = -14;

#[exception]
unsafe fn DefaultHandler(number: i16) {
    match number {
        8 => clock::came_round(),
        9 => clock::rang(),
        13 => ethernet::interrupt(),
        WATCHDOG => again(format_args!("the watchdog was not fed")),
        _ => again(format_args!("interrupt {number} without a handler")),
    }
}
