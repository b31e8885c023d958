//! QEMU's mps2-an386, a Cortex-M4F.
//!
//! Nothing of it counts instructions. But QEMU can be told how long one takes: with
//! `-icount shift=7` that is 128 ns, and timer 0 counts at 25 MHz, so that there are
//! 3.2 of its ticks for each, and their number gives the instructions exactly.
//!
//! A panic is a fault, whose handler is the boards': it resets the machine, and QEMU
//! ends.
#![expect(
    unsafe_code,
    reason = "registers of the timer, and the instruction of semihosting"
)]

// Its critical sections.
use cortex_m as _;

/// Where the flash is: in the PSRAM, of which the linker script knows nothing.
pub(crate) const FLASH: usize = 0x2100_0000;

/// CMSDK APB timer 0 (Arm AN386, table 4-1).
const TIMER: usize = 0x4000_0000;
const CTRL: usize = 0x00;
const VALUE: usize = 0x04;
const RELOAD: usize = 0x08;
const ENABLE: u32 = 1;

/// Nanoseconds of a tick, and of an instruction, as QEMU is told.
const TICK: u64 = 40;
const INSTRUCTION: u64 = 128;

/// Starts the counter.
pub(crate) fn start() {
    for (register, value) in [(RELOAD, u32::MAX), (VALUE, u32::MAX), (CTRL, ENABLE)] {
        let register: *mut u32 = core::ptr::with_exposed_provenance_mut(TIMER + register);
        // SAFETY: an aligned register of the timer, which is always there and
        // writes to no memory.
        unsafe { register.write_volatile(value) };
    }
}

/// Does it; what comes of it, and the instructions that it took: fewer than
/// 1,300,000,000, and some ten of them for counting.
pub fn counted<T>(what: impl FnOnce() -> T) -> (T, u64) {
    let before = left();
    let result = what();
    let ticks = u64::from(before.wrapping_sub(left()));
    (result, (ticks * TICK + INSTRUCTION / 2) / INSTRUCTION)
}

/// The timer counts down.
#[inline(always)]
fn left() -> u32 {
    let value: *const u32 = core::ptr::with_exposed_provenance(TIMER + VALUE);
    // SAFETY: an aligned register of the timer, which is always there.
    unsafe { value.read_volatile() }
}

/// A call of semihosting.
///
/// # Safety
///
/// `argument` is what the call of this number asks for.
pub(crate) unsafe fn semihosting(number: usize, argument: *const [usize; 3]) -> usize {
    // SAFETY: the caller keeps the contract of the call.
    unsafe { cortex_m_semihosting::syscall1(number, argument.expose_provenance()) }
}
