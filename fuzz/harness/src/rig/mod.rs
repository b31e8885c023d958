//! The device, its peers, and what must hold whatever happens.

mod asking;
mod checks;
mod exchange;
mod messages;
mod world;

use sealift_core::Step;
use sealift_oscore::MAX_DATAGRAM;
use sealift_oscore::coap::{Code, Inner, Kind, Message, number};
use sealift_oscore::protect::OscoreOption;
use sealift_wire::DeviceStatus;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;

use crate::Trace;
use crate::device::{Flash, Unit32, boot};
use crate::link::{Link, Question};
use crate::memory;
use checks::check_unprotected;

pub(crate) use messages::{address, is_part, plaintext, request};
pub(crate) use world::World;

/// The peers with sessions: a deployer, a user of capsules, another deployer, an observer.
pub(crate) const OP: usize = 0;
pub(crate) const APP: usize = 1;
pub(crate) const SECOND: usize = 2;
pub(crate) const GUEST: usize = 3;

/// What a device may hold in RAM beyond what it has when it starts, and for as
/// long as it handles one datagram, in bytes.
const MAX_HELD: usize = 320 * 1024;
// The last block of a capsule takes the most: it is loaded and started.
const MAX_MORE: usize = 112 * 1024;

/// How often a device is polled before it has to be at rest.
const MAX_POLLS: usize = 10_000;

/// A peer with a session.
struct Session {
    from: SocketAddr,
    link: Link,
    /// The numbers of the authentic requests that the device got.
    seen: BTreeSet<u64>,
    /// When an authentic request came last.
    used: u64,
}

/// A request that has no answer yet.
struct Open {
    who: usize,
    kind: Kind,
    mid: u16,
    question: Question,
}

/// What the device had to do.
enum Polled {
    Sent(SocketAddr, Vec<u8>),
    /// Nothing, until that time.
    Until(u64),
}

/// Who has a session at the start of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Present {
    /// The first two: there are places for key exchanges.
    Two,
    /// All but the observer.
    Three,
    /// All.
    Four,
}

/// What came back to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A genuine response: code, options, payload.
    Protected(Vec<u8>),
    /// An unprotected one.
    Refused(Code),
    /// Nothing.
    None,
}

/// A device and who talks to it.
pub(crate) struct Rig {
    pub(crate) world: Rc<World>,
    pub(crate) flash: Flash,
    pub(crate) trace: Trace,
    device: Unit32,
    clock: Rc<Cell<u64>>,
    sessions: Vec<Session>,
    present: Present,
    /// How many root keys have to sign.
    roots: u8,
    /// The place of each peer among those that the device knows.
    places: [Option<usize>; 4],
    /// Whether peers acknowledge what the device sends them.
    acknowledges: bool,
    next_link: u8,
    mid: u16,
    /// Everything that the device has sent.
    pub(crate) sent: Vec<(SocketAddr, Vec<u8>)>,
    /// Everything that a peer with a session has sent.
    pub(crate) genuine: Vec<Vec<u8>>,
    open: Vec<Open>,
    answers: Vec<(u16, Reply)>,
    held: usize,
    last: Option<DeviceStatus>,
}

impl Rig {
    /// A device for an input with these flags: with a capsule on it or without.
    pub(crate) fn new(flags: u8, present: Present) -> Self {
        Self::under(flags, present, 1)
    }

    /// The same, where so many root keys have to sign a trust record.
    pub(crate) fn under(flags: u8, present: Present, roots: u8) -> Self {
        let world = World::get();
        let flash = match &world.installed {
            Some(flash) if flags & 1 == 1 => flash.copy(),
            _ => world.erased.copy(),
        };
        let mut rig = Self::on(&world, flash, present, roots);
        rig.acknowledges = flags & 2 == 0;
        rig
    }

    fn on(world: &Rc<World>, flash: Flash, present: Present, roots: u8) -> Self {
        let clock = Rc::new(Cell::new(1_000));
        let mut rig = Self {
            world: world.clone(),
            device: boot(&world.people, &world.fixtures, roots, &flash, &clock).unwrap(),
            flash,
            trace: Trace::default(),
            clock,
            sessions: Vec::new(),
            present,
            roots,
            places: [0, 1, 2, 3].map(Some),
            acknowledges: true,
            next_link: 0,
            mid: 0,
            sent: Vec::new(),
            genuine: Vec::new(),
            open: Vec::new(),
            answers: Vec::new(),
            held: 0,
            last: None,
        };
        rig.poll();
        rig.open_sessions();
        rig
    }

    /// Starts the device anew on what is in its flash; its peers have to make
    /// new sessions. Where the power is cut meanwhile, once more; says how often.
    pub(crate) fn reboot(&mut self) -> usize {
        self.held = 0;
        self.open.clear();
        let mut cuts = 0;
        loop {
            self.flash.0.borrow_mut().power_on();
            let world = &self.world;
            let booted = boot(
                &world.people,
                &world.fixtures,
                self.roots,
                &self.flash,
                &self.clock,
            );
            if let Some(device) = booted {
                self.device = device;
                self.poll();
                if !self.flash.0.borrow().is_off() {
                    break;
                }
            }
            cuts += 1;
        }
        self.open_sessions();
        cuts
    }

    /// The same, where it knows these peers then.
    pub(crate) fn reboot_knowing(&mut self, places: [Option<usize>; 4]) -> usize {
        self.places = places;
        self.reboot()
    }

    fn open_sessions(&mut self) {
        self.sessions.clear();
        let present = match self.present {
            Present::Two => &[OP, APP][..],
            Present::Three => &[OP, APP, SECOND],
            Present::Four => &[OP, APP, SECOND, GUEST],
        };
        for peer in present {
            let session = self.session(*peer);
            self.sessions.push(session);
        }
    }

    /// The device knows these peers now, at these places: new ones get a session, and
    /// those of others are over.
    pub(crate) fn know(&mut self, places: [Option<usize>; 4]) {
        let before = core::mem::replace(&mut self.places, places);
        for (peer, (before, now)) in before.iter().zip(places).enumerate() {
            if before.is_none() && now.is_some() {
                self.sessions[peer] = self.session(peer);
            }
        }
    }

    /// A new session of this peer; one that the device does not know has none on the
    /// other side.
    pub(crate) fn renew(&mut self, peer: usize) {
        self.sessions[peer] = self.session(peer);
    }

    fn session(&mut self, peer: usize) -> Session {
        let link = Link::new(self.next_link);
        self.next_link = self.next_link.wrapping_add(1);
        let now = self.clock.get();
        if let Some(place) = self.places[peer] {
            self.device.preset(now, place, link.device());
        }
        Session {
            from: address(peer),
            seen: BTreeSet::new(),
            link,
            used: now,
        }
    }

    /// Lets time pass, and the device do what it has to.
    pub(crate) fn wait(&mut self, ms: u64) {
        self.clock.set(self.clock.get().saturating_add(ms));
        self.poll();
    }

    /// Lets the device do all that it has to, now. Returns when it has to do
    /// something next.
    pub(crate) fn poll(&mut self) -> u64 {
        for _ in 0..MAX_POLLS {
            match self.poll_once() {
                Polled::Sent(to, datagram) => self.arrive(to, &datagram),
                Polled::Until(then) if then > self.clock.get() => return then,
                Polled::Until(_) => {}
            }
        }
        panic!("the device does not come to rest");
    }

    fn poll_once(&mut self) -> Polled {
        let now = self.clock.get();
        let mut next = Step::Wait(now);
        let sent = self.measured(|device, out| {
            next = device.poll(now, out);
            match next {
                Step::Send(_, length) => length,
                Step::Wait(_) => 0,
            }
        });
        match next {
            Step::Send(to, _) => Polled::Sent(to, sent),
            Step::Wait(until) => Polled::Until(until),
        }
    }

    /// Hands a datagram to the device; returns what it sends back at once. If
    /// the datagram is not authentic it may not leave a trace.
    pub(crate) fn deliver(&mut self, from: SocketAddr, datagram: &[u8]) -> Vec<u8> {
        if self.is_authentic(datagram) {
            self.trace.authentic += 1;
            return self.hand(from, datagram);
        }
        let known = self.sent.len();
        let reply = self.deliver_unwritten(from, datagram);
        let before = (from, reply.clone());
        // Nothing, or once more what it said before, or not much.
        if !reply.is_empty() && !self.sent[..known].contains(&before) {
            check_unprotected(&reply);
        }
        reply
    }

    /// The same for a datagram that may be authentic in a session that only the
    /// caller knows: it may get a protected answer, but not write.
    pub(crate) fn deliver_unwritten(&mut self, from: SocketAddr, datagram: &[u8]) -> Vec<u8> {
        let steps = self.flash.steps();
        let reply = self.hand(from, datagram);
        assert_eq!(steps, self.flash.steps(), "wrote for a stranger");
        reply
    }

    fn hand(&mut self, from: SocketAddr, datagram: &[u8]) -> Vec<u8> {
        let now = self.clock.get();
        let reply = self.measured(|device, out| device.handle_datagram(now, from, datagram, out));
        if !reply.is_empty() {
            self.arrive(from, &reply);
        }
        reply
    }

    /// A datagram of the device arrives: perhaps the answer to a request.
    fn arrive(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.sent.push((to, datagram.to_vec()));
        let message = Message::parse(datagram).unwrap();
        let of_request = |open: &Open| {
            let answers = match message.kind {
                Kind::Acknowledgement => open.kind == Kind::Confirmable && message.mid == open.mid,
                Kind::Reset => false,
                Kind::Confirmable => open.kind == Kind::Confirmable,
                Kind::NonConfirmable => open.kind == Kind::NonConfirmable,
            };
            answers && to == address(open.who) && message.token == open.mid.to_be_bytes()
        };
        if let Some(at) = self.open.iter().position(of_request) {
            let open = &self.open[at];
            let reply = match self.sessions[open.who]
                .link
                .response(&open.question, &message)
            {
                None => {
                    assert!(message.option(number::OSCORE).is_none(), "{message:?}");
                    Reply::Refused(message.code)
                }
                Some(plaintext) => {
                    let inner = Inner::parse(&plaintext).unwrap();
                    assert!(inner.code.is_response(), "{}", inner.code);
                    Reply::Protected(plaintext)
                }
            };
            self.trace.note(&reply);
            self.answers.push((self.open.remove(at).mid, reply));
        }
        if message.kind == Kind::Confirmable && self.acknowledges {
            let [high, low] = message.mid.to_be_bytes();
            let now = self.clock.get();
            let nothing = self.measured(|device, out| {
                device.handle_datagram(now, to, &[0x60, 0, high, low], out)
            });
            assert!(nothing.is_empty(), "an answer to an acknowledgement");
        }
    }

    /// Whether the datagram is a new, authentic request in one of the sessions.
    fn is_authentic(&mut self, datagram: &[u8]) -> bool {
        let Ok(message) = Message::parse(datagram) else {
            return false;
        };
        let request = matches!(message.kind, Kind::Confirmable | Kind::NonConfirmable);
        if !request || !message.code.is_request() || message.option(number::EDHOC).is_some() {
            return false;
        }
        let Ok(option) = OscoreOption::of(&message) else {
            return false;
        };
        if is_part(message.option(number::BLOCK1)) {
            return false;
        }
        let now = self.clock.get();
        self.sessions.iter_mut().any(|session| {
            let number = session.link.number(&option, message.payload);
            let new = number.is_some_and(|number| session.seen.insert(number));
            if new {
                session.used = now;
            }
            new
        })
    }

    /// Calls the device, and checks what it sends and the memory that it takes.
    fn measured(&mut self, call: impl FnOnce(&mut Unit32, &mut [u8]) -> usize) -> Vec<u8> {
        let mut out = [0; MAX_DATAGRAM];
        memory::restart();
        let before = memory::used();
        let length = call(&mut self.device, &mut out);
        let after = memory::used();
        let more = memory::peak().saturating_sub(before);
        assert!(more <= MAX_MORE, "{more} bytes of RAM for one datagram");
        self.held = (self.held + after).saturating_sub(before);
        assert!(self.held <= MAX_HELD, "holds {} bytes of RAM", self.held);
        let reply = out[..length].to_vec();
        if !reply.is_empty() {
            let message = Message::parse(&reply);
            assert!(message.is_ok(), "sent {reply:02x?}: {message:?}");
        }
        reply
    }
}
