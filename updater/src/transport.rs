//! The world around a client: datagrams, a clock, randomness.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rand_core::{CryptoRngCore, OsRng};

use crate::address::Address;
use crate::error::Error;

/// What carries datagrams to one device and back. [`Udp`] is the real one; a test
/// or a simulation has others, with a clock of their own.
pub trait Transport {
    /// A random source.
    type Rng: CryptoRngCore;

    /// A new random source.
    fn rng(&mut self) -> Self::Rng;

    /// The device, as it is called in messages.
    fn device(&self) -> &str;

    /// Time since any fixed point.
    fn now(&self) -> Duration;

    /// Sends a datagram.
    ///
    /// # Errors
    ///
    /// Where that is certain not to have worked; to the client it is a lost one.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// Waits for a datagram of the device until `until`, and puts it into `buffer`;
    /// its length, or `None` where none came in time.
    ///
    /// # Errors
    ///
    /// What the network says meanwhile. The client goes on waiting.
    fn receive(&mut self, until: Duration, buffer: &mut [u8]) -> io::Result<Option<usize>>;

    /// Goes on with a new address of our own, if one is to be had. What is under way
    /// to the old one then does not arrive any more.
    ///
    /// # Errors
    ///
    /// Where there is no point in trying again.
    fn renew(&mut self) -> Result<(), Error>;
}

/// A UDP socket.
#[derive(Debug)]
pub struct Udp {
    address: Address,
    device: String,
    socket: UdpSocket,
    epoch: Instant,
}

impl Udp {
    /// Opens a socket. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`Error::Unresolved`], [`Error::Io`].
    pub fn open(address: &Address) -> Result<Self, Error> {
        Ok(Self {
            address: address.clone(),
            device: address.to_string(),
            socket: connected(address)?,
            epoch: Instant::now(),
        })
    }
}

fn connected(address: &Address) -> Result<UdpSocket, Error> {
    let remote = address.resolve()?;
    let local: SocketAddr = if remote.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0_u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(local)?;
    // From here on the kernel drops what other addresses send.
    socket.connect(remote)?;
    Ok(socket)
}

impl Transport for Udp {
    type Rng = OsRng;

    fn rng(&mut self) -> OsRng {
        OsRng
    }

    fn device(&self) -> &str {
        &self.device
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        // A connected socket reports the fate of an earlier datagram here, and
        // then does not send this one.
        let sent = self.socket.send(datagram);
        sent.or_else(|_| self.socket.send(datagram)).map(drop)
    }

    fn receive(&mut self, until: Duration, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let wait = until.saturating_sub(self.now());
        self.socket
            .set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        match self.socket.recv(buffer) {
            Ok(length) => Ok(Some(length)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            },
        }
    }

    fn renew(&mut self) -> Result<(), Error> {
        // There is none while our own link is down. The one of before will do when it
        // is back, and what is sent meanwhile is lost: trying again takes its time.
        match connected(&self.address) {
            Ok(socket) => self.socket = socket,
            Err(error) => log::warn!("{error}; going on with the same socket"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn device() -> UdpSocket {
        let device = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        device.set_read_timeout(Some(PATIENCE)).unwrap();
        device
    }

    /// Sends something and gets something back.
    #[track_caller]
    fn works(udp: &mut Udp, device: &UdpSocket) {
        let mut buffer = [0; 9];
        udp.send(b"question").unwrap();
        let (length, from) = device.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"question");
        device.send_to(b"answer", from).unwrap();
        let until = udp.now() + PATIENCE;
        assert_eq!(udp.receive(until, &mut buffer).unwrap(), Some(6));
    }

    #[test]
    fn a_socket_outlasts_an_outage_of_our_own_link() {
        let device = device();
        let url = format!("coap://{}", device.local_addr().unwrap());
        let mut udp = Udp::open(&url.parse().unwrap()).unwrap();
        works(&mut udp, &device);
        // No resolver has an address for this.
        udp.address = "coap://a\0b".parse().unwrap();
        udp.renew().unwrap();
        works(&mut udp, &device);
    }
}
