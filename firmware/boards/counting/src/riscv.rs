//! QEMU's virt, a 32-bit RISC-V.
//!
//! `minstret` is what it says; QEMU has it from its clock, so that this is true with
//! `-icount shift=0` only.
#![expect(
    unsafe_code,
    reason = "the instructions of semihosting, and the handler of exceptions"
)]

use core::arch::asm;

use riscv::register::minstret;

/// Where the flash is: in the RAM, behind what the linker script knows of.
pub(crate) const FLASH: usize = 0x8100_0000;

/// The counter is on.
pub(crate) fn start() {}

/// Does it; what comes of it, and the instructions that it took, some ten of them
/// for counting.
pub fn counted<T>(what: impl FnOnce() -> T) -> (T, u64) {
    let before = minstret::read64();
    let result = what();
    (result, minstret::read64().wrapping_sub(before))
}

/// A call of semihosting.
///
/// # Safety
///
/// `argument` is what the call of this number asks for.
pub(crate) unsafe fn semihosting(number: usize, argument: *const [usize; 3]) -> usize {
    let result;
    // SAFETY: these three instructions, none of them compressed and all in one page,
    // are a call (RISC-V Semihosting, 2). The caller keeps its contract.
    unsafe {
        asm!(
            ".balign 16",
            ".option push",
            ".option norvc",
            "slli zero, zero, 0x1f",
            "ebreak",
            "srai zero, zero, 7",
            ".option pop",
            inout("a0") number => result,
            in("a1") argument,
        );
    }
    result
}

/// A panic comes here: in the image it is an illegal instruction.
#[unsafe(export_name = "ExceptionHandler")]
extern "C" fn exception(_: &riscv_rt::TrapFrame) -> ! {
    crate::host::leave(false)
}
