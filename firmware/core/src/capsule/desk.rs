//! Where errands are done: the services of the board, rationed.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::abi::{Category, Reading};
use super::host::{Datagram, Host, Unavailable};
use super::{
    LOG_BURST, LOG_REFILL_MS, MAX_LOG_LINES, MAX_SENDS, MAX_UDP, SEND_BURST, SEND_REFILL_MS,
};

/// What an errand can have done. An object, so that the host functions exist
/// once and not for each board.
pub(super) trait Desk {
    fn log(&mut self, line: &str);
    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable>;
    fn now_ms(&mut self) -> u64;
    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable>;
    fn toggle_led(&mut self) -> Result<(), Unavailable>;
    fn button_low(&mut self) -> Result<bool, Unavailable>;
    fn udp_bind(&mut self, port: u16) -> Result<(), Unavailable>;
    fn udp_send(&mut self, data: &[u8], to: SocketAddr) -> Result<(), Unavailable>;
    fn udp_receive(&mut self) -> Result<Option<Datagram>, Unavailable>;
}

/// The desk of one capsule. It outlives the single call.
pub(super) struct HostDesk<H> {
    host: H,
    /// The component, for the log.
    name: String,
    lines: Ration,
    lines_left_out: u32,
    sends: Ration,
}

impl<H: Host> HostDesk<H> {
    pub(super) fn new(host: H, name: String) -> Self {
        Self {
            host,
            name,
            lines: Ration::new(MAX_LOG_LINES, LOG_BURST, LOG_REFILL_MS),
            lines_left_out: 0,
            sends: Ration::new(MAX_SENDS, SEND_BURST, SEND_REFILL_MS),
        }
    }

    /// Begins a call.
    pub(super) fn begin(&mut self) {
        self.sends.begin();
        self.lines.begin();
        self.mention_left_out();
    }

    /// Ends a call.
    pub(super) fn end(&mut self) {
        self.lines.begin();
        self.mention_left_out();
    }

    /// Says how much was not logged, once there is room for that.
    fn mention_left_out(&mut self) {
        if self.lines_left_out == 0 {
            return;
        }
        let now = self.host.now_ms();
        if self.lines.take(now) {
            let left_out = core::mem::take(&mut self.lines_left_out);
            let line = format!("({left_out} more lines left out)");
            self.host.log(&self.name, &line);
        }
    }
}

impl<H: Host> Desk for HostDesk<H> {
    fn log(&mut self, line: &str) {
        let now = self.host.now_ms();
        if self.lines.take(now) {
            self.host.log(&self.name, line);
        } else {
            self.lines_left_out = self.lines_left_out.saturating_add(1);
        }
    }

    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable> {
        self.host.random(bytes)
    }

    fn now_ms(&mut self) -> u64 {
        self.host.now_ms()
    }

    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        self.host.read_sensors(category)
    }

    fn toggle_led(&mut self) -> Result<(), Unavailable> {
        self.host.toggle_led()
    }

    fn button_low(&mut self) -> Result<bool, Unavailable> {
        self.host.button_low()
    }

    fn udp_bind(&mut self, port: u16) -> Result<(), Unavailable> {
        self.host.udp_bind(port)
    }

    fn udp_send(&mut self, data: &[u8], to: SocketAddr) -> Result<(), Unavailable> {
        let now = self.host.now_ms();
        if data.len() > MAX_UDP || !self.sends.take(now) {
            return Err(Unavailable);
        }
        self.host.udp_send(data, to)
    }

    fn udp_receive(&mut self) -> Result<Option<Datagram>, Unavailable> {
        let received = self.host.udp_receive()?;
        Ok(received.filter(|(data, ..)| data.len() <= MAX_UDP))
    }
}

/// So many in a call, and so many over time: a bucket of `burst` that gains
/// one each `refill_ms`.
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
