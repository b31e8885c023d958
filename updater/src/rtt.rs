//! How long to wait for an answer before a message is sent again.
//!
//! RFC 7252 waits two to three seconds at first, whatever the link. Over a quick
//! link that loses datagrams, that is all the time a transfer takes. So the wait
//! is measured, within the limits of RFC 8961:
//!
//! - The first guess is ACK_TIMEOUT (2 s by default), until there is a measurement,
//!   and again when the last one is a minute old.
//! - An exchange that was answered at its first transmission is a measurement. It
//!   is smoothed as in RFC 6298: mean plus four mean deviations.
//! - One that was transmitted several times is none (Karn): nobody knows which
//!   transmission the answer is for. But the whole time that it took is no less
//!   than a round trip, so the wait goes a quarter of the way to one and a half of
//!   that, and no more than up by three quarters. Should the link become slow at
//!   once, each exchange raises the wait, until one is answered at its first
//!   transmission again.
//! - The wait is never under [`FLOOR`], which gives a device time to erase a flash
//!   page, and never over [`CEILING`].
//!
//! Within an exchange each wait is twice as long as the one before (RFC 7252, 4.2).
//! Why that is safe: there is one exchange at a time (NSTART is 1), so at most one
//! message is under way; into a link that swallows everything go three datagrams in
//! the first second, at the shortest wait, and ever fewer. The back-off is carried over to the next
//! exchange in part, where RFC 8961 would have it carried over as a whole: at one
//! datagram in two lost, that would double the wait without end.

use std::time::Duration;

/// The shortest wait, unless ACK_TIMEOUT is set to a shorter one.
pub const FLOOR: Duration = Duration::from_millis(200);
/// The longest first wait of an exchange (RFC 8961, 4: not under a minute).
pub const CEILING: Duration = Duration::from_secs(60);
/// A measurement that is older than this says nothing any more.
const STALE: Duration = Duration::from_secs(60);

/// What is known of the round trip to a device.
#[derive(Clone, Debug)]
pub(crate) struct Estimator {
    guess: Duration,
    wait: Duration,
    smoothed: Option<Smoothed>,
    measured_at: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Smoothed {
    mean: Duration,
    deviation: Duration,
}

impl Estimator {
    /// Nothing is known; `guess` is ACK_TIMEOUT.
    pub(crate) fn new(guess: Duration) -> Self {
        Self {
            guess,
            wait: guess,
            smoothed: None,
            measured_at: Duration::ZERO,
        }
    }

    /// How long to wait for an answer to what is first sent at `now`.
    pub(crate) fn wait(&self, now: Duration) -> Duration {
        let age = now.saturating_sub(self.measured_at);
        if age > STALE {
            self.wait.max(self.guess)
        } else {
            self.wait
        }
    }

    /// An exchange that was started at `started` was answered after so many
    /// transmissions.
    pub(crate) fn note(&mut self, now: Duration, started: Duration, transmissions: u32) {
        let time = now.saturating_sub(started);
        if transmissions <= 1 {
            self.answered(now, time);
        } else {
            self.answered_late(now, time);
        }
    }

    /// An exchange was answered at its first transmission, after `time`.
    pub(crate) fn answered(&mut self, now: Duration, time: Duration) {
        let smoothed = match self.smoothed {
            None => Smoothed {
                mean: time,
                deviation: time / 2,
            },
            Some(Smoothed { mean, deviation }) => Smoothed {
                mean: (mean.saturating_mul(7).saturating_add(time)) / 8,
                deviation: (deviation
                    .saturating_mul(3)
                    .saturating_add(mean.abs_diff(time)))
                    / 4,
            },
        };
        self.smoothed = Some(smoothed);
        let wait = smoothed.deviation.saturating_mul(4);
        self.set(now, smoothed.mean.saturating_add(wait));
    }

    /// An exchange was answered, and `time` after its first transmission at that;
    /// the round trip is not longer than this.
    pub(crate) fn answered_late(&mut self, now: Duration, time: Duration) {
        let wait = self.wait(now);
        let time = (time.saturating_mul(3) / 2).min(wait.saturating_mul(4));
        self.set(now, wait.saturating_mul(3).saturating_add(time) / 4);
    }

    /// What was measured up to now was more the device's work than the link's: the
    /// wait stands until the next measurement, which is the first of its kind.
    pub(crate) fn restart(&mut self) {
        self.smoothed = None;
    }

    fn set(&mut self, now: Duration, wait: Duration) {
        self.wait = wait.clamp(FLOOR.min(self.guess), CEILING.max(self.guess));
        self.measured_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUESS: Duration = Duration::from_secs(2);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn measured(times: &[u64]) -> Estimator {
        let mut estimator = Estimator::new(GUESS);
        for &time in times {
            estimator.answered(ms(0), ms(time));
        }
        estimator
    }

    #[test]
    fn the_first_measurement_counts_three_times_over() {
        assert_eq!(Estimator::new(GUESS).wait(ms(0)), GUESS);
        // RFC 6298, 2.2: R, and four times R/2.
        assert_eq!(measured(&[500]).wait(ms(0)), ms(1500));
    }

    #[test]
    fn a_steady_link_is_waited_for_little_longer_than_it_takes() {
        let wait = measured(&[500; 30]).wait(ms(0));
        assert!(wait >= ms(500) && wait < ms(520), "{wait:?}");
    }

    #[test]
    fn the_wait_has_a_floor_and_a_ceiling() {
        assert_eq!(measured(&[1; 9]).wait(ms(0)), FLOOR);
        assert_eq!(measured(&[100_000; 9]).wait(ms(0)), CEILING);
        // Whoever sets a shorter guess knows the link.
        let mut quick = Estimator::new(ms(50));
        quick.answered(ms(0), ms(1));
        assert_eq!(quick.wait(ms(0)), ms(50));
        let mut slow = Estimator::new(ms(90_000));
        slow.answered(ms(0), ms(80_000));
        assert_eq!(slow.wait(ms(0)), ms(90_000));
    }

    #[test]
    fn an_old_measurement_is_none() {
        let mut estimator = Estimator::new(GUESS);
        estimator.answered(ms(1000), ms(1));
        assert_eq!(estimator.wait(ms(61_000)), FLOOR);
        assert_eq!(estimator.wait(ms(61_001)), GUESS);
        // But not one that says to wait longer.
        estimator.answered(ms(1000), ms(20_000));
        assert!(estimator.wait(ms(90_000)) > GUESS);
    }

    #[test]
    fn a_late_answer_raises_the_wait_within_bounds() {
        let mut estimator = measured(&[1; 9]);
        estimator.answered_late(ms(0), ms(400));
        assert_eq!(estimator.wait(ms(0)), ms(300));
        estimator.answered_late(ms(0), ms(1_000_000));
        assert_eq!(estimator.wait(ms(0)), ms(525));
    }

    #[test]
    fn a_link_that_becomes_slow_is_soon_waited_for() {
        let mut estimator = measured(&[50; 20]);
        let mut exchanges = 0;
        while estimator.wait(ms(0)) < ms(5000) {
            estimator.answered_late(ms(0), ms(5000));
            exchanges += 1;
            assert!(exchanges < 20);
        }
        // And the first clean measurement does not bring it down again.
        estimator.answered(ms(0), ms(5000));
        assert!(estimator.wait(ms(0)) > ms(5000));
    }

    #[test]
    fn the_work_of_a_key_exchange_is_soon_forgotten() {
        let mut estimator = measured(&[3000, 2000]);
        let wait = estimator.wait(ms(0));
        assert!(wait > ms(3000));
        estimator.restart();
        assert_eq!(estimator.wait(ms(0)), wait);
        estimator.answered(ms(0), ms(100));
        assert_eq!(estimator.wait(ms(0)), ms(300));
    }
}
