//! The message layer against a model of a server, over bad links by seed: whatever
//! happens, a response belongs to its request, and what the server was told to
//! stop repeating it stops.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use rand_core::{Error, RngCore};
use testbed::{Dice, Outgoing, Peer, Simulation, Weather};
use updater::exchange::{Endpoint, Failure, Params, Step};
use updater::rtt::CEILING;

const CON: u8 = 0x40;
const ACK: u8 = 0x60;
const RST: u8 = 0x70;

struct Seeded(Dice);

impl RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        u32::try_from(self.0.roll() >> 32).unwrap()
    }
    fn next_u64(&mut self) -> u64 {
        self.0.roll()
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for byte in dest {
            *byte = self.next_u32().to_be_bytes()[0];
        }
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A response that the server repeats until it hears of it.
struct Unsettled {
    mid: [u8; 2],
    due: Duration,
    interval: Duration,
    left: u32,
    sent: bool,
    outgoing: Outgoing,
}

/// A server that answers a request of four bytes of payload with the same four,
/// once for each message ID: in the ACK, after it, or never.
struct Server {
    dice: Dice,
    /// By message ID: what was sent for it.
    known: HashMap<[u8; 2], Option<Vec<u8>>>,
    unsettled: Vec<Unsettled>,
    next_mid: u16,
    settled: usize,
    given_up: usize,
    resets: usize,
}

impl Peer for Server {
    fn handle(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Vec<Outgoing> {
        let mid = [datagram[2], datagram[3]];
        let send = |datagram: &[u8]| {
            vec![Outgoing {
                to: from,
                after: Duration::ZERO,
                datagram: datagram.to_vec(),
            }]
        };
        if datagram.len() == 4 {
            self.resets += usize::from(datagram[0] == RST);
            let before = self.unsettled.len();
            self.unsettled.retain(|response| response.mid != mid);
            self.settled += before - self.unsettled.len();
            return Vec::new();
        }
        if let Some(answer) = self.known.get(&mid) {
            return answer.as_deref().map(send).unwrap_or_default();
        }
        let empty = [ACK, 0, mid[0], mid[1]];
        let (answer, separate) = match self.dice.below(10) {
            // Never: acknowledged, or not even that.
            0 => (Some(empty.to_vec()), false),
            1 => (None, false),
            2..=5 => (Some(empty.to_vec()), true),
            // The ACK does not come first, or not at all.
            6 => (None, true),
            _ => {
                let mut response = datagram.to_vec();
                response[0] = ACK | 8;
                response[1] = 0x45;
                (Some(response), false)
            }
        };
        if separate {
            self.next_mid += 1;
            let [high, low] = self.next_mid.to_be_bytes();
            let mut response = datagram.to_vec();
            response[..4].copy_from_slice(&[CON | 8, 0x45, high, low]);
            self.unsettled.push(Unsettled {
                mid: [high, low],
                due: now + millis(self.dice.below(4000)),
                interval: millis(2000),
                left: 5,
                sent: false,
                outgoing: send(&response).remove(0),
            });
        }
        self.known.insert(mid, answer.clone());
        answer.as_deref().map(send).unwrap_or_default()
    }

    fn due(&self) -> Option<Duration> {
        self.unsettled.iter().map(|response| response.due).min()
    }

    fn poll(&mut self, now: Duration) -> Vec<Outgoing> {
        let mut outgoing = Vec::new();
        for response in &mut self.unsettled {
            if response.due > now {
                continue;
            }
            response.due = now + response.interval;
            response.interval *= 2;
            if response.left > 0 {
                outgoing.push(response.outgoing.clone());
                response.sent = true;
            } else {
                self.given_up += 1;
                response.due = Duration::MAX;
            }
            response.left = response.left.saturating_sub(1);
        }
        self.unsettled
            .retain(|response| response.due < Duration::MAX);
        outgoing
    }
}

/// Runs one exchange; returns its end and how often its request was sent.
fn exchange(
    endpoint: &mut Endpoint<Seeded>,
    link: &mut Simulation<Server>,
    number: u32,
) -> (Result<Vec<u8>, Failure>, u32) {
    let mut request = Vec::new();
    let started: Result<(), Infallible> = endpoint.start(link.now(), |header| {
        request = vec![CON | 8, 0x02];
        request.extend(header.mid.to_be_bytes());
        request.extend(header.token);
        request.push(0xff);
        request.extend(number.to_be_bytes());
        Ok(request.clone())
    });
    started.unwrap();
    let mut sent = 0;
    let mut last = None;
    let mut acknowledged = false;
    loop {
        match endpoint.poll(link.now()) {
            Step::Send(datagram) => {
                if datagram.len() > 4 {
                    assert_eq!(datagram, request, "not the same bytes again");
                    assert!(!acknowledged, "sent again after it was acknowledged");
                    let now = link.now();
                    if let Some(last) = last {
                        assert!(now - last >= millis(200), "sent again too soon");
                    }
                    last = Some(now);
                    sent += 1;
                }
                link.send(&datagram);
            }
            Step::Wait(until) => {
                assert!(until > link.now());
                if let Some(datagram) = link.receive(until) {
                    let ours = datagram[2..4] == request[2..4];
                    acknowledged |= ours && datagram[0] & 0x30 == 0x20;
                    let now = link.now();
                    endpoint.handle_datagram(now, &datagram, |_| true);
                }
            }
            Step::Done(result) => return (result, sent),
            Step::Idle => panic!("an exchange without an end"),
        }
    }
}

#[test]
fn every_exchange_has_its_own_response_or_none() {
    let (mut answered, mut gave_up, mut silent) = (0, 0, 0);
    for seed in 1..=60 {
        let weather = Weather {
            loss: u32::try_from(seed % 4 * 10).unwrap(),
            twice: 20,
            delay: millis(10),
            jitter: millis(200),
            late: 20,
            hold: millis(20_000),
        };
        let server = Server {
            dice: Dice::new(seed),
            known: HashMap::new(),
            unsettled: Vec::new(),
            next_mid: 0x8000,
            settled: 0,
            given_up: 0,
            resets: 0,
        };
        let mut link = Simulation::new(server, weather, seed);
        let params = Params::default();
        let mut endpoint = Endpoint::new(params, Seeded(Dice::new(seed)));
        for number in 0..40 {
            let start = link.now();
            let (result, sent) = exchange(&mut endpoint, &mut link, number);
            let took = link.now() - start;
            match result {
                Ok(response) => {
                    assert!(
                        response.ends_with(&number.to_be_bytes()),
                        "seed {seed}: not the response to {number}"
                    );
                    answered += 1;
                }
                Err(Failure::GaveUp { tries }) => {
                    assert_eq!(tries, sent, "seed {seed}");
                    assert!(tries >= 5, "seed {seed}: {tries}");
                    gave_up += 1;
                }
                Err(Failure::NoResponse) => silent += 1,
                Err(Failure::Reset) => panic!("seed {seed}: reset"),
            }
            // The longest wait, half of it more at random, four times doubled; and then
            // an answer.
            let most = CEILING * 3 / 2 * 31 + params.response_wait();
            assert!(took <= most, "seed {seed}: {took:?}");
        }
        // Nobody asks any more, but the last responses are still acknowledged.
        let until = link.now() + millis(400_000);
        while let Some(datagram) = link.receive(until) {
            endpoint.handle_datagram(link.now(), &datagram, |_| true);
            while let Step::Send(datagram) = endpoint.poll(link.now()) {
                assert_eq!(datagram.len(), 4);
                link.send(&datagram);
            }
        }
        assert!(link.peer.unsettled.is_empty(), "seed {seed}");
        if weather.loss == 0 {
            // What was given up by us is rejected, and what was answered is not.
            assert_eq!(link.peer.given_up, 0, "seed {seed}");
        }
    }
    println!("{answered} answered, {gave_up} given up, {silent} without a response");
    assert!(answered > 1500 && gave_up > 100 && silent > 100);
}
