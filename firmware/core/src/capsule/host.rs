//! What a board does for its capsules.

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use super::{Category, Reading};

/// The services of a board.
///
/// Each running capsule has a clone of its own: a board makes this a handle,
/// such as a struct with an `Rc<RefCell<_>>` in it, and keeps in the struct
/// itself what belongs to one capsule, which is its UDP socket. No method may
/// wait: the device answers nobody meanwhile. They run on the stack of who
/// polls the [`Activity`](super::Activity), not on the capsule's.
pub trait Host: Clone + 'static {
    /// A line of a capsule for the log: no control characters, at most
    /// [`MAX_LOG_LINE`](super::MAX_LOG_LINE) bytes.
    fn log(&mut self, capsule: &str, line: &str);

    /// Fills `bytes` with random numbers that nobody can guess.
    ///
    /// # Errors
    ///
    /// Where it cannot; the capsule traps.
    fn random(&mut self, bytes: &mut [u8]) -> Result<(), Unavailable>;

    /// Milliseconds since the device started.
    fn now_ms(&mut self) -> u64;

    /// Measures with all sensors of a category, or with all there are.
    ///
    /// # Errors
    ///
    /// Where there is no such sensor or it does not answer; the capsule is
    /// told.
    fn read_sensors(&mut self, category: Option<Category>) -> Result<Vec<Reading>, Unavailable>;

    /// Switches the light on if it is off, and off if it is on.
    ///
    /// # Errors
    ///
    /// Where there is no light; the capsule is told.
    fn toggle_led(&mut self) -> Result<(), Unavailable> {
        Err(Unavailable)
    }

    /// Whether the button is pressed, which is to say low.
    ///
    /// # Errors
    ///
    /// Where there is no button; the capsule is told.
    fn button_low(&mut self) -> Result<bool, Unavailable> {
        Err(Unavailable)
    }

    /// Opens the capsule's socket at a port; one that was open is closed.
    ///
    /// # Errors
    ///
    /// Where there is no network, or the port is not to be had; the capsule
    /// is told.
    fn udp_bind(&mut self, port: u16) -> Result<(), Unavailable> {
        let _ = port;
        Err(Unavailable)
    }

    /// Sends a datagram of at most [`MAX_UDP`](super::MAX_UDP) bytes from the
    /// capsule's socket.
    ///
    /// # Errors
    ///
    /// Where there is no socket, or it does not take the datagram now; the
    /// capsule is told.
    fn udp_send(&mut self, data: &[u8], to: SocketAddr) -> Result<(), Unavailable> {
        let _ = (data, to);
        Err(Unavailable)
    }

    /// A datagram that arrived at the capsule's socket, if one did.
    ///
    /// # Errors
    ///
    /// Where there is no socket; the capsule is told.
    fn udp_receive(&mut self) -> Result<Option<Datagram>, Unavailable> {
        Err(Unavailable)
    }
}

/// A datagram that arrived: what it says, who sent it, and at which of the
/// board's addresses it arrived, where that is known.
pub type Datagram = (Vec<u8>, SocketAddr, Option<IpAddr>);

/// The board does not have it, or it does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not available on this board")
    }
}

impl core::error::Error for Unavailable {}
