//! The time driver: timer 0 counts on, timer 1 rings. Both count down at the
//! board's 25 MHz.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use crate::registers::Peripheral::{Timer0, Timer1};

const CTRL: u32 = 0x00;
const VALUE: u32 = 0x04;
const RELOAD: u32 = 0x08;
/// Read: whether it reached zero. Write 1: seen.
const INTERRUPT: u32 = 0x0c;

const ENABLE: u32 = 1;
const ENABLE_INTERRUPT: u32 = 1 << 3;

/// Cycles for each tick of the driver, which is a microsecond.
const CYCLES: u64 = 25;
/// The longest that the alarm is set for, in ticks; then it is set again.
const LONGEST: u64 = 60_000_000;

struct Clock {
    /// How often timer 0 came round.
    rounds: Mutex<Cell<u32>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    rounds: Mutex::new(Cell::new(0)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

/// Starts the time.
pub(crate) fn start() {
    Timer0.write(RELOAD, u32::MAX);
    Timer0.write(VALUE, u32::MAX);
    Timer0.write(CTRL, ENABLE | ENABLE_INTERRUPT);
}

/// For the interrupt of timer 0.
pub(crate) fn came_round() {
    critical_section::with(|cs| {
        if Timer0.read(INTERRUPT) != 0 {
            Timer0.write(INTERRUPT, 1);
            let rounds = CLOCK.rounds.borrow(cs);
            rounds.set(rounds.get().wrapping_add(1));
        }
    });
}

/// For the interrupt of timer 1.
pub(crate) fn rang() {
    Timer1.write(CTRL, 0);
    Timer1.write(INTERRUPT, 1);
    critical_section::with(|cs| CLOCK.set_alarm(cs));
}

impl Clock {
    /// Wakes who is due and sets the alarm for who is next.
    fn set_alarm(&self, cs: critical_section::CriticalSection<'_>) {
        let now = self.now();
        let next = self.queue.borrow_ref_mut(cs).next_expiration(now);
        if next == u64::MAX {
            return;
        }
        // Never zero, which would be never.
        let ticks = next.saturating_sub(now).clamp(1, LONGEST);
        let cycles = u32::try_from(ticks * CYCLES).unwrap_or(u32::MAX);
        Timer1.write(CTRL, 0);
        Timer1.write(RELOAD, cycles);
        Timer1.write(VALUE, cycles);
        Timer1.write(CTRL, ENABLE | ENABLE_INTERRUPT);
    }
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        critical_section::with(|cs| {
            let mut left = Timer0.read(VALUE);
            let mut rounds = self.rounds.borrow(cs).get();
            // It came round, and the interrupt is still to come.
            if Timer0.read(INTERRUPT) != 0 {
                left = Timer0.read(VALUE);
                rounds = rounds.wrapping_add(1);
            }
            ((u64::from(rounds) << 32) | u64::from(u32::MAX - left)) / CYCLES
        })
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
