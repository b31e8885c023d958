//! The platform's interrupt controller. One source is in use, the network's.
#![expect(unsafe_code, reason = "external interrupts are switched on here")]

use riscv::register::mie;

use crate::registers::Peripheral::Plic;

/// Of the first hart in machine mode: which sources it listens to, from which
/// priority on, and which one it serves.
const ENABLED: u32 = 0x2000;
const THRESHOLD: u32 = 0x20_0000;
const CLAIM: u32 = 0x20_0004;

/// A source of interrupts, by its number: 1 to 31.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source(u32);

impl Source {
    /// That of a virtio slot.
    pub(crate) fn of_slot(slot: u8) -> Self {
        let source = u32::from(slot & 7).wrapping_add(1);
        // Its priority, which is above the threshold.
        Plic.write(source.wrapping_mul(4), 1);
        Plic.write(THRESHOLD, 0);
        Plic.write(ENABLED, 1 << source);
        Self(source)
    }

    /// Listens to it; what it had to say until now is seen to.
    pub(crate) fn listen(self) {
        if Plic.read(CLAIM) == self.0 {
            Plic.write(CLAIM, self.0);
        }
        // SAFETY: start.rs has a handler for it, and no critical section
        // depends on this bit: they switch all interrupts off.
        unsafe { mie::set_mext() };
    }
}

/// For the interrupt: no more of it until somebody listens again.
pub(crate) fn silence() {
    // SAFETY: fewer interrupts harm nobody's memory.
    unsafe { mie::clear_mext() };
}
