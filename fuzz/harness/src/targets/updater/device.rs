//! The device, and the way to it, in virtual time: real EDHOC and OSCORE, so that what
//! it says is authentic, whatever it is.

use std::cell::{Ref, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand_core::RngCore as _;
use sealift_oscore::coap::{self, BlockOption, Code, Header, Inner, Kind, Message, Writer, number};
use sealift_oscore::context::SecurityContext;
use sealift_oscore::edhoc::{ConnId, Responder};
use sealift_oscore::protect::{Answered, Binding, OscoreOption};
use sealift_oscore::{Identity, MAX_DATAGRAM};
use updater::Transport;

use super::answers::SILENCE;
use super::heard::Heard;
use super::model::{Answer, Model};
use super::{EXCHANGED, FOR_EVER, SILENT_AFTER};
use crate::rng::Rng;
use crate::script::{Script, Step};

/// Requests that a client may make, besides two for each block that it gets.
const MAX_REQUESTS: usize = 2_000;
/// Datagrams that it may send for each request.
const MAX_TRANSMISSIONS: usize = 64;
/// How long one exchange may take at the most: the longest first wait, all its
/// retransmissions, and then the wait for a separate answer.
const LONGEST_EXCHANGE: Duration = Duration::from_secs(3_600);
/// Datagrams that are under way at a time.
const MAX_UNDER_WAY: usize = 64;

/// Who takes part.
pub(super) struct People {
    pub(super) operator: Arc<Identity>,
    pub(super) device: Identity,
}

thread_local! {
    static PEOPLE: Rc<People> = {
        let person = |seed, name| Identity::generate(name, &mut Rng::new(seed)).unwrap();
        Rc::new(People {
            operator: Arc::new(person(2, "op")),
            device: person(1, "device"),
        })
    };
}

/// The same for every input.
pub(super) fn people() -> Rc<People> {
    PEOPLE.with(Rc::clone)
}

/// The client's end of the way to the device.
#[derive(Clone)]
pub(super) struct Far(Rc<RefCell<Device>>);

/// A device that says what it is told to.
pub(super) struct Device {
    now: Duration,
    /// Where the client's random numbers come from, and so the keys of its sessions:
    /// another place for each input. If inputs shared keys, what one had the device say
    /// would be authentic in another, whose step just sends those bytes.
    seed: u64,
    pub(super) flags: u8,
    steps: Vec<Step>,
    next: usize,
    /// What a device would do that does as it should.
    pub(super) model: Model,
    responder: Option<Responder>,
    context: Option<SecurityContext>,
    bound: Bound,
    heard: Heard,
    /// What it should say to the request at hand, and the block that this is.
    pub(super) honest: Option<Answer>,
    pub(super) asked_for: Option<BlockOption>,
    /// The latest message ID of its own.
    pub(super) mid: u16,
    /// Blocks of answers that are to go on.
    continued: usize,
    /// What is under way to the client, and when it is there.
    under_way: VecDeque<(Duration, Vec<u8>)>,
    /// What was sent as an authentic answer: to which request.
    made: Vec<Made>,
    /// The latest request, to tell one that comes again.
    latest: Vec<u8>,
    exchanges: usize,
    sent: usize,
    waits: usize,
}

/// The request at hand, as far as it was answered.
enum Bound {
    Nothing,
    Unanswered(Binding),
    Answered(Answered),
}

struct Made {
    datagram: Vec<u8>,
    /// The request.
    number: usize,
    plaintext: Vec<u8>,
}

impl Far {
    pub(super) fn new(script: &Script) -> Self {
        let mix = |seed: u64, byte: u8| Rng::new(seed ^ u64::from(byte)).next_u64();
        Self(Rc::new(RefCell::new(Device {
            now: Duration::ZERO,
            seed: script.encode().into_iter().fold(0, mix),
            flags: script.flags,
            steps: script.steps.clone(),
            next: 0,
            model: Model::default(),
            responder: None,
            context: None,
            bound: Bound::Nothing,
            heard: Heard::default(),
            honest: None,
            asked_for: None,
            mid: 0,
            continued: 0,
            under_way: VecDeque::new(),
            made: Vec::new(),
            latest: Vec::new(),
            exchanges: 0,
            sent: 0,
            waits: 0,
        })))
    }

    pub(super) fn heard(&self) -> Ref<'_, Heard> {
        Ref::map(self.0.borrow(), |device| &device.heard)
    }

    /// What must hold at the end: it came to one, in time.
    pub(super) fn check(&self) {
        self.0.borrow().check_bounds();
    }
}

impl Transport for Far {
    type Rng = Rng;

    fn rng(&mut self) -> Rng {
        // Another one each time, and the same for the same input.
        let device = self.0.borrow();
        Rng::new(device.seed ^ (device.exchanges * 64 + device.sent) as u64)
    }

    fn device(&self) -> &'static str {
        "device:5683"
    }

    fn now(&self) -> Duration {
        self.0.borrow().now
    }

    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let mut device = self.0.borrow_mut();
        device.sent += 1;
        device.check_bounds();
        device.take(datagram);
        Ok(())
    }

    fn receive(&mut self, until: Duration, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let mut device = self.0.borrow_mut();
        device.waits += 1;
        device.check_bounds();
        let Some(datagram) = device.arrived(until) else {
            return Ok(None);
        };
        let length = datagram.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram[..length]);
        Ok(Some(length))
    }

    fn renew(&mut self) -> Result<(), updater::Error> {
        self.0.borrow_mut().under_way.clear();
        Ok(())
    }
}

impl Device {
    /// A client comes to an end: with so many requests, transmissions and waits, and
    /// within the time that those take.
    fn check_bounds(&self) {
        let exchanges = self.exchanges;
        assert!(
            exchanges <= MAX_REQUESTS + 2 * self.continued,
            "it asks without end"
        );
        let most = (exchanges + 1) * MAX_TRANSMISSIONS;
        assert!(self.sent <= most + self.made.len(), "it sends without end");
        assert!(
            self.waits <= 4 * most + self.made.len(),
            "it waits without end"
        );
        let longest = LONGEST_EXCHANGE * (exchanges + 1) as u32;
        assert!(self.now <= longest, "it waits for {:?}", self.now);
    }

    /// The next datagram that is there by `until`; the time goes on until then.
    fn arrived(&mut self, until: Duration) -> Option<Vec<u8>> {
        let first = self.under_way.iter().map(|(at, _)| *at).min();
        let Some(at) = first.filter(|at| *at <= until) else {
            self.now = self.now.max(until);
            return None;
        };
        let place = self.under_way.iter().position(|(due, _)| *due == at)?;
        let (_, datagram) = self.under_way.remove(place)?;
        self.now = self.now.max(at);
        if let Some(made) = self.made.iter().find(|made| made.datagram == datagram) {
            self.heard.answer(made.number, &made.plaintext);
            let more = Inner::parse(&made.plaintext)
                .ok()
                .and_then(|inner| inner.block2().ok().flatten());
            self.continued += usize::from(more.is_some_and(|block| block.more));
        }
        Some(datagram)
    }

    /// A datagram of the client.
    fn take(&mut self, datagram: &[u8]) {
        let message = Message::parse(datagram).expect("the client sends CoAP");
        if message.kind != Kind::Confirmable {
            assert_eq!(message.code, Code::EMPTY);
            return;
        }
        let again = self.latest == datagram;
        if !again {
            self.exchanges += 1;
            self.latest = datagram.to_vec();
            self.bound = Bound::Nothing;
        }
        if message.option(number::OSCORE).is_none() {
            self.exchange(&message);
            return;
        }
        if !again && !self.open(&message) {
            self.say_bare(&message, Code::UNAUTHORIZED, |_| Ok(()));
            return;
        }
        let step = self.step();
        // It knows what it has answered already.
        let answered = matches!(self.bound, Bound::Answered(_));
        if step.is_none() && answered {
            self.repeat(0);
            return;
        }
        self.react(&message, step.as_ref());
    }

    /// What comes next in the script; `None` for what a device should do.
    fn step(&mut self) -> Option<Step> {
        if self.next == self.steps.len() && self.flags & FOR_EVER != 0 {
            self.next = 0;
        }
        let step = self.steps.get(self.next).cloned();
        self.next += usize::from(step.is_some());
        if step.is_none() && self.flags & SILENT_AFTER != 0 {
            return Some(Step::new(SILENCE, 0, &[]));
        }
        step
    }

    /// Decrypts a request; whether it could.
    fn open(&mut self, message: &Message<'_>) -> bool {
        let Some(context) = &mut self.context else {
            return false;
        };
        let option = OscoreOption::of(message).expect("the client's own");
        let mut scratch = [0; MAX_DATAGRAM];
        match context.unprotect_request(&option, message.payload, &mut scratch) {
            Ok((inner, binding)) => {
                self.heard.ask(&inner);
                self.honest = Some(self.model.handle(&inner));
                self.asked_for = inner.block1().expect("the client's own");
                self.bound = Bound::Unanswered(binding);
                true
            }
            Err(_) => false,
        }
    }

    /// The security context is lost, as in a restart.
    pub(super) fn forget(&mut self) {
        self.context = None;
        self.responder = None;
        self.bound = Bound::Nothing;
        self.model.restart();
    }

    /// A message of a key exchange: answered as it should be, or as the script says.
    fn exchange(&mut self, message: &Message<'_>) {
        let answer = self.handshake(message.payload);
        let step = match self.flags & EXCHANGED {
            0 => None,
            _ => self.step(),
        };
        match (step, answer) {
            (None, Some(payload)) => {
                self.say_bare(message, Code::CHANGED, |writer| writer.payload(&payload));
            }
            (None, None) => self.say_bare(message, Code::BAD_REQUEST, |_| Ok(())),
            (Some(step), answer) => self.disturb(message, &answer.unwrap_or_default(), &step),
        }
    }

    /// EDHOC, from this side: the payload that answers one.
    fn handshake(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let people = people();
        let mut rng = Rng::new(7 + self.exchanges as u64);
        if let Some(message_1) = payload.strip_prefix(&[0xf5]) {
            let choose = |other: &ConnId| {
                let ids = [&[0x21][..], &[0x22]].map(ConnId::from_slice);
                ids.into_iter()
                    .flatten()
                    .find(|id| id.as_slice() != other.as_slice())
            };
            let (responder, message_2) =
                Responder::start(&people.device, message_1, choose, &mut rng).ok()?;
            self.responder = Some(responder);
            return Some(message_2.to_vec());
        }
        let known = [people.operator.credential().clone()];
        let message_3 = payload.get(1..)?;
        let (_, context) = self
            .responder
            .as_ref()?
            .finish(message_3, &known, &mut rng)
            .ok()?;
        self.context = Some(context);
        Some(Vec::new())
    }

    /// Sends a datagram, which is there after a time.
    pub(super) fn send(&mut self, datagram: Vec<u8>, after: Duration) {
        if self.under_way.len() < MAX_UNDER_WAY {
            self.under_way.push_back((self.now + after, datagram));
        }
    }

    /// Sends what was sent before, once more.
    pub(super) fn repeat(&mut self, which: usize) {
        if let Some(made) = self.made.iter().rev().nth(which % 8) {
            let datagram = made.datagram.clone();
            self.send(datagram, Duration::ZERO);
        }
    }

    /// An answer that nothing protects, to the message ID and token of a request.
    pub(super) fn say_bare(
        &mut self,
        request: &Message<'_>,
        code: Code,
        build: impl FnOnce(&mut Writer<'_>) -> Result<(), coap::Error>,
    ) {
        let header = Header {
            kind: Kind::Acknowledgement,
            ..request.header()
        };
        let mut out = [0; MAX_DATAGRAM];
        let mut writer = Writer::message(&mut out, header, code).unwrap();
        if build(&mut writer).is_ok() {
            let datagram = writer.as_bytes().to_vec();
            self.send(datagram, Duration::ZERO);
        }
    }

    /// An authentic answer to the request at hand: code, options and payload as they
    /// are, whether that is well-formed or not.
    pub(super) fn say(&mut self, header: Header<'_>, plaintext: &[u8], after: Duration) {
        let Some((&code, rest)) = plaintext.split_first() else {
            return;
        };
        let Some(context) = &mut self.context else {
            return;
        };
        let mut out = [0; MAX_DATAGRAM];
        let code = Code(code);
        let raw = |writer: &mut Writer<'_>| writer.raw(rest);
        let length = match core::mem::replace(&mut self.bound, Bound::Nothing) {
            Bound::Nothing => return,
            Bound::Unanswered(binding) => {
                match context.protect_response(binding, header, code, raw, &mut out) {
                    Ok((length, answered)) => {
                        self.bound = Bound::Answered(answered);
                        length
                    }
                    Err((_, binding)) => {
                        self.bound = Bound::Unanswered(binding);
                        return;
                    }
                }
            }
            Bound::Answered(answered) => {
                let length =
                    context.protect_further_response(&answered, header, code, raw, &mut out);
                self.bound = Bound::Answered(answered);
                match length {
                    Ok(length) => length,
                    Err(_) => return,
                }
            }
        };
        let datagram = out[..length].to_vec();
        self.made.push(Made {
            datagram: datagram.clone(),
            number: self.heard.len().saturating_sub(1),
            plaintext: plaintext.to_vec(),
        });
        self.send(datagram, after);
    }
}
