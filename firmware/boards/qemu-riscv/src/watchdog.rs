//! The watchdog: a device that hangs starts again.
//!
//! The emulated board has no hardware for it. The machine timer's interrupt
//! stands in, which comes through whatever the main loop does, but not while
//! interrupts are off.

use core::cell::Cell;

use critical_section::{CriticalSection, Mutex};

use crate::clock;

/// How long it waits, in ticks of 10 MHz: what takes longest is a key exchange,
/// which would be about a second on a real machine of this kind.
const TICKS: u64 = 4 * 10_000_000;

/// When it is due; never, as long as it was not started.
static DUE: Mutex<Cell<u64>> = Mutex::new(Cell::new(u64::MAX));

/// Starts it. From here on [`feed`] has to be called every few seconds.
pub(crate) fn start() {
    feed();
    clock::set_alarm();
}

/// The device is alive.
pub(crate) fn feed() {
    let due = clock::ticks().saturating_add(TICKS);
    critical_section::with(|cs| DUE.borrow(cs).set(due));
}

/// When it has to be looked at.
pub(crate) fn due(cs: CriticalSection<'_>) -> u64 {
    DUE.borrow(cs).get()
}

/// Whether it was not fed in time.
pub(crate) fn is_due() -> bool {
    clock::ticks() >= critical_section::with(due)
}
