//! The world around a client: datagrams, a clock, randomness.

use std::collections::VecDeque;
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

/// A UDP socket. Where a name has several addresses, those that refuse are passed
/// over until one has answered; with that one it stays.
#[derive(Debug)]
pub struct Udp {
    address: Address,
    device: String,
    way: Way,
    /// What was sent last, until something came.
    latest: Vec<u8>,
    epoch: Instant,
}

/// To one of the addresses of a device.
#[derive(Debug)]
struct Way {
    socket: UdpSocket,
    /// All of them; the first is the one.
    remotes: VecDeque<SocketAddr>,
    /// How many others what was sent last has not gone to.
    untried: usize,
    /// Whether anything came from there.
    heard: bool,
}

impl Way {
    /// To the first of these addresses that there is a route to.
    fn first_of(mut remotes: VecDeque<SocketAddr>) -> Result<Self, Error> {
        let mut failed = io::Error::from(ErrorKind::AddrNotAvailable);
        for _ in 0..remotes.len() {
            match remotes.front().map(connected) {
                Some(Ok(socket)) => {
                    return Ok(Self {
                        socket,
                        remotes,
                        untried: 0,
                        heard: false,
                    });
                }
                Some(Err(error)) => failed = error,
                None => {}
            }
            remotes.rotate_left(1);
        }
        Err(failed.into())
    }

    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        // A connected socket reports the fate of an earlier datagram here, and
        // then does not send this one.
        let sent = self.socket.send(datagram);
        sent.or_else(|_| self.socket.send(datagram)).map(drop)
    }
}

impl Udp {
    /// Opens a socket. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`Error::Unresolved`], [`Error::Io`].
    pub fn open(address: &Address) -> Result<Self, Error> {
        Self::over(address, address.resolve()?)
    }

    fn over(address: &Address, remotes: VecDeque<SocketAddr>) -> Result<Self, Error> {
        Ok(Self {
            address: address.clone(),
            device: address.to_string(),
            way: Way::first_of(remotes)?,
            latest: Vec::new(),
            epoch: Instant::now(),
        })
    }

    /// Sends the same to the next address, if nothing has come from any yet and there
    /// is one that it has not gone to.
    fn pass_over(&mut self) -> bool {
        let Some(untried) = self.way.untried.checked_sub(1).filter(|_| !self.way.heard) else {
            return false;
        };
        let mut remotes = self.way.remotes.clone();
        remotes.rotate_left(1);
        let Ok(way) = Way::first_of(remotes) else {
            return false;
        };
        log::info!("nobody there; trying {:?}", way.remotes.front());
        self.way = Way { untried, ..way };
        self.way.send(&self.latest).is_ok()
    }
}

/// These addresses from the one that has answered on, or from the one behind that which
/// has not.
fn going_on(
    mut found: VecDeque<SocketAddr>,
    before: Option<SocketAddr>,
    heard: bool,
) -> VecDeque<SocketAddr> {
    if let Some(at) = found.iter().position(|remote| Some(*remote) == before) {
        found.rotate_left(at + usize::from(!heard));
    }
    found
}

fn connected(remote: &SocketAddr) -> io::Result<UdpSocket> {
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
        if !self.way.heard {
            self.way.untried = self.way.remotes.len().saturating_sub(1);
            self.latest = datagram.to_vec();
        }
        self.way.send(datagram)
    }

    fn receive(&mut self, until: Duration, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let wait = until.saturating_sub(self.now());
        let socket = &self.way.socket;
        socket.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        match socket.recv(buffer) {
            Ok(length) => {
                self.way.heard = true;
                Ok(Some(length))
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(None),
                ErrorKind::ConnectionRefused if self.pass_over() => Ok(None),
                _ => Err(error),
            },
        }
    }

    fn renew(&mut self) -> Result<(), Error> {
        // There is none while our own link is down. The one of before will do when it
        // is back, and what is sent meanwhile is lost: trying again takes its time.
        let (heard, before) = (self.way.heard, self.way.remotes.front().copied());
        let found = self.address.resolve();
        let way = found.and_then(|found| Way::first_of(going_on(found, before, heard)));
        match way {
            Ok(way) => {
                let heard = heard && way.remotes.front().copied() == before;
                self.way = Way { heard, ..way };
            }
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
    fn an_address_that_refuses_is_passed_over_until_one_has_answered() {
        let open = device();
        // Nobody is there any more, when these are used.
        let closed = || device().local_addr().unwrap();
        for at in 0..3 {
            let mut remotes: VecDeque<_> = [closed(), closed()].into();
            remotes.insert(at, open.local_addr().unwrap());
            let mut udp = Udp::over(&"coap://device".parse().unwrap(), remotes).unwrap();
            udp.send(b"question").unwrap();
            let mut buffer = [0; 9];
            // Each time that one refuses, it is the turn of the next.
            for _ in 0..at {
                let until = udp.now() + PATIENCE;
                assert_eq!(udp.receive(until, &mut buffer).unwrap(), None);
            }
            let (length, from) = open.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"question");
            open.send_to(b"answer", from).unwrap();
            let until = udp.now() + PATIENCE;
            assert_eq!(udp.receive(until, &mut buffer).unwrap(), Some(6));
            works(&mut udp, &open);
        }
    }

    #[test]
    fn a_device_that_has_answered_is_not_looked_for_elsewhere() {
        let (first, second) = (device(), device());
        let remotes: VecDeque<_> = [&first, &second].map(|d| d.local_addr().unwrap()).into();
        let mut udp = Udp::over(&"coap://device".parse().unwrap(), remotes).unwrap();
        works(&mut udp, &first);
        drop(first);
        udp.send(b"question").unwrap();
        let until = udp.now() + PATIENCE;
        let error = udp.receive(until, &mut [0; 9]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        second.set_nonblocking(true).unwrap();
        assert!(second.recv_from(&mut [0; 9]).is_err());
    }

    #[test]
    fn an_address_without_a_device_is_tried_at_each_transmission_and_told() {
        let remotes: VecDeque<_> = [device(), device()].map(|d| d.local_addr().unwrap()).into();
        let mut udp = Udp::over(&"coap://device".parse().unwrap(), remotes).unwrap();
        for _ in 0..3 {
            udp.send(b"question").unwrap();
            let until = udp.now() + PATIENCE;
            assert_eq!(udp.receive(until, &mut [0; 9]).unwrap(), None);
            let error = udp.receive(until, &mut [0; 9]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
    }

    #[test]
    fn a_new_socket_goes_to_who_has_answered_or_to_the_next() {
        let remotes = [1, 2, 3].map(|port| SocketAddr::from(([192, 0, 2, 1], port)));
        let first = |before: SocketAddr, heard| {
            going_on(remotes.into(), Some(before), heard)
                .front()
                .map(SocketAddr::port)
        };
        for (remote, next) in remotes.into_iter().zip([2, 3, 1]) {
            assert_eq!(first(remote, true), Some(remote.port()));
            assert_eq!(first(remote, false), Some(next));
        }
        let moved = SocketAddr::from(([192, 0, 2, 2], 1));
        assert_eq!(first(moved, true), Some(1));
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
