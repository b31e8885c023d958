//! A client and a device on one link, without sockets and in virtual time: what
//! takes hours there takes milliseconds here, and goes the same way each time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::{Fates, Weather};

/// A datagram that somebody sends, at once or after having worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub to: SocketAddr,
    /// After how long.
    pub after: Duration,
    /// What.
    pub datagram: Vec<u8>,
}

/// The device at the other end.
pub trait Peer {
    /// Takes a datagram.
    fn handle(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Vec<Outgoing>;

    /// When it has something to do by itself.
    fn due(&self) -> Option<Duration>;

    /// Does it.
    fn poll(&mut self, now: Duration) -> Vec<Outgoing>;
}

/// What went into one direction of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Datagrams that were sent.
    pub datagrams: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Those that were lost.
    pub lost: u64,
}

impl Counted {
    pub(crate) fn note(&mut self, length: usize, lost: bool) {
        self.datagrams += 1;
        self.bytes += u64::try_from(length).unwrap_or(u64::MAX);
        self.lost += u64::from(lost);
    }
}

/// What may happen to a single datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// It is lost.
    Loss,
    /// It arrives, and then the client has another address, so that what it is
    /// answered is lost.
    NewPort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum To {
    Device,
    Client,
}

/// When, in which order of those, to whom, the client's port, and what.
type Arrival = Reverse<(Duration, u64, To, u16, Vec<u8>)>;

/// The link with both its ends.
#[derive(Debug)]
pub struct Simulation<P> {
    /// The device.
    pub peer: P,
    now: Duration,
    port: u16,
    up: (Fates, Counted),
    down: (Fates, Counted),
    under_way: BinaryHeap<Arrival>,
    order: u64,
    mishap: Option<(u64, Mishap)>,
}

impl<P: Peer> Simulation<P> {
    /// A link with this weather in each direction.
    pub fn new(peer: P, weather: Weather, seed: u64) -> Self {
        let fates = |direction| Fates::new(weather, seed.wrapping_mul(2).wrapping_add(direction));
        Self {
            peer,
            now: Duration::ZERO,
            port: 40_000,
            up: (fates(0), Counted::default()),
            down: (fates(1), Counted::default()),
            under_way: BinaryHeap::new(),
            order: 0,
            mishap: None,
        }
    }

    /// The time.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// What the client sent.
    pub fn sent_up(&self) -> Counted {
        self.up.1
    }

    /// What the device sent.
    pub fn sent_down(&self) -> Counted {
        self.down.1
    }

    /// The client gets another address, of its own will or by a router's. What is
    /// under way to the one before is lost.
    pub fn change_port(&mut self) {
        self.port = self.port.checked_add(1).unwrap_or(1024);
    }

    /// Something happens to the n-th datagram of the client, beside the weather.
    pub fn plan(&mut self, datagram: u64, mishap: Mishap) {
        self.mishap = Some((datagram, mishap));
    }

    /// The client sends a datagram.
    pub fn send(&mut self, datagram: &[u8]) {
        let mut copies = self.up.0.next_copies();
        let mishap = self
            .mishap
            .filter(|(at, _)| *at == self.up.1.datagrams + 1)
            .map(|(_, mishap)| mishap);
        if mishap == Some(Mishap::Loss) {
            copies.clear();
        }
        self.up.1.note(datagram.len(), copies.is_empty());
        for time in copies {
            self.put(self.now + time, To::Device, self.port, datagram.to_vec());
        }
        if mishap == Some(Mishap::NewPort) {
            self.change_port();
        }
    }

    /// Lets time pass until a datagram comes to the client, or until `until`.
    pub fn receive(&mut self, until: Duration) -> Option<Vec<u8>> {
        loop {
            let arrival = self.under_way.peek().map(|Reverse((at, ..))| *at);
            let due = self.peer.due();
            let next = [arrival, due].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = self.now.max(until);
                return None;
            };
            self.now = self.now.max(next);
            if arrival == Some(next)
                && let Some(Reverse((_, _, to, port, datagram))) = self.under_way.pop()
            {
                match to {
                    To::Client if port == self.port => return Some(datagram),
                    To::Client => {}
                    To::Device => {
                        let outgoing = self.peer.handle(self.now, address(port), &datagram);
                        self.device_sends(outgoing);
                    }
                }
            } else {
                let outgoing = self.peer.poll(self.now);
                self.device_sends(outgoing);
            }
        }
    }

    fn device_sends(&mut self, outgoing: Vec<Outgoing>) {
        for Outgoing {
            to,
            after,
            datagram,
        } in outgoing
        {
            let copies = self.down.0.next_copies();
            self.down.1.note(datagram.len(), copies.is_empty());
            for time in copies {
                let at = self.now + after + time;
                self.put(at, To::Client, to.port(), datagram.clone());
            }
        }
    }

    fn put(&mut self, at: Duration, to: To, port: u16, datagram: Vec<u8>) {
        self.order += 1;
        self.under_way
            .push(Reverse((at, self.order, to, port, datagram)));
    }
}

/// The client's address with this port.
fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Answers each datagram with the same, twice: at once and a second later.
    struct Echo(Vec<(Duration, Outgoing)>);

    impl Peer for Echo {
        fn handle(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Vec<Outgoing> {
            let answer = Outgoing {
                to: from,
                after: Duration::ZERO,
                datagram: datagram.to_vec(),
            };
            self.0.push((now + 1000 * MS, answer.clone()));
            vec![answer]
        }

        fn due(&self) -> Option<Duration> {
            self.0.first().map(|(due, _)| *due)
        }

        fn poll(&mut self, _: Duration) -> Vec<Outgoing> {
            vec![self.0.remove(0).1]
        }
    }

    fn simulation() -> Simulation<Echo> {
        let weather = Weather {
            delay: 10 * MS,
            ..Weather::default()
        };
        Simulation::new(Echo(Vec::new()), weather, 1)
    }

    #[test]
    fn time_passes_by_what_happens() {
        let mut link = simulation();
        link.send(b"a");
        assert_eq!(link.receive(19 * MS), None);
        assert_eq!(link.now(), 19 * MS);
        assert_eq!(link.receive(5000 * MS).as_deref(), Some(&b"a"[..]));
        assert_eq!(link.now(), 20 * MS);
        assert_eq!(link.receive(5000 * MS).as_deref(), Some(&b"a"[..]));
        assert_eq!(link.now(), 1020 * MS);
        assert_eq!(link.receive(5000 * MS), None);
        assert_eq!(link.now(), 5000 * MS);
        assert_eq!((link.sent_up().datagrams, link.sent_down().bytes), (1, 2));
    }

    #[test]
    fn what_is_sent_to_an_address_of_before_is_lost() {
        let mut link = simulation();
        link.send(b"a");
        link.change_port();
        assert_eq!(link.receive(500 * MS), None);
        link.send(b"b");
        assert_eq!(link.receive(900 * MS).as_deref(), Some(&b"b"[..]));
    }
}
