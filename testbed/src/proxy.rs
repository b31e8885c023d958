//! A bad link between real programs: a UDP proxy on the loopback interface.

use std::cmp::Reverse;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{Hash, Hasher};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::{Counted, Fates, Weather};

/// How long a thread waits for a datagram before it looks whether it is needed.
const GLANCE: Duration = Duration::from_millis(20);
/// How long a test waits for something to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Passes datagrams on between clients and one device. To the device, each client
/// has an address of its own, as behind a router with network address translation.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    device: SocketAddr,
    front: UdpSocket,
    ended: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    up: (Fates, Counted),
    down: (Fates, Counted),
    /// The socket towards the device, for each client.
    flows: HashMap<SocketAddr, Arc<UdpSocket>>,
    under_way: BinaryHeap<Reverse<Passing>>,
    order: u64,
    /// Lengths of what clients sent, each datagram once, by their hashes.
    known: HashMap<u64, usize>,
    /// After so many different datagrams above a length, nothing passes any more.
    cut: Option<(usize, usize)>,
    is_cut: bool,
}

/// A datagram under way.
#[derive(Debug)]
struct Passing {
    due: Instant,
    order: u64,
    by: Exit,
    to: SocketAddr,
    datagram: Vec<u8>,
}

#[derive(Debug)]
enum Exit {
    Front,
    Back(Arc<UdpSocket>),
}

impl Proxy {
    /// A proxy to the device at `HOST:PORT`, with this weather in each direction.
    ///
    /// # Errors
    ///
    /// Where a socket cannot be had.
    pub fn start(device: &str, weather: Weather, seed: u64) -> Result<Self> {
        let front = socket()?;
        let address = front.local_addr()?;
        let fates = |direction| Fates::new(weather, seed.wrapping_mul(2).wrapping_add(direction));
        let shared = Arc::new(Shared {
            device: device.parse().context("not an address")?,
            front,
            ended: AtomicBool::new(false),
            state: Mutex::new(State {
                up: (fates(0), Counted::default()),
                down: (fates(1), Counted::default()),
                flows: HashMap::new(),
                under_way: BinaryHeap::new(),
                order: 0,
                known: HashMap::new(),
                cut: None,
                is_cut: false,
            }),
            changed: Condvar::new(),
        });
        let (reader, sender) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads = vec![
            std::thread::spawn(move || reader.read_clients()),
            std::thread::spawn(move || sender.send_when_due()),
        ];
        Ok(Self {
            address,
            shared,
            threads,
        })
    }

    /// Its address, as `coap://HOST:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("coap://{}", self.address)
    }

    /// What clients sent.
    #[must_use]
    pub fn sent_up(&self) -> Counted {
        self.shared.state().up.1
    }

    /// What the device sent.
    #[must_use]
    pub fn sent_down(&self) -> Counted {
        self.shared.state().down.1
    }

    /// How many different datagrams above this length clients sent: a
    /// retransmission has the same bytes and is not counted again.
    #[must_use]
    pub fn different_above(&self, length: usize) -> usize {
        self.shared.state().different_above(length)
    }

    /// Each client has another address from now on, and what is still sent to
    /// the one before is lost.
    pub fn change_ports(&self) {
        self.shared.state().flows.clear();
    }

    /// Nothing passes any more in either direction once `count` different datagrams
    /// above `length` have been passed on to the device.
    pub fn cut_after(&self, count: usize, length: usize) {
        self.shared.state().cut = Some((count, length));
    }

    /// Waits until [`Proxy::cut_after`] has come true.
    ///
    /// # Errors
    ///
    /// Where it does not.
    pub fn wait_for_cut(&self) -> Result<()> {
        let state = self.shared.state();
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| !state.is_cut)
            .unwrap_or_else(PoisonError::into_inner);
        ensure!(state.is_cut, "the link was not used so much");
        Ok(())
    }

    /// Lets everything pass again.
    pub fn mend(&self) {
        let mut state = self.shared.state();
        state.cut = None;
        state.is_cut = false;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // It has nothing to tell.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn read_clients(self: Arc<Self>) {
        let mut buffer = [0; 2048];
        while !self.ended() {
            let Ok((length, client)) = self.front.recv_from(&mut buffer) else {
                continue;
            };
            let datagram = buffer.get(..length).unwrap_or_default();
            let mut state = self.state();
            let Some(back) = self.flow(&mut state, client) else {
                continue;
            };
            let lost = state.is_cut;
            let (fates, counted) = &mut state.up;
            let copies = if lost {
                Vec::new()
            } else {
                fates.next_copies()
            };
            counted.note(length, copies.is_empty());
            for time in &copies {
                state.put(*time, Exit::Back(Arc::clone(&back)), self.device, datagram);
            }
            if !copies.is_empty() {
                state.note_up(datagram);
            }
            self.changed.notify_all();
        }
    }

    /// The client's socket towards the device; with a thread of its own, if new.
    fn flow(self: &Arc<Self>, state: &mut State, client: SocketAddr) -> Option<Arc<UdpSocket>> {
        if let Some(known) = state.flows.get(&client) {
            return Some(Arc::clone(known));
        }
        let back = Arc::new(socket().ok()?);
        state.flows.insert(client, Arc::clone(&back));
        let (shared, reader) = (Arc::clone(self), Arc::clone(&back));
        std::thread::spawn(move || shared.read_device(client, &reader));
        Some(back)
    }

    fn read_device(&self, client: SocketAddr, back: &Arc<UdpSocket>) {
        let mut buffer = [0; 2048];
        while !self.ended() {
            let received = back.recv_from(&mut buffer);
            let mut state = self.state();
            let current = state.flows.get(&client);
            if !current.is_some_and(|current| Arc::ptr_eq(current, back)) {
                return;
            }
            let Ok((length, _)) = received else {
                continue;
            };
            let lost = state.is_cut;
            let (fates, counted) = &mut state.down;
            let copies = if lost {
                Vec::new()
            } else {
                fates.next_copies()
            };
            counted.note(length, copies.is_empty());
            let datagram = buffer.get(..length).unwrap_or_default();
            for time in copies {
                state.put(time, Exit::Front, client, datagram);
            }
            self.changed.notify_all();
        }
    }

    fn send_when_due(&self) {
        let mut state = self.state();
        while !self.ended() {
            let now = Instant::now();
            let due = state
                .under_way
                .peek()
                .map(|Reverse(next)| next.due.saturating_duration_since(now));
            match due {
                Some(Duration::ZERO) => {
                    if let Some(Reverse(passing)) = state.under_way.pop() {
                        passing.send(&self.front);
                    }
                }
                wait => {
                    let waited = self.changed.wait_timeout(state, wait.unwrap_or(GLANCE));
                    (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl State {
    fn put(&mut self, time: Duration, by: Exit, to: SocketAddr, datagram: &[u8]) {
        self.order += 1;
        self.under_way.push(Reverse(Passing {
            due: Instant::now() + time,
            order: self.order,
            by,
            to,
            datagram: datagram.to_vec(),
        }));
    }

    fn note_up(&mut self, datagram: &[u8]) {
        let mut hash = DefaultHasher::new();
        datagram.hash(&mut hash);
        self.known.insert(hash.finish(), datagram.len());
        if let Some((count, length)) = self.cut
            && self.different_above(length) >= count
        {
            self.is_cut = true;
        }
    }

    fn different_above(&self, length: usize) -> usize {
        self.known.values().filter(|known| **known > length).count()
    }
}

impl Passing {
    fn send(&self, front: &UdpSocket) {
        let socket = match &self.by {
            Exit::Front => front,
            Exit::Back(back) => back,
        };
        // Where nobody is there, it is lost, as on any network.
        let _ = socket.send_to(&self.datagram, self.to);
    }
}

impl PartialEq for Passing {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Passing {}

impl PartialOrd for Passing {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Passing {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

fn socket() -> Result<UdpSocket> {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).context("no socket for the proxy")?;
    socket.set_read_timeout(Some(GLANCE))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket that sends everything back, until it gets an empty datagram.
    fn echo() -> (SocketAddr, JoinHandle<Vec<SocketAddr>>) {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            let mut seen = Vec::new();
            loop {
                let (length, from) = socket.recv_from(&mut buffer).unwrap();
                if length == 0 {
                    return seen;
                }
                if !seen.contains(&from) {
                    seen.push(from);
                }
                socket.send_to(&buffer[..length], from).unwrap();
            }
        });
        (address, thread)
    }

    fn client(proxy: &Proxy) -> UdpSocket {
        let client = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        client.connect(proxy.address).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        client
    }

    #[test]
    fn datagrams_pass_are_counted_and_come_from_changing_addresses() {
        let (device, thread) = echo();
        let proxy = Proxy::start(&device.to_string(), Weather::default(), 1).unwrap();
        let (a, b) = (client(&proxy), client(&proxy));
        let mut buffer = [0; 100];
        for (socket, text) in [(&a, "from a"), (&b, "from b"), (&a, "from a")] {
            socket.send(text.as_bytes()).unwrap();
            let length = socket.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], text.as_bytes());
        }
        assert_eq!(proxy.sent_up().datagrams, 3);
        assert_eq!(proxy.sent_down().bytes, 18);
        assert_eq!(proxy.different_above(5), 2);
        assert_eq!(proxy.different_above(6), 0);
        proxy.change_ports();
        a.send(b"again").unwrap();
        a.recv(&mut buffer).unwrap();
        UdpSocket::bind(("127.0.0.1", 0))
            .unwrap()
            .send_to(&[], device)
            .unwrap();
        assert_eq!(thread.join().unwrap().len(), 3);
    }

    #[test]
    fn a_link_is_cut_after_what_it_was_told_and_mended() {
        let (device, _thread) = echo();
        let proxy = Proxy::start(&device.to_string(), Weather::default(), 1).unwrap();
        let a = client(&proxy);
        let mut buffer = [0; 100];
        proxy.cut_after(2, 3);
        for text in ["long", "abc", "abc"] {
            a.send(text.as_bytes()).unwrap();
            a.recv(&mut buffer).unwrap();
        }
        a.send(b"another").unwrap();
        proxy.wait_for_cut().unwrap();
        a.set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        a.send(b"lost").unwrap();
        // The answer to the datagram before may have come through or not.
        while let Ok(length) = a.recv(&mut buffer) {
            assert_eq!(&buffer[..length], b"another");
        }
        proxy.mend();
        a.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        a.send(b"back").unwrap();
        let length = a.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"back");
    }
}
