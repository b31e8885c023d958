//! The UDP socket under an [`Endpoint`]: everything here is waiting and copying.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use rand_core::OsRng;
use sealift_oscore::coap::{Header, Message};

use crate::error::Error;
use crate::exchange::{Endpoint, Failure, Params, Step};

/// The port of CoAP (RFC 7252, 6.1).
const DEFAULT_PORT: u16 = 5683;
/// Longer than any datagram that a device sends.
const MAX_DATAGRAM: usize = 4096;

/// Where a device is: `coap://HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not of the form coap://HOST:PORT");
        let authority = text.strip_prefix("coap://").ok_or_else(wrong)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains(['/', '?', '#', '@']) {
            return Err(wrong());
        }
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
            match after {
                "" => (host, None),
                _ => (host, Some(after.strip_prefix(':').ok_or_else(wrong)?)),
            }
        } else {
            match authority.split_once(':') {
                None => (authority, None),
                Some((_, port)) if port.contains(':') => return Err(wrong()),
                Some((host, port)) => (host, Some(port)),
            }
        };
        if host.is_empty() {
            return Err(wrong());
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => port.parse().map_err(|_| wrong())?,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl Address {
    fn resolve(&self) -> Result<SocketAddr, Error> {
        let unresolved = |source| Error::Unresolved {
            device: self.to_string(),
            source,
        };
        (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(unresolved)?
            .next()
            .ok_or_else(|| unresolved(io::Error::from(ErrorKind::NotFound)))
    }
}

/// A socket of its own that talks to one device.
pub(crate) struct Link {
    socket: UdpSocket,
    endpoint: Endpoint<OsRng>,
    epoch: Instant,
    device: String,
}

impl Link {
    /// Opens a socket. Nothing is sent.
    pub(crate) fn open(address: &Address, params: Params) -> Result<Self, Error> {
        let remote = address.resolve()?;
        let local: SocketAddr = if remote.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0_u16; 8], 0).into()
        };
        let socket = UdpSocket::bind(local)?;
        // From here on the kernel drops what other addresses send.
        socket.connect(remote)?;
        Ok(Self {
            socket,
            endpoint: Endpoint::new(params, OsRng),
            epoch: Instant::now(),
            device: address.to_string(),
        })
    }

    /// The device, as `HOST:PORT`.
    pub(crate) fn device(&self) -> &str {
        &self.device
    }

    /// How often the latest request was transmitted.
    pub(crate) fn transmissions(&self) -> u32 {
        self.endpoint.transmissions()
    }

    /// Starts the request that `write` writes. [`Link::receive`] sends it.
    pub(crate) fn send(
        &mut self,
        write: impl FnOnce(Header<'_>) -> Result<Vec<u8>, Error>,
    ) -> Result<(), Error> {
        self.endpoint.start(self.epoch.elapsed(), write)
    }

    /// Sends the request until a response comes that `accept` takes, which is
    /// returned as its datagram, or until the endpoint gives up.
    pub(crate) fn receive(
        &mut self,
        mut accept: impl FnMut(&Message<'_>) -> bool,
    ) -> Result<Vec<u8>, Error> {
        let mut buffer = [0; MAX_DATAGRAM];
        // A socket error stands for a lost datagram: links come back. The last
        // one is worth telling when nothing came at all.
        let mut last_error = None;
        loop {
            match self.endpoint.poll(self.epoch.elapsed()) {
                Step::Send(datagram) => {
                    log::trace!("sending {} bytes", datagram.len());
                    // A connected socket reports the fate of an earlier datagram
                    // here, and then does not send this one.
                    let sent = self.socket.send(&datagram);
                    if let Err(error) = sent.or_else(|_| self.socket.send(&datagram)) {
                        log::debug!("cannot send: {error}");
                        last_error = Some(error);
                    }
                }
                Step::Wait(until) => {
                    let wait = until.saturating_sub(self.epoch.elapsed());
                    self.socket
                        .set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
                    match self.socket.recv(&mut buffer) {
                        Ok(len) => {
                            log::trace!("received {len} bytes");
                            let datagram = buffer.get(..len).unwrap_or(&[]);
                            self.endpoint.handle_datagram(
                                self.epoch.elapsed(),
                                datagram,
                                &mut accept,
                            );
                        }
                        Err(error) => match error.kind() {
                            ErrorKind::WouldBlock
                            | ErrorKind::TimedOut
                            | ErrorKind::Interrupted => {}
                            _ => {
                                log::debug!("cannot receive: {error}");
                                last_error = Some(error);
                            }
                        },
                    }
                }
                Step::Done(Ok(response)) => return Ok(response),
                Step::Done(Err(failure)) => return Err(self.failed(failure, last_error)),
                Step::Idle => return Err(self.failed(Failure::NoResponse, last_error)),
            }
        }
    }

    fn failed(&self, failure: Failure, last_error: Option<io::Error>) -> Error {
        let device = self.device.clone();
        match failure {
            Failure::GaveUp { tries } => Error::NoAnswer {
                device,
                tries,
                hint: last_error
                    .map(|error| format!(" ({error})"))
                    .unwrap_or_default(),
            },
            Failure::NoResponse => Error::NoResponse { device },
            Failure::Reset => Error::Reset { device },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    fn read(text: &str) -> Option<String> {
        text.parse::<Address>().ok().map(|a| a.to_string())
    }

    #[test]
    fn addresses_are_coap_uris_without_a_path() {
        assert_eq!(
            read("coap://127.0.0.1:5700").as_deref(),
            Some("127.0.0.1:5700")
        );
        assert_eq!(
            read("coap://node.example/").as_deref(),
            Some("node.example:5683")
        );
        assert_eq!(read("coap://[::1]:77").as_deref(), Some("[::1]:77"));
        assert_eq!(
            read("coap://[fe80::1%eth0]").as_deref(),
            Some("[fe80::1%eth0]:5683")
        );
        for wrong in [
            "127.0.0.1:5683",
            "coaps://a",
            "coap://",
            "coap://:1",
            "coap://a:b",
            "coap://a:99999",
            "coap://a/path",
            "coap://::1",
            "coap://[::1",
            "coap://[::1]x",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
