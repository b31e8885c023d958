//! The watchdog: a device that hangs starts again.

use crate::registers::Peripheral::Watchdog;

const LOAD: u32 = 0x000;
const CONTROL: u32 = 0x008;
const CLEAR: u32 = 0x00c;
const LOCK: u32 = 0xc00;

/// Counts; interrupts when it comes to zero, and resets the board when it does
/// so again before that was seen to.
const INTERRUPT_AND_RESET: u32 = 0b11;
const UNLOCK: u32 = 0x1acc_e551;

/// How long it waits, in cycles of 25 MHz: what takes longest is a key exchange,
/// which would be about a second on such a machine.
const CYCLES: u32 = 4 * 25_000_000;

/// Starts it. From here on [`feed`] has to be called every few seconds.
pub(crate) fn start() {
    Watchdog.write(LOCK, UNLOCK);
    Watchdog.write(LOAD, CYCLES);
    Watchdog.write(CONTROL, INTERRUPT_AND_RESET);
}

/// The device is alive.
pub(crate) fn feed() {
    Watchdog.write(CLEAR, 1);
}
