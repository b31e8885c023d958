//! The device, its peers, and what must hold whatever happens.

use sealift_core::Step;
use sealift_oscore::coap::{BlockOption, Code, Header, Inner, Kind, Message, Writer, number};
use sealift_oscore::protect::OscoreOption;
use sealift_oscore::{MAX_DATAGRAM, MAX_EDHOC};
use sealift_storage::Store;
use sealift_wire::{DeviceStatus, Phase};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;

use crate::Trace;
use crate::device::{Flash, LAYOUT, People, SESSION_IDLE, Unit32, WORD, boot};
use crate::fixtures::{Body, Fixtures};
use crate::link::{Link, Question};
use crate::memory;

/// The peers with sessions: a deployer, a user of capsules, another deployer.
pub(crate) const OP: usize = 0;
pub(crate) const APP: usize = 1;
pub(crate) const SECOND: usize = 2;

/// What a device may hold in RAM beyond what it has when it starts, and for as
/// long as it handles one datagram, in bytes.
const MAX_HELD: usize = 320 * 1024;
const MAX_MORE: usize = 512 * 1024;

/// The longest answer to what is not authentic: a key exchange message.
const MAX_UNPROTECTED: usize = MAX_EDHOC + 24;

/// How often a device is polled before it has to be at rest.
const MAX_POLLS: usize = 10_000;

/// How long an answer may take, in milliseconds: all that may wait at a time, each
/// with a capsule that takes all the time it has.
const MAX_WAIT: u64 = 30 * 60_000;

/// What is the same for every input, made once for each thread.
pub(crate) struct World {
    pub(crate) people: People,
    pub(crate) fixtures: Fixtures,
    erased: Flash,
    /// With a confirmed capsule, if there are signed ones.
    installed: Option<Flash>,
}

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

impl World {
    /// The one of this thread.
    pub(crate) fn get() -> Rc<Self> {
        if let Some(world) = WORLD.with_borrow(Clone::clone) {
            return world;
        }
        let world = Self {
            people: People::new(),
            fixtures: Fixtures::load(),
            erased: Flash::erased(),
            installed: None,
        };
        let world = match world.fixtures.active.clone() {
            None => Rc::new(world),
            Some(envelope) => {
                let world = Rc::new(world);
                let mut rig = Rig::on(&world, world.erased.copy(), Present::Two);
                rig.install(&envelope);
                let installed = Some(rig.flash.copy());
                Rc::new(Self {
                    people: world.people.clone(),
                    fixtures: world.fixtures.clone(),
                    erased: world.erased.copy(),
                    installed,
                })
            }
        };
        WORLD.set(Some(world.clone()));
        world
    }
}

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
    /// All.
    Three,
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
        let world = World::get();
        let flash = match &world.installed {
            Some(flash) if flags & 1 == 1 => flash.copy(),
            _ => world.erased.copy(),
        };
        let mut rig = Self::on(&world, flash, present);
        rig.acknowledges = flags & 2 == 0;
        rig
    }

    fn on(world: &Rc<World>, flash: Flash, present: Present) -> Self {
        let clock = Rc::new(Cell::new(1_000));
        let mut rig = Self {
            world: world.clone(),
            device: boot(&world.people, &world.fixtures, &flash, &clock),
            flash,
            trace: Trace::default(),
            clock,
            sessions: Vec::new(),
            present,
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
    /// new sessions.
    pub(crate) fn reboot(&mut self) {
        self.flash.0.borrow_mut().power_on();
        self.device = boot(
            &self.world.people,
            &self.world.fixtures,
            &self.flash,
            &self.clock,
        );
        self.held = 0;
        self.open.clear();
        self.poll();
        self.open_sessions();
    }

    fn open_sessions(&mut self) {
        self.sessions.clear();
        let present = match self.present {
            Present::Two => &[OP, APP][..],
            Present::Three => &[OP, APP, SECOND],
        };
        for peer in present {
            let session = self.session(*peer);
            self.sessions.push(session);
        }
    }

    /// A new session of this peer.
    fn session(&mut self, peer: usize) -> Session {
        let link = Link::new(self.next_link);
        self.next_link = self.next_link.wrapping_add(1);
        let now = self.clock.get();
        self.device.preset(now, peer, link.device());
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

    /// A message ID that was not used before.
    pub(crate) fn next_mid(&mut self) -> u16 {
        self.mid = self.mid.wrapping_add(1);
        self.mid
    }

    /// Sends a request of one of the peers with a session: whatever the plaintext
    /// is, it is encrypted as it should be. `outer` writes further outer
    /// options. Returns the number by which its answer is found.
    pub(crate) fn fire(
        &mut self,
        who: usize,
        kind: Kind,
        plaintext: &[u8],
        outer: impl FnOnce(&mut Writer<'_>),
    ) -> u16 {
        let now = self.clock.get();
        if now - self.sessions[who].used >= SESSION_IDLE {
            self.sessions[who] = self.session(who);
        }
        let mid = self.next_mid();
        let header = Header {
            kind,
            mid,
            token: &mid.to_be_bytes(),
        };
        let session = &mut self.sessions[who];
        let from = session.from;
        let (datagram, question) = session.link.request(header, plaintext, outer);
        self.genuine.push(datagram.clone());
        self.open.push(Open {
            who,
            kind,
            mid,
            question,
        });
        self.deliver(from, &datagram);
        mid
    }

    /// Sends a request and waits for its answer, as a client does: it brings an
    /// Echo value back if it is asked to.
    pub(crate) fn ask(
        &mut self,
        who: usize,
        kind: Kind,
        plaintext: &[u8],
        outer: impl Fn(&mut Writer<'_>),
    ) -> Reply {
        let mid = self.fire(who, kind, plaintext, &outer);
        let reply = self.answer(mid);
        match echo(&reply).and_then(|value| with_echo(plaintext, &value)) {
            None => reply,
            Some(again) => {
                let mid = self.fire(who, kind, &again, &outer);
                self.answer(mid)
            }
        }
    }

    /// Waits for the answer to a request.
    pub(crate) fn answer(&mut self, mid: u16) -> Reply {
        let end = self.clock.get().saturating_add(MAX_WAIT);
        loop {
            let found = self.answers.iter().position(|(of, _)| *of == mid);
            if let Some(at) = found {
                return self.answers.remove(at).1;
            }
            if self.clock.get() >= end {
                return Reply::None;
            }
            let then = self.poll();
            if self.open.iter().any(|open| open.mid == mid) {
                self.clock.set(then);
            }
        }
    }

    /// Waits until every request has its answer.
    pub(crate) fn settle(&mut self) {
        while let Some(open) = self.open.first() {
            let mid = open.mid;
            assert_ne!(self.answer(mid), Reply::None, "no answer");
        }
        self.answers.clear();
    }

    /// One block of a body, or all of it where it is short.
    pub(crate) fn block(body: &Body, num: u32, szx: u8) -> Vec<u8> {
        let size = 16 << szx;
        let start = body.bytes.len().min(num as usize * size);
        let end = body.bytes.len().min(start + size);
        plaintext(body.code, |writer| {
            for segment in body.path {
                writer.option(number::URI_PATH, segment.as_bytes()).unwrap();
            }
            let more = u32::from(end < body.bytes.len());
            writer
                .uint(number::BLOCK1, num << 4 | more << 3 | u32::from(szx))
                .unwrap();
            writer.payload(&body.bytes[start..end]).unwrap();
        })
    }

    /// Sends a body in blocks until the device says something else than to go
    /// on; its last answer.
    pub(crate) fn send(&mut self, who: usize, body: &Body, blocks: core::ops::Range<u32>) -> Reply {
        let mut last = Reply::None;
        for num in blocks {
            if num as usize * 1024 >= body.bytes.len() {
                break;
            }
            let plaintext = Self::block(body, num, 6);
            last = self.ask(who, Kind::Confirmable, &plaintext, |_| {});
            let goes_on = matches!(&last, Reply::Protected(inner) if inner[0] == Code::CONTINUE.0);
            if !goes_on {
                break;
            }
        }
        last
    }

    /// Installs and confirms a capsule on `vm1`.
    fn install(&mut self, envelope: &[u8]) {
        let body = Body {
            code: Code::PUT,
            path: &["vm-control", "vm1"],
            bytes: envelope.to_vec(),
        };
        let installed = self.send(OP, &body, 0..4096);
        let confirm = request(Code::POST, "vm-control/vm1/confirm");
        let confirmed = self.ask(OP, Kind::Confirmable, &confirm, |_| {});
        for reply in [installed, confirmed] {
            let Reply::Protected(inner) = &reply else {
                panic!("{reply:?}");
            };
            assert_eq!(inner[0], Code::CHANGED.0, "{}", text(inner));
        }
    }

    /// What must hold at the end, whatever happened: the sessions still work,
    /// and what the device says of itself is what is in its flash.
    pub(crate) fn check(&mut self) {
        self.settle();
        let status = self.status();
        let store: Store<_, { crate::device::COMPONENTS }, WORD> =
            Store::mount(self.flash.copy(), LAYOUT).unwrap();
        for (vm, said) in status.components.iter().enumerate() {
            let stored = store.status(vm).unwrap();
            assert_eq!(
                (said.highest, said.floor),
                (stored.highest, stored.floor),
                "{said:?}"
            );
            assert_eq!(said.sequence, stored.active.map(|active| active.sequence));
            assert_eq!(said.previous, stored.previous.map(|info| info.sequence));
            let transfer = said.transfer.as_ref();
            assert_eq!(
                transfer.map(|transfer| (transfer.sequence, transfer.digest)),
                stored
                    .transfer
                    .map(|transfer| (transfer.sequence, transfer.digest))
            );
        }
        let of_capsule = request(Code::GET, "vm1/temperature");
        let reply = self.ask(APP, Kind::Confirmable, &of_capsule, |_| {});
        assert!(matches!(reply, Reply::Protected(_)), "{reply:?}");
    }

    /// What the device says of itself to the deployer, who has to get an
    /// answer; checked against what it said before.
    pub(crate) fn status(&mut self) -> DeviceStatus {
        let plaintext = request(Code::GET, "vm-control");
        let reply = self.ask(OP, Kind::Confirmable, &plaintext, |_| {});
        let Reply::Protected(answer) = &reply else {
            panic!("no status: {reply:?}");
        };
        let inner = Inner::parse(answer).unwrap();
        assert_eq!(inner.code, Code::CONTENT);
        let status = DeviceStatus::from_cbor(inner.payload).unwrap();
        for (vm, now) in status.components.iter().enumerate() {
            assert!(now.floor <= now.highest, "{now:?}");
            if let Some(sequence) = now.sequence {
                assert!((now.floor..=now.highest).contains(&sequence), "{now:?}");
            }
            assert!(!(now.phase == Phase::Trial && now.transfer.is_some()));
            let before = self.last.as_ref().map(|last| &last.components[vm]);
            if let Some(before) = before {
                assert!(now.highest >= before.highest, "{before:?} {now:?}");
                assert!(now.floor >= before.floor, "{before:?} {now:?}");
            }
            self.trace.highest = self.trace.highest.max(now.highest);
            self.trace.transfers |= now.transfer.is_some();
        }
        self.last = Some(status.clone());
        status
    }
}

/// Whether an outer Block1 option says that this is a part of a message, which is
/// refused before it is looked at.
pub(crate) fn is_part(value: Option<&[u8]>) -> bool {
    let block = value.map(BlockOption::decode);
    block.is_some_and(|block| block.is_ok_and(|block| block.more || block.num != 0))
}

/// The Echo value that a protected 4.01 asks for.
fn echo(reply: &Reply) -> Option<Vec<u8>> {
    let Reply::Protected(plaintext) = reply else {
        return None;
    };
    let inner = Inner::parse(plaintext).ok()?;
    let value = inner.option(number::ECHO)?;
    (inner.code == Code::UNAUTHORIZED).then(|| value.to_vec())
}

/// The same request with an Echo option; `None` if it has one, or is none.
fn with_echo(request: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let inner = Inner::parse(request).ok()?;
    let again = plaintext(inner.code, |writer| {
        let (before, after): (Vec<_>, Vec<_>) =
            inner.options.clone().partition(|o| o.number < number::ECHO);
        for option in before {
            writer.option(option.number, option.value).unwrap();
        }
        writer.option(number::ECHO, value).unwrap();
        for option in after {
            writer.option(option.number, option.value).unwrap();
        }
        writer.payload(inner.payload).unwrap();
    });
    (inner.option(number::ECHO).is_none() && again.len() < 1200).then_some(again)
}

/// Checks what the device says to somebody who has not proven anything.
fn check_unprotected(reply: &[u8]) {
    assert!(reply.len() <= MAX_UNPROTECTED, "{} bytes", reply.len());
    let protected = Message::parse(reply).unwrap().option(number::OSCORE);
    assert!(protected.is_none(), "a protected answer to a stranger");
}

/// Where a peer is: the first two have sessions.
pub(crate) fn address(peer: usize) -> SocketAddr {
    let port = 5000 + u16::try_from(peer % 4).unwrap();
    SocketAddr::from(([10, 0, 0, 1], port))
}

/// Code, options and payload as OSCORE encrypts them.
pub(crate) fn plaintext(code: Code, build: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = [0; 1400];
    let mut writer = Writer::inner(&mut buffer, code).unwrap();
    build(&mut writer);
    let length = writer.finish();
    buffer[..length].to_vec()
}

/// A request without a body.
pub(crate) fn request(code: Code, path: &str) -> Vec<u8> {
    plaintext(code, |writer| writer.uri_path(path).unwrap())
}

/// A response for a message to people.
fn text(inner: &[u8]) -> String {
    String::from_utf8_lossy(inner).into_owned()
}
