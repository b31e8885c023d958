//! What a component may log and send over time.

use alloc::rc::Rc;
use core::cell::Cell;

use super::{LOG_BURST, LOG_REFILL_MS, MAX_LOG_LINES, MAX_SENDS, SEND_BURST, SEND_REFILL_MS};

/// What a component may log and send, in each call and over time.
///
/// It belongs to the component, not to a capsule in it: whoever starts
/// capsules keeps one for each component and hands it to every instance, so
/// that one that crashes at each call has nothing of being started anew.
/// Clones are the same quota.
#[derive(Clone)]
pub struct Quota(Rc<Cell<Rations>>);

#[derive(Clone, Copy)]
struct Rations {
    lines: Ration,
    left_out: u32,
    sends: Ration,
}

impl Default for Quota {
    fn default() -> Self {
        Self(Rc::new(Cell::new(Rations {
            lines: Ration::new(MAX_LOG_LINES, LOG_BURST, LOG_REFILL_MS),
            left_out: 0,
            sends: Ration::new(MAX_SENDS, SEND_BURST, SEND_REFILL_MS),
        })))
    }
}

impl Quota {
    fn with<R>(&self, change: impl FnOnce(&mut Rations) -> R) -> R {
        let mut rations = self.0.get();
        let result = change(&mut rations);
        self.0.set(rations);
        result
    }

    /// Begins a call; a start is one, too.
    pub(super) fn begin(&self) {
        self.with(|rations| {
            rations.lines.begin();
            rations.sends.begin();
        });
    }

    /// Ends a call: what the device has to say of it is not the call's.
    pub(super) fn end(&self) {
        self.with(|rations| rations.lines.begin());
    }

    /// Whether one more line may go to the log; if not, it is counted.
    pub(super) fn line(&self, now: u64) -> bool {
        self.with(|rations| {
            let granted = rations.lines.take(now);
            if !granted {
                rations.left_out = rations.left_out.saturating_add(1);
            }
            granted
        })
    }

    /// How many lines were left out, if there were any and there is room to
    /// say so.
    pub(super) fn left_out(&self, now: u64) -> Option<u32> {
        self.with(|rations| {
            let told = rations.left_out > 0 && rations.lines.take(now);
            told.then(|| core::mem::take(&mut rations.left_out))
        })
    }

    /// Whether one more datagram may be sent, or port bound.
    #[cfg(feature = "udp")]
    pub(super) fn send(&self, now: u64) -> bool {
        self.with(|rations| rations.sends.take(now))
    }
}

/// So many in a call, and so many over time: a bucket of `burst` that gains
/// one each `refill_ms`.
#[derive(Clone, Copy)]
struct Ration {
    per_call: u32,
    in_call: u32,
    burst: u32,
    left: u32,
    refill_ms: u64,
    refilled: Option<u64>,
}

impl Ration {
    const fn new(per_call: u32, burst: u32, refill_ms: u64) -> Self {
        Self {
            per_call,
            in_call: 0,
            burst,
            left: burst,
            refill_ms,
            refilled: None,
        }
    }

    fn begin(&mut self) {
        self.in_call = 0;
    }

    /// Takes one, if there is one.
    fn take(&mut self, now: u64) -> bool {
        if self.in_call >= self.per_call || self.refilled(now) == 0 {
            return false;
        }
        self.in_call = self.in_call.saturating_add(1);
        self.left = self.left.saturating_sub(1);
        true
    }

    /// How many the bucket has by now.
    fn refilled(&mut self, now: u64) -> u32 {
        let since = *self.refilled.get_or_insert(now);
        let gained = now
            .saturating_sub(since)
            .checked_div(self.refill_ms)
            .unwrap_or(0);
        if gained > 0 {
            let gain = u32::try_from(gained).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(gain).min(self.burst);
            // What is left of the interval counts for the next one.
            let accounted = gained.saturating_mul(self.refill_ms);
            self.refilled = Some(since.saturating_add(accounted));
        }
        self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(ration: &mut Ration, now: u64) -> usize {
        (0..100).filter(|_| ration.take(now)).count()
    }

    #[test]
    fn a_call_has_its_share_and_no_more() {
        let mut ration = Ration::new(4, 10, 1000);
        assert_eq!(takes(&mut ration, 0), 4);
        assert_eq!(takes(&mut ration, 60_000), 0);
        ration.begin();
        assert_eq!(takes(&mut ration, 60_000), 4);
    }

    #[test]
    fn many_calls_share_a_bucket_that_fills_with_time() {
        let mut ration = Ration::new(4, 10, 1000);
        let mut all = |now| {
            let mut taken = 0;
            for _ in 0..10 {
                ration.begin();
                taken += takes(&mut ration, now);
            }
            taken
        };
        assert_eq!(all(5000), 10);
        assert_eq!(all(5999), 0);
        assert_eq!(all(6000), 1);
        assert_eq!(all(8500), 2);
        assert_eq!(all(9000), 1);
        // A clock that goes back gives nothing, and one that jumps no more
        // than the bucket holds.
        assert_eq!(all(0), 0);
        assert_eq!(all(u64::MAX), 10);
    }
}
