//! One UDP socket. Needs the grant `udp`.

use alloc::boxed::Box;
use core::net::{IpAddr, SocketAddr};

use super::{Unavailable, sys};

/// Opens the socket at a port; one that was open is closed.
///
/// # Errors
///
/// Where there is no network, or the port is not to be had.
pub fn bind(port: u16) -> Result<(), Unavailable> {
    sys::bind(port)
}

/// Sends a datagram from the socket.
///
/// # Errors
///
/// Where there is no socket, or it does not take the datagram now.
pub fn send(data: &[u8], to: SocketAddr) -> Result<(), Unavailable> {
    sys::send(data, to)
}

/// A datagram that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// What it says.
    pub data: Box<[u8]>,
    /// Who sent it.
    pub from: SocketAddr,
    /// At which of the device's addresses it arrived, where that is known.
    pub local: Option<IpAddr>,
}

/// A datagram, if one waits.
///
/// # Errors
///
/// Where there is no socket.
pub fn receive() -> Result<Option<Datagram>, Unavailable> {
    sys::receive()
}
