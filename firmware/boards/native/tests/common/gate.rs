//! A gate between a client and the device, which can hold datagrams back, lose
//! them, and remembers what the device has said.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a gate does. The same datagram again does not count as another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Datagrams of the client that pass at once.
    pub(crate) through: usize,
    /// Then as many gather before they pass together, in another order; after
    /// that, all pass.
    pub(crate) hold: usize,
    /// Which other order.
    pub(crate) seed: usize,
    /// How many confirmable messages of the device are lost.
    pub(crate) lose: usize,
}

/// A gate that only looks on.
pub(crate) const OPEN: Plan = Plan {
    through: usize::MAX,
    hold: 0,
    seed: 0,
    lose: 0,
};

/// What came of it.
pub(crate) struct Seen {
    /// Datagrams of the client that were on their way together.
    pub(crate) together: usize,
    /// The datagrams of the device, with the ones that were lost.
    pub(crate) answers: Vec<Vec<u8>>,
}

impl Seen {
    /// How many answers came as a message of this type (RFC 7252, 3), empty or
    /// not.
    pub(crate) fn count(&self, kind: u8, empty: bool) -> usize {
        let matches = |d: &&Vec<u8>| (d[0] >> 4) & 3 == kind && (d[1] == 0) == empty;
        self.answers.iter().filter(matches).count()
    }
}

/// Message types on the wire.
pub(crate) const CONFIRMABLE: u8 = 0;
pub(crate) const NON_CONFIRMABLE: u8 = 1;
pub(crate) const ACKNOWLEDGEMENT: u8 = 2;

pub(crate) struct Gate {
    address: SocketAddr,
    closed: Arc<AtomicBool>,
    there: JoinHandle<usize>,
    back: JoinHandle<Vec<Vec<u8>>>,
}

impl Gate {
    pub(crate) fn to(device: &str, plan: Plan) -> Self {
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let often = Duration::from_millis(20);
            socket.set_read_timeout(Some(often)).unwrap();
            Arc::new(socket)
        };
        let (front, back) = (socket(), socket());
        back.connect(device).unwrap();
        let address = front.local_addr().unwrap();
        let closed = Arc::new(AtomicBool::new(false));
        let client = Arc::new(Mutex::new(None));
        let there = {
            let (from, to) = (front.clone(), back.clone());
            let (closed, client) = (closed.clone(), client.clone());
            std::thread::spawn(move || there(plan, &from, &to, &client, &closed))
        };
        let back = {
            let closed = closed.clone();
            std::thread::spawn(move || back_again(plan, &back, &front, &client, &closed))
        };
        Self {
            address,
            closed,
            there,
            back,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("coap://{}", self.address)
    }

    pub(crate) fn close(self) -> Seen {
        self.closed.store(true, Ordering::Relaxed);
        Seen {
            together: self.there.join().unwrap(),
            answers: self.back.join().unwrap(),
        }
    }
}

type Client = Mutex<Option<SocketAddr>>;

/// From the client to the device.
fn there(
    plan: Plan,
    from: &UdpSocket,
    to: &UdpSocket,
    client: &Client,
    closed: &AtomicBool,
) -> usize {
    let (mut buffer, mut seen) = ([0; 2048], HashSet::new());
    let mut gathered: Vec<Vec<u8>> = Vec::new();
    while !closed.load(Ordering::Relaxed) {
        let Ok((length, peer)) = from.recv_from(&mut buffer) else {
            continue;
        };
        *client.lock().unwrap() = Some(peer);
        let datagram = &buffer[..length];
        let new = seen.insert(datagram.to_vec());
        let held = seen
            .len()
            .checked_sub(plan.through)
            .is_some_and(|after| (1..=plan.hold).contains(&after));
        if !held {
            to.send(datagram).unwrap();
        } else if new {
            gathered.push(datagram.to_vec());
            if gathered.len() == plan.hold {
                shuffle(&mut gathered, plan.seed);
                for datagram in &gathered {
                    to.send(datagram).unwrap();
                }
            }
        }
    }
    gathered.len()
}

/// From the device to the client.
fn back_again(
    plan: Plan,
    from: &UdpSocket,
    to: &UdpSocket,
    client: &Client,
    closed: &AtomicBool,
) -> Vec<Vec<u8>> {
    let (mut buffer, mut answers, mut lost) = ([0; 2048], Vec::new(), 0);
    while !closed.load(Ordering::Relaxed) {
        let Ok(length) = from.recv(&mut buffer) else {
            continue;
        };
        let datagram = &buffer[..length];
        answers.push(datagram.to_vec());
        if (datagram[0] >> 4) & 3 == CONFIRMABLE && lost < plan.lose {
            lost += 1;
        } else if let Some(peer) = *client.lock().unwrap() {
            to.send_to(datagram, peer).unwrap();
        }
    }
    answers
}

/// Seed 0 turns the order around, the others mix it.
fn shuffle<T>(list: &mut [T], seed: usize) {
    list.reverse();
    let mut state = seed;
    for n in (1..list.len()).rev().filter(|_| seed != 0) {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(seed);
        list.swap(n, (state >> 33) % (n + 1));
    }
}
