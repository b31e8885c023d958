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

    /// Goes on with a new address of our own. What is under way to the old one does
    /// not arrive any more.
    ///
    /// # Errors
    ///
    /// [`Error::Unresolved`], [`Error::Io`].
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
        self.socket = connected(&self.address)?;
        Ok(())
    }
}
