//! The device's time: what the host says it is. It stands still while something is
//! counted, so that nothing depends on how long that takes.

use core::cell::Cell;
use core::task::Waker;

use critical_section::Mutex;
use embassy_time_driver::{Driver, TICK_HZ};

struct Clock(Mutex<Cell<u64>>);

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock(Mutex::new(Cell::new(0))));

/// From here on it is so many milliseconds after the start.
pub fn set(now_ms: u64) {
    let ticks = now_ms.saturating_mul(TICK_HZ / 1000);
    critical_section::with(|cs| CLOCK.0.borrow(cs).set(ticks));
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        critical_section::with(|cs| self.0.borrow(cs).get())
    }

    /// Nobody sleeps here.
    fn schedule_wake(&self, _: u64, _: &Waker) {}
}
