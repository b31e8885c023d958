//! The first and the last that the board does.
#![expect(
    unsafe_code,
    reason = "interrupts are switched on here, and the linker's symbols are read and made"
)]

use core::fmt;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use riscv::interrupt::Interrupt;
use riscv::register::{mcause, mepc, mie};
use riscv_rt::TrapFrame;
use sealift_mcu::{heap, logger, stack};
use static_cell::ConstStaticCell;

use crate::registers::Peripheral::Finisher;
use crate::uart::Uart;
use crate::{clock, ethernet, watchdog};

/// Bytes of heap.
const HEAP: usize = 128 * 1024;

/// Makes the board ready: stack painted, heap, log, time, interrupts.
pub(crate) fn board() {
    static MEMORY: ConstStaticCell<[MaybeUninit<u8>; HEAP]> =
        ConstStaticCell::new([MaybeUninit::uninit(); HEAP]);

    let (bottom, top) = stack_ends();
    // SAFETY: riscv-rt has the stack between these, which is the one that
    // everything here runs on.
    unsafe { stack::paint(bottom..top) };
    heap::give(MEMORY.take());
    logger::start(
        |text| logger::write_to(&mut Uart, text),
        log::LevelFilter::Info,
    );
    clock::set_alarm();
    // SAFETY: the handler below is ready for it.
    unsafe { mie::set_mtimer() };
    // SAFETY: no critical section is under way: this is called from the main
    // task only.
    unsafe { riscv::interrupt::enable() };
}

/// Says why, and leaves the rest to whoever watches the log.
pub(crate) fn stop(why: impl fmt::Display) -> ! {
    log::error!("stopped: {why}");
    loop {
        riscv::asm::wfi();
    }
}

/// The lower and the upper end of the stack.
fn stack_ends() -> (usize, usize) {
    unsafe extern "C" {
        static __estack: u32;
        static _stack_start: u32;
    }
    (
        (&raw const __estack).addr(),
        (&raw const _stack_start).addr(),
    )
}

const RESET: u32 = 0x7777;

/// A device that cannot go on starts again.
fn again(why: fmt::Arguments<'_>) -> ! {
    logger::write_to(&mut Uart, format_args!("FAULT {why}; starting again\n"));
    Finisher.write(0, RESET);
    loop {
        core::hint::spin_loop();
    }
}

#[riscv_rt::core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    if watchdog::is_due() {
        again(format_args!("the watchdog was not fed"));
    }
    clock::set_alarm();
}

#[riscv_rt::core_interrupt(Interrupt::MachineExternal)]
fn external() {
    ethernet::interrupt();
}

/// For all other interrupts, of which none is switched on.
#[unsafe(export_name = "DefaultHandler")]
extern "C" fn unknown() {
    again(format_args!(
        "interrupt {} without a handler",
        mcause::read().code()
    ))
}

/// A panic comes here, too: in the image it is an illegal instruction.
#[unsafe(export_name = "ExceptionHandler")]
extern "C" fn exception(_: &TrapFrame) -> ! {
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
