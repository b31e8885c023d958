//! The time driver: the machine timer of the core, which counts at 10 MHz.
//!
//! The hart has one alarm. It is for whoever is next to be woken, or for the
//! watchdog if that would be due before.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use crate::registers::Peripheral::Clint;
use crate::watchdog;

/// When the alarm rings, of the first hart.
const ALARM_LOW: u32 = 0x4000;
const ALARM_HIGH: u32 = 0x4004;
const TIME_LOW: u32 = 0xbff8;
const TIME_HIGH: u32 = 0xbffc;

struct Clock {
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    queue: Mutex::new(RefCell::new(Queue::new())),
});

/// Ticks of the timer since the board was switched on.
pub(crate) fn ticks() -> u64 {
    loop {
        let high = Clint.read(TIME_HIGH);
        let low = Clint.read(TIME_LOW);
        if Clint.read(TIME_HIGH) == high {
            return (u64::from(high) << 32) | u64::from(low);
        }
    }
}

/// Sets the alarm anew. For its interrupt, which stays on until then, and for
/// when the watchdog is started.
pub(crate) fn set_alarm() {
    critical_section::with(|cs| CLOCK.set_alarm(cs));
}

impl Clock {
    /// Wakes who is due and sets the alarm for who is next.
    fn set_alarm(&self, cs: CriticalSection<'_>) {
        let next = self.queue.borrow_ref_mut(cs).next_expiration(ticks());
        let next = next.min(watchdog::due(cs));
        let [a, b, c, d, e, f, g, h] = next.to_le_bytes();
        // Nothing in between that would ring too early.
        Clint.write(ALARM_HIGH, u32::MAX);
        Clint.write(ALARM_LOW, u32::from_le_bytes([a, b, c, d]));
        Clint.write(ALARM_HIGH, u32::from_le_bytes([e, f, g, h]));
    }
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        ticks()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            let sooner = self.queue.borrow_ref_mut(cs).schedule_wake(at, waker);
            if sooner {
                self.set_alarm(cs);
            }
        });
    }
}
