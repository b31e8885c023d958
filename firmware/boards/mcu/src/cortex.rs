//! What Cortex-M boards share: where the stack is, and the end of a device that
//! cannot go on.
#![expect(
    unsafe_code,
    reason = "the linker's symbols are read, and a fault has a handler"
)]

use core::fmt;
use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;
use cortex_m_rt::exception;

use crate::{logger, stack};

/// Paints the stack, so that its use can be told.
pub fn paint_stack() {
    unsafe extern "C" {
        static _stack_end: u32;
        static _stack_start: u32;
    }
    let (bottom, top) = (
        (&raw const _stack_end).addr(),
        (&raw const _stack_start).addr(),
    );
    // SAFETY: cortex-m-rt has the stack between these, which is the one that
    // everything here runs on.
    unsafe { stack::paint(bottom..top) };
}

/// Says why, and leaves the rest to whoever watches the log.
pub fn stop(why: impl fmt::Display) -> ! {
    log::error!("stopped: {why}");
    loop {
        cortex_m::asm::wfi();
    }
}

/// A device that cannot go on starts again.
pub fn again(why: fmt::Arguments<'_>) -> ! {
    logger::last_words(format_args!("FAULT {why}; starting again\n"));
    SCB::sys_reset()
}

/// A panic comes here, too: in the image it is an undefined instruction.
#[exception]
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    again(format_args!("at {:#010x}", frame.pc()))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    again(format_args!("{info}"))
}
