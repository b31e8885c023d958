//! The first that a program does, and the end of one that broke.

use core::mem::MaybeUninit;
#[cfg(target_arch = "riscv32")]
use core::panic::PanicInfo;

use sealift_mcu::heap;
use static_cell::ConstStaticCell;

use crate::machine;

/// Bytes of heap: those of the boards.
const HEAP: usize = 128 * 1024;

/// Makes the machine ready: heap and counter. To be called first.
pub fn start() {
    static MEMORY: ConstStaticCell<[MaybeUninit<u8>; HEAP]> =
        ConstStaticCell::new([MaybeUninit::uninit(); HEAP]);
    heap::give(MEMORY.take());
    machine::start();
}

/// Where panics are no illegal instructions, as they are in the images. A Cortex-M
/// has the boards' handler.
#[cfg(target_arch = "riscv32")]
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    crate::host::leave(false)
}
