//! Where errands are done: the services of the board, rationed.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
#[cfg(feature = "udp")]
use core::net::SocketAddr;

#[cfg(feature = "udp")]
use super::MAX_UDP;
use super::abi::{Category, Reading};
#[cfg(feature = "udp")]
use super::host::Datagram;
use super::host::{Host, Unavailable};
use super::quota::Quota;

/// What an errand can have done. An object, so that the host functions exist
/// once and not for each board.
pub(super) trait Desk {
    fn log(&mut self, line: &str);
    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable>;
    fn now_ms(&mut self) -> u64;
    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable>;
    fn toggle_led(&mut self) -> Result<(), Unavailable>;
    fn button_low(&mut self) -> Result<bool, Unavailable>;
    #[cfg(feature = "udp")]
    fn udp_bind(&mut self, port: u16) -> Result<(), Unavailable>;
    #[cfg(feature = "udp")]
    fn udp_send(&mut self, data: &[u8], to: SocketAddr) -> Result<(), Unavailable>;
    #[cfg(feature = "udp")]
    fn udp_receive(&mut self) -> Result<Option<Datagram>, Unavailable>;
}

/// The desk of one capsule. It outlives the single call.
pub(super) struct HostDesk<H> {
    host: H,
    /// The component, for the log.
    name: String,
    /// That of the component.
    quota: Quota,
}

impl<H: Host> HostDesk<H> {
    /// The desk of a capsule that is about to be started, which is its first
    /// call.
    pub(super) fn new(host: H, name: String, quota: Quota) -> Self {
        let mut desk = Self { host, name, quota };
        desk.begin();
        desk
    }

    /// Begins a call.
    pub(super) fn begin(&mut self) {
        self.quota.begin();
        self.mention_left_out();
    }

    /// Ends a call.
    pub(super) fn end(&mut self) {
        self.quota.end();
        self.mention_left_out();
    }

    /// Says how much was not logged, once there is room for that.
    fn mention_left_out(&mut self) {
        let now = self.host.now_ms();
        if let Some(left_out) = self.quota.left_out(now) {
            let line = format!("({left_out} more lines left out)");
            self.host.log(&self.name, &line);
        }
    }
}

impl<H: Host> Desk for HostDesk<H> {
    fn log(&mut self, line: &str) {
        let now = self.host.now_ms();
        if self.quota.line(now) {
            self.host.log(&self.name, line);
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

    #[cfg(feature = "udp")]
    fn udp_bind(&mut self, port: u16) -> Result<(), Unavailable> {
        // A socket costs the board as much as a datagram does.
        let now = self.host.now_ms();
        if !self.quota.send(now) {
            return Err(Unavailable);
        }
        self.host.udp_bind(port)
    }

    #[cfg(feature = "udp")]
    fn udp_send(&mut self, data: &[u8], to: SocketAddr) -> Result<(), Unavailable> {
        let now = self.host.now_ms();
        if data.len() > MAX_UDP || !self.quota.send(now) {
            return Err(Unavailable);
        }
        self.host.udp_send(data, to)
    }

    #[cfg(feature = "udp")]
    fn udp_receive(&mut self) -> Result<Option<Datagram>, Unavailable> {
        let received = self.host.udp_receive()?;
        Ok(received.filter(|(data, ..)| data.len() <= MAX_UDP))
    }
}
