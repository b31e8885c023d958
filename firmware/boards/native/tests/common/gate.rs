//! A gate between a client and the device, behind which datagrams gather.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Lets the first datagrams through, then gathers a number of them before it
/// lets them on, in another order; then all the others. The same datagram
/// again does not count, and is let through with the first ones only.
pub(crate) struct Gate {
    address: SocketAddr,
    held: Arc<AtomicUsize>,
    closed: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Gate {
    pub(crate) fn open(device: &str, through: usize, hold: usize, seed: usize) -> Self {
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let often = Duration::from_millis(20);
            socket.set_read_timeout(Some(often)).unwrap();
            Arc::new(socket)
        };
        let (front, back) = (socket(), socket());
        back.connect(device).unwrap();
        let address = front.local_addr().unwrap();
        let held = Arc::new(AtomicUsize::new(0));
        let closed = Arc::new(AtomicBool::new(false));
        let client = Arc::new(std::sync::Mutex::new(None));

        let (from, to) = (front.clone(), back.clone());
        let (count, stop, seen_from) = (held.clone(), closed.clone(), client.clone());
        let there = std::thread::spawn(move || {
            let (mut buffer, mut seen) = ([0; 2048], HashSet::new());
            let mut gathered: Vec<Vec<u8>> = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let Ok((length, peer)) = from.recv_from(&mut buffer) else {
                    continue;
                };
                *seen_from.lock().unwrap() = Some(peer);
                let datagram = buffer[..length].to_vec();
                let new = seen.insert(datagram.clone());
                if seen.len() <= through || seen.len() > through + hold {
                    to.send(&datagram).unwrap();
                } else if new {
                    gathered.push(datagram);
                    count.store(gathered.len(), Ordering::Relaxed);
                    if gathered.len() == hold {
                        shuffle(&mut gathered, seed);
                        for datagram in &gathered {
                            to.send(datagram).unwrap();
                        }
                    }
                }
            }
        });
        let stop = closed.clone();
        let back_again = std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !stop.load(Ordering::Relaxed) {
                let Ok(length) = back.recv(&mut buffer) else {
                    continue;
                };
                if let Some(peer) = *client.lock().unwrap() {
                    front.send_to(&buffer[..length], peer).unwrap();
                }
            }
        });
        Self {
            address,
            held,
            closed,
            threads: vec![there, back_again],
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("coap://{}", self.address)
    }

    /// How many datagrams were on their way together.
    pub(crate) fn close(self) -> usize {
        self.closed.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.held.load(Ordering::Relaxed)
    }
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
