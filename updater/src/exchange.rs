//! The message layer of a CoAP client (RFC 7252, section 4), without I/O.
//!
//! An [`Endpoint`] is given datagrams and the time, and says what to send and
//! how long to wait. It runs one exchange at a time, with retransmission and
//! exponential back-off (4.2) from a wait that is measured ([`crate::rtt`]),
//! separate responses (5.2.2) and duplicates (4.5).
//! Time is a [`Duration`] since any fixed point, so a test needs no clock.

use std::collections::VecDeque;
use std::time::Duration;

use rand_core::RngCore;
use sealift_oscore::coap::{Code, Header, Kind, Message};

use crate::rtt::Estimator;

/// Length of the tokens of this client. Eight random bytes cannot be guessed by
/// somebody who does not see the traffic (RFC 7252, 5.3.1).
pub const TOKEN_LEN: usize = 8;

/// How many separate responses are remembered, so that a duplicate is
/// acknowledged again instead of being rejected.
const REMEMBERED: usize = 16;

/// The shortest wait for a separate response, whatever the link: it is the device's
/// time to work, and one gives its capsules a minute. As long as with the parameters
/// of RFC 7252.
pub const RESPONSE_WAIT: Duration = Duration::from_secs(93);

/// Transmission parameters (RFC 7252, 4.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// The time to the first retransmission, at the least, as long as the link has
    /// not been measured. A random part of up to a half comes on top.
    pub ack_timeout: Duration,
    /// Retransmissions after the first transmission, where the link is as slow as
    /// `ack_timeout` or slower. On a quicker one there are more: as many as there
    /// is time for. With 0 there are none.
    pub max_retransmit: u32,
    /// Whether the wait follows what is measured. If not, it is that of RFC 7252
    /// for each exchange.
    pub adaptive: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            ack_timeout: Duration::from_secs(2),
            max_retransmit: 4,
            adaptive: true,
        }
    }
}

impl Params {
    /// How long an acknowledged request waits for its separate response:
    /// MAX_TRANSMIT_WAIT (RFC 7252, 4.8.2), and not under [`RESPONSE_WAIT`].
    #[must_use]
    pub fn response_wait(&self) -> Duration {
        let wait = patience(self.ack_timeout, self.max_retransmit).saturating_mul(3) / 2;
        wait.max(RESPONSE_WAIT)
    }
}

/// How long an exchange goes on whose first wait is `first`: until the last of so
/// many retransmissions has had its time.
fn patience(first: Duration, retransmissions: u32) -> Duration {
    let doublings = retransmissions.saturating_add(1);
    first.saturating_mul(2_u32.saturating_pow(doublings).saturating_sub(1))
}

/// Why an exchange ended without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing came back for any transmission.
    #[error("no answer after {tries} tries")]
    GaveUp {
        /// Transmissions, the first one included.
        tries: u32,
    },
    /// The peer acknowledged the request and then did not answer it.
    #[error("the request was acknowledged and never answered")]
    NoResponse,
    /// The peer rejected the message (RST).
    #[error("the peer rejected the message (reset)")]
    Reset,
}

/// What the caller of [`Endpoint::poll`] has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this datagram and poll again.
    Send(Vec<u8>),
    /// Wait for a datagram, at the longest until this time; then poll again.
    Wait(Duration),
    /// The exchange is over, with the datagram that has the response.
    Done(Result<Vec<u8>, Failure>),
    /// No exchange is under way.
    Idle,
}

#[derive(Debug)]
enum Phase {
    /// The next transmission, or the end, is due.
    Unacknowledged(Waiting),
    /// An empty ACK came; the response follows by itself.
    Acknowledged {
        until: Duration,
    },
    Over(Result<Vec<u8>, Failure>),
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// The first wait of this exchange, and the one under way.
    first: Duration,
    interval: Duration,
    due: Duration,
    /// When the exchange is given up.
    end: Duration,
}

#[derive(Debug)]
struct Exchange {
    started: Duration,
    mid: u16,
    token: [u8; TOKEN_LEN],
    datagram: Vec<u8>,
    phase: Phase,
}

/// The client's end of one association.
#[derive(Debug)]
pub struct Endpoint<R> {
    params: Params,
    rng: R,
    estimator: Estimator,
    next_mid: u16,
    transmissions: u32,
    current: Option<Exchange>,
    outbox: VecDeque<Vec<u8>>,
    answered: VecDeque<u16>,
}

impl<R: RngCore> Endpoint<R> {
    /// An endpoint that takes tokens, its first message ID and the random part
    /// of timeouts from `rng`.
    pub fn new(params: Params, mut rng: R) -> Self {
        let mut mid = [0; 2];
        rng.fill_bytes(&mut mid);
        Self {
            params,
            rng,
            estimator: Estimator::new(params.ack_timeout),
            next_mid: u16::from_be_bytes(mid),
            transmissions: 0,
            current: None,
            outbox: VecDeque::new(),
            answered: VecDeque::new(),
        }
    }

    /// Starts a confirmable request, which `write` writes with the header that
    /// it is given. An exchange that is still under way is abandoned.
    ///
    /// # Errors
    ///
    /// Those of `write`; nothing is started then.
    pub fn start<E>(
        &mut self,
        now: Duration,
        write: impl FnOnce(Header<'_>) -> Result<Vec<u8>, E>,
    ) -> Result<(), E> {
        let mid = self.next_mid;
        self.next_mid = self.next_mid.wrapping_add(1);
        let mut token = [0; TOKEN_LEN];
        self.rng.fill_bytes(&mut token);
        let datagram = write(Header {
            kind: Kind::Confirmable,
            mid,
            token: &token,
        })?;
        let waiting = self.waiting(now);
        self.outbox.push_back(datagram.clone());
        self.transmissions = 1;
        self.current = Some(Exchange {
            started: now,
            mid,
            token,
            datagram,
            phase: Phase::Unacknowledged(waiting),
        });
        Ok(())
    }

    /// To be called after requests that the device had to work for: the time that
    /// they took is then not mixed with what is measured from here on.
    pub fn restart_measuring(&mut self) {
        self.estimator.restart();
    }

    /// Says what to do at `now`.
    pub fn poll(&mut self, now: Duration) -> Step {
        if let Some(datagram) = self.outbox.pop_front() {
            return Step::Send(datagram);
        }
        let Some(exchange) = &mut self.current else {
            return Step::Idle;
        };
        match &mut exchange.phase {
            Phase::Unacknowledged(waiting) => {
                if now < waiting.due {
                    return Step::Wait(waiting.due);
                }
                if self.transmissions > self.params.max_retransmit
                    && (waiting.is_over(now) || self.params.max_retransmit == 0)
                {
                    self.current = None;
                    return Step::Done(Err(Failure::GaveUp {
                        tries: self.transmissions,
                    }));
                }
                self.transmissions = self.transmissions.saturating_add(1);
                waiting.back_off(now);
                Step::Send(exchange.datagram.clone())
            }
            Phase::Acknowledged { until } => {
                if now < *until {
                    return Step::Wait(*until);
                }
                self.current = None;
                Step::Done(Err(Failure::NoResponse))
            }
            Phase::Over(_) => match self.current.take() {
                Some(Exchange {
                    phase: Phase::Over(result),
                    ..
                }) => Step::Done(result),
                _ => Step::Idle,
            },
        }
    }

    /// Takes a datagram from the peer. What does not belong to the exchange is
    /// ignored, or rejected where section 4.2 asks for it. `accept` is asked
    /// about a response by its message ID and token; one that it does not take,
    /// as not authentic, is as if it had not come.
    pub fn handle_datagram(
        &mut self,
        now: Duration,
        datagram: &[u8],
        accept: impl FnOnce(&Message<'_>) -> bool,
    ) {
        let Ok(message) = Message::parse(datagram) else {
            return;
        };
        match message.kind {
            Kind::Acknowledgement | Kind::Reset => {
                self.handle_reaction(now, &message, datagram, accept);
            }
            Kind::Confirmable | Kind::NonConfirmable => {
                self.handle_message(now, &message, datagram, accept);
            }
        }
    }

    /// A message that answers one of ours by its message ID.
    fn handle_reaction(
        &mut self,
        now: Duration,
        message: &Message<'_>,
        datagram: &[u8],
        accept: impl FnOnce(&Message<'_>) -> bool,
    ) {
        let Some(exchange) = &mut self.current else {
            return;
        };
        if exchange.mid != message.mid || matches!(exchange.phase, Phase::Over(_)) {
            return;
        }
        let empty = message.code == Code::EMPTY;
        match message.kind {
            Kind::Reset if empty => {
                exchange.phase = Phase::Over(Err(Failure::Reset));
            }
            Kind::Acknowledgement if empty => {
                if matches!(exchange.phase, Phase::Unacknowledged(_)) {
                    self.estimator
                        .note(now, exchange.started, self.transmissions);
                    let until = now.saturating_add(self.params.response_wait());
                    exchange.phase = Phase::Acknowledged { until };
                }
            }
            Kind::Acknowledgement
                if message.code.is_response()
                    && message.token == exchange.token
                    && accept(message) =>
            {
                if matches!(exchange.phase, Phase::Unacknowledged(_)) {
                    self.estimator
                        .note(now, exchange.started, self.transmissions);
                }
                exchange.phase = Phase::Over(Ok(datagram.to_vec()));
            }
            _ => {}
        }
    }

    /// A message of the peer's own: a separate response, or something that a
    /// client has no use for.
    fn handle_message(
        &mut self,
        now: Duration,
        message: &Message<'_>,
        datagram: &[u8],
        accept: impl FnOnce(&Message<'_>) -> bool,
    ) {
        let confirmable = message.kind == Kind::Confirmable;
        if let Some(exchange) = &mut self.current
            && message.code.is_response()
            && message.token == exchange.token
        {
            // A response also stands for a lost acknowledgement (5.2.2).
            if !matches!(exchange.phase, Phase::Over(_)) {
                if !accept(message) {
                    return;
                }
                if matches!(exchange.phase, Phase::Unacknowledged(_)) {
                    // The device's time to work is in this.
                    let time = now.saturating_sub(exchange.started);
                    self.estimator.answered_late(now, time);
                }
                exchange.phase = Phase::Over(Ok(datagram.to_vec()));
            }
            if confirmable {
                if self.answered.len() >= REMEMBERED {
                    self.answered.pop_front();
                }
                self.answered.push_back(message.mid);
                self.outbox
                    .push_back(empty(Kind::Acknowledgement, message.mid));
            }
        } else if confirmable {
            let again = message.code.is_response() && self.answered.contains(&message.mid);
            let kind = if again {
                Kind::Acknowledgement
            } else {
                Kind::Reset
            };
            self.outbox.push_back(empty(kind, message.mid));
        }
    }

    /// The first wait of an exchange that starts now, and when it ends.
    fn waiting(&mut self, now: Duration) -> Waiting {
        let Params {
            ack_timeout: guess,
            max_retransmit: most,
            adaptive,
        } = self.params;
        let wait = match adaptive {
            true => self.estimator.wait(now),
            false => guess,
        };
        // A random factor between 1 and 1.5.
        let part = self.rng.next_u32() % 1024;
        let dithered = |time: Duration| time.saturating_add(time.saturating_mul(part) / 2048);
        let first = dithered(wait);
        // A link that is slower than the guess is given as much more time.
        let patience = patience(dithered(guess.max(wait)), most);
        Waiting {
            first,
            interval: first,
            due: now.saturating_add(first),
            end: now.saturating_add(patience),
        }
    }
}

impl Waiting {
    /// Whether there is no time left for one more transmission and its answer.
    fn is_over(&self, now: Duration) -> bool {
        now.saturating_add(self.first) > self.end
    }

    fn back_off(&mut self, now: Duration) {
        self.interval = self.interval.saturating_mul(2);
        self.due = now.saturating_add(self.interval);
        if !self.is_over(now) {
            // The last wait takes what is left.
            self.due = self.due.min(self.end);
        }
    }
}

/// An empty message: four bytes, no token.
fn empty(kind: Kind, mid: u16) -> Vec<u8> {
    let [high, low] = mid.to_be_bytes();
    vec![1 << 6 | kind.bits() << 4, Code::EMPTY.0, high, low]
}
