//! An [`Endpoint`] on a [`Transport`]: everything here is waiting and copying.

use std::io;

use sealift_oscore::coap::{Header, Message};

use crate::error::Error;
use crate::exchange::{Endpoint, Failure, Params, Step};
use crate::transport::Transport;

/// Longer than any datagram that a device sends.
const MAX_DATAGRAM: usize = 4096;

/// What went over the link: CoAP datagrams without the headers of UDP and IP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams sent, retransmissions and acknowledgements included.
    pub sent: u64,
    /// Bytes in those.
    pub sent_bytes: u64,
    /// Datagrams received.
    pub received: u64,
    /// Bytes in those.
    pub received_bytes: u64,
}

/// The way to one device.
pub(crate) struct Link<T: Transport> {
    transport: T,
    params: Params,
    endpoint: Endpoint<T::Rng>,
    traffic: Traffic,
}

impl<T: Transport> Link<T> {
    pub(crate) fn new(mut transport: T, params: Params) -> Self {
        let rng = transport.rng();
        Self {
            transport,
            params,
            endpoint: Endpoint::new(params, rng),
            traffic: Traffic::default(),
        }
    }

    /// Goes on with a new address of our own, as if nothing had been before.
    pub(crate) fn renew(&mut self) -> Result<(), Error> {
        self.transport.renew()?;
        self.endpoint = Endpoint::new(self.params, self.transport.rng());
        Ok(())
    }

    pub(crate) fn rng(&mut self) -> T::Rng {
        self.transport.rng()
    }

    /// The device, as `HOST:PORT`.
    pub(crate) fn device(&self) -> &str {
        self.transport.device()
    }

    pub(crate) fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// See [`Endpoint::restart_measuring`].
    pub(crate) fn restart_measuring(&mut self) {
        self.endpoint.restart_measuring();
    }

    /// Starts the request that `write` writes. [`Link::receive`] sends it.
    pub(crate) fn send(
        &mut self,
        write: impl FnOnce(Header<'_>) -> Result<Vec<u8>, Error>,
    ) -> Result<(), Error> {
        self.endpoint.start(self.transport.now(), write)
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
            match self.endpoint.poll(self.transport.now()) {
                Step::Send(datagram) => {
                    log::trace!("sending {} bytes", datagram.len());
                    count(
                        &mut self.traffic.sent,
                        &mut self.traffic.sent_bytes,
                        datagram.len(),
                    );
                    if let Err(error) = self.transport.send(&datagram) {
                        log::debug!("cannot send: {error}");
                        last_error = Some(error);
                    }
                }
                Step::Wait(until) => match self.transport.receive(until, &mut buffer) {
                    Ok(Some(length)) => {
                        log::trace!("received {length} bytes");
                        let datagram = buffer.get(..length).unwrap_or(&[]);
                        count(
                            &mut self.traffic.received,
                            &mut self.traffic.received_bytes,
                            datagram.len(),
                        );
                        let now = self.transport.now();
                        self.endpoint.handle_datagram(now, datagram, &mut accept);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        log::debug!("cannot receive: {error}");
                        last_error = Some(error);
                    }
                },
                Step::Done(Ok(response)) => return Ok(response),
                Step::Done(Err(failure)) => return Err(self.failed(failure, last_error)),
                Step::Idle => return Err(self.failed(Failure::NoResponse, last_error)),
            }
        }
    }

    fn failed(&self, failure: Failure, last_error: Option<io::Error>) -> Error {
        let device = self.device().to_owned();
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

fn count(datagrams: &mut u64, bytes: &mut u64, length: usize) {
    *datagrams = datagrams.saturating_add(1);
    *bytes = bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
}
