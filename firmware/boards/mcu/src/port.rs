//! The device's socket, in which no datagram holds up the others for long.
//!
//! smoltcp keeps a datagram at the head of a socket's queue until it knows where to
//! send it. Where nobody has the address, or no route leads there, that is for ever,
//! and anybody can have the device answer a false address.

use embassy_futures::poll_once;
use embassy_net::udp::{BindError, SendError, UdpMetadata, UdpSocket};
use embassy_time::{Duration, Instant, with_deadline};

/// How long datagrams may wait to be sent. Who gives no sign of life by then gets no
/// answer, and nor do those behind it: with CoAP they ask again.
const PATIENCE: Duration = Duration::from_millis(500);

/// A socket that listens on a port.
pub(crate) struct Port<'a> {
    socket: UdpSocket<'a>,
    number: u16,
    /// Since when datagrams wait, as far as that was seen.
    waiting: Option<Instant>,
}

impl<'a> Port<'a> {
    pub(crate) fn bind(mut socket: UdpSocket<'a>, number: u16) -> Result<Self, BindError> {
        socket.bind(number)?;
        Ok(Self {
            socket,
            number,
            waiting: None,
        })
    }

    /// Has a datagram sent, if there is room for it within the patience.
    pub(crate) async fn send(&mut self, datagram: &[u8], to: UdpMetadata) {
        if datagram.is_empty() {
            return;
        }
        let until = self.until();
        match with_deadline(until, self.socket.send_to(datagram, to)).await {
            Ok(Ok(())) => {}
            Ok(Err(SendError::NoRoute)) => log::warn!("cannot send to {to}: no route"),
            Ok(Err(_)) => log::warn!("cannot send {} bytes to {to}", datagram.len()),
            Err(_) => self.empty(),
        }
    }

    /// Takes a datagram, if there is one by then.
    pub(crate) async fn receive<T>(
        &mut self,
        until: Instant,
        take: impl FnOnce(&[u8], UdpMetadata) -> T,
    ) -> Option<T> {
        if poll_once(self.socket.flush()).is_ready() {
            self.waiting = None;
        } else if Instant::now() >= self.until() {
            self.empty();
        }
        let until = match self.waiting {
            Some(_) => until.min(self.until()),
            None => until,
        };
        let taken = self.socket.recv_from_with(take);
        with_deadline(until, taken).await.ok()
    }

    /// When the patience with what waits ends.
    fn until(&mut self) -> Instant {
        let since = *self.waiting.get_or_insert_with(Instant::now);
        since.saturating_add(PATIENCE)
    }

    /// Forgets all datagrams, also those that came meanwhile.
    fn empty(&mut self) {
        log::warn!("datagrams that could not be sent are dropped");
        self.socket.close();
        if self.socket.bind(self.number).is_err() {
            log::error!("cannot listen on port {} again", self.number);
        }
        self.waiting = None;
    }
}
