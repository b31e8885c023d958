//! A whole device in memory: mock flash, real EDHOC and OSCORE, real capsules.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part of this"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

#[path = "../capsule_common/mod.rs"]
pub(crate) mod capsules;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;

use ed25519_compact::{KeyPair, Seed};
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use rand_core::OsRng;
use sealift_core::{Acceptance, Config, Device, Keys, Limits, Policy, Roles, Step};
use sealift_manifest::{Grants, InvokeSpec, Kind, ManifestSpec, PublicKey, Sign, build_envelope};
use sealift_oscore::coap::{BlockOption, Code, Header, Kind as Type, Message, Writer, number};
use sealift_oscore::{ClientContext, ClientHandshake, Identity, MAX_DATAGRAM, client};
use sealift_storage::Layout;
use sealift_storage::sim::{MockError, MockFlash};
use sealift_wire::{ComponentStatus, Refusal};

use capsules::{Board, Capsule};

pub(crate) const PAGE: usize = 1024;
pub(crate) const WORD: usize = 4;
const SLOT_PAGES: u16 = 24;
pub(crate) const TIME_LIMIT: u64 = 60_000;
pub(crate) const SESSION_IDLE: u64 = 24 * 60 * 60 * 1000;
/// The pages with the counter of jobs.
pub(crate) const COUNTER: (usize, usize) = {
    let components = (2 + 2 * SLOT_PAGES as usize) * 2;
    (components * PAGE, (components + 2) * PAGE)
};
const LAYOUT: Layout<2> = Layout::new(0, SLOT_PAGES, ["vm1", "vm2"])
    .with_counter()
    .with_trust();

/// Flash that the test can still reach while the device has it.
#[derive(Clone)]
pub(crate) struct Flash(
    pub(crate) Rc<RefCell<MockFlash<WORD, PAGE>>>,
    /// Good reads before one that fails.
    pub(crate) Rc<Cell<Option<u32>>>,
    /// A bit that changes.
    pub(crate) Rc<Cell<Option<Flip>>>,
);

/// A bit of the flash that changes once its byte was read so many times.
#[derive(Clone, Copy)]
pub(crate) struct Flip {
    pub(crate) at: usize,
    pub(crate) bit: u8,
    pub(crate) reads: u32,
}

impl Flash {
    /// Notes that these bytes are about to be read.
    fn before_read(&self, range: Range<usize>) {
        let Some(flip) = self.2.get().filter(|flip| range.contains(&flip.at)) else {
            return;
        };
        let left = flip.reads.checked_sub(1);
        self.2.set(left.map(|reads| Flip { reads, ..flip }));
        if left.is_none() {
            self.0.borrow_mut().bytes_mut()[flip.at] ^= 1 << flip.bit;
        }
    }
}

impl ErrorType for Flash {
    type Error = MockError;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = MockFlash::<WORD, PAGE>::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), MockError> {
        match self.1.get() {
            Some(0) => {
                self.1.set(None);
                return Err(MockError::Glitch);
            }
            left => self.1.set(left.map(|left| left - 1)),
        }
        let start = offset as usize;
        self.before_read(start..start + bytes.len());
        self.0.borrow_mut().read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.borrow().capacity()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), MockError> {
        self.0.borrow_mut().erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), MockError> {
        self.0.borrow_mut().write(offset, bytes)
    }
}

pub(crate) type TestDevice = Device<Flash, OsRng, Board, 2, WORD, 4>;

thread_local! {
    static LOGGED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What the devices of this test have logged.
pub(crate) fn logged() -> Vec<String> {
    LOGGED.with_borrow(Clone::clone)
}

/// Keeps the device's log, and shows it where a test fails.
struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = record.args().to_string();
        println!("{}: {line}", record.level());
        LOGGED.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

/// A device, and who talks to it.
pub(crate) struct Rig {
    pub(crate) device: TestDevice,
    pub(crate) flash: Flash,
    pub(crate) board: Board,
    identity: [u8; 32],
    /// Translator keys that the device trusts, and root keys.
    trust: Keys,
    root: Keys,
    credential: sealift_oscore::Credential,
    pub(crate) op: Identity,
    pub(crate) app: Identity,
    /// Another deployer.
    pub(crate) second: Identity,
    /// What the board has, from the next boot on.
    pub(crate) means: Means,
    /// The time, in milliseconds, and what the capsules' board says.
    pub(crate) now: u64,
    /// What it sent by itself to others than the one who was listened to.
    others: VecDeque<(SocketAddr, Vec<u8>)>,
}

/// A peer with a security context.
pub(crate) struct Session {
    pub(crate) context: ClientContext,
    pub(crate) from: SocketAddr,
    pub(crate) mid: u16,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: Code,
    pub(crate) payload: Vec<u8>,
    pub(crate) block1: Option<BlockOption>,
    pub(crate) block2: Option<BlockOption>,
    /// All options.
    pub(crate) options: Vec<(u16, Vec<u8>)>,
}

impl Answer {
    /// The value of an option.
    pub(crate) fn option(&self, number: u16) -> Option<&[u8]> {
        let mut options = self.options.iter();
        Some(&options.find(|(known, _)| *known == number)?.1)
    }

    pub(crate) fn is(&self, refusal: Refusal) -> bool {
        self.code.0 == refusal.code() && self.payload == refusal.to_string().into_bytes()
    }
}

/// A FAKE key. Everybody can make signatures with it.
fn fake_key() -> KeyPair {
    KeyPair::from_seed(Seed::new([1; 32]))
}

/// The envelope of a capsule, with its payload inside, and changes to what is
/// signed.
pub(crate) fn envelope(
    capsule: &Capsule,
    sequence: u64,
    change: impl FnOnce(&mut ManifestSpec),
) -> Vec<u8> {
    sign(capsule, sequence, change, Some(&capsule.artifact))
}

/// The same without the payload.
pub(crate) fn detached(
    capsule: &Capsule,
    sequence: u64,
    change: impl FnOnce(&mut ManifestSpec),
) -> Vec<u8> {
    sign(capsule, sequence, change, None)
}

fn sign(
    capsule: &Capsule,
    sequence: u64,
    change: impl FnOnce(&mut ManifestSpec),
    payload: Option<&[u8]>,
) -> Vec<u8> {
    let spec = respecified(capsule, sequence, change);
    let key = fake_key();
    build_envelope(&spec, &[&key as &dyn Sign], payload, None).unwrap()
}

/// The manifest of a capsule, with changes.
pub(crate) fn respecified(
    capsule: &Capsule,
    sequence: u64,
    change: impl FnOnce(&mut ManifestSpec),
) -> ManifestSpec {
    let mut spec = ManifestSpec {
        sequence_number: sequence,
        component: "vm1".into(),
        vendor_id: sealift_engine::DEFAULT_VENDOR_ID,
        class_id: sealift_engine::DEFAULT_CLASS_ID,
        payload_digest: [0; 32],
        payload_size: 0,
        invoke: InvokeSpec {
            profile: sealift_engine::HOST.profile().into(),
            fuel: 1_000_000,
            memory: 1 << 16,
            stack: capsule.stack,
            grants: capsule.grants,
            kind: capsule.kind,
            floor: 0,
            source_digest: [0; 32],
            signatures: 1,
        },
    };
    spec.set_payload(&capsule.artifact).unwrap();
    change(&mut spec);
    spec
}

/// The same identity again.
pub(crate) fn clone_of(identity: &Identity) -> Identity {
    Identity::new(identity.private_key(), identity.credential().clone()).unwrap()
}

/// A persistent capsule that answers with this text.
pub(crate) fn answering(text: &str) -> Capsule {
    capsules::persistent(capsules::Parts {
        answer: &format!("\\ff{text}"),
        ..capsules::Parts::default()
    })
}

impl Rig {
    pub(crate) fn new() -> Self {
        // Already set by another test of the same process, if it fails.
        if log::set_logger(&Log).is_ok() {
            log::set_max_level(log::LevelFilter::Info);
        }
        let pages = LAYOUT.size(PAGE as u32).unwrap() as usize / PAGE;
        let flash = MockFlash::new(pages);
        let flash = Flash(Rc::new(RefCell::new(flash)), Rc::default(), Rc::default());
        let identity = Identity::generate("device", &mut OsRng).unwrap();
        let op = Identity::generate("op", &mut OsRng).unwrap();
        let app = Identity::generate("app", &mut OsRng).unwrap();
        let second = Identity::generate("second", &mut OsRng).unwrap();
        let board = Board::default();
        let private = *identity.private_key();
        let credential = identity.credential().clone();
        let trust = Keys::from(vec![PublicKey::from_bytes(&fake_key().pk).unwrap()]);
        let root = Keys::default();
        let device = boot(
            &flash,
            &board,
            identity,
            &[&op, &second],
            &app,
            (&trust, &root),
            Means::default(),
        );
        Self {
            device,
            trust,
            root,
            flash,
            board,
            identity: private,
            credential,
            op,
            app,
            second,
            means: Means::default(),
            now: 0,
            others: VecDeque::new(),
        }
    }

    /// The device's public credential.
    pub(crate) fn credential(&self) -> &sealift_oscore::Credential {
        &self.credential
    }

    /// Starts the device anew on what is in its flash.
    pub(crate) fn reboot(&mut self) {
        self.flash.0.borrow_mut().power_on();
        let identity = Identity::new(&self.identity, self.credential.clone()).unwrap();
        let deployers = [&self.op, &self.second];
        self.device = boot(
            &self.flash,
            &self.board,
            identity,
            &deployers,
            &self.app,
            (&self.trust, &self.root),
            self.means,
        );
        self.rest();
    }

    /// The same, with other translator keys that it trusts, from now on.
    pub(crate) fn reboot_trusting(&mut self, keys: &[KeyPair]) {
        let keys = keys.iter().map(|key| PublicKey::from_bytes(&key.pk));
        self.trust = Keys::from(keys.map(Result::unwrap).collect::<Vec<_>>());
        self.reboot();
    }

    /// The same, with root keys and thresholds.
    pub(crate) fn reboot_under(&mut self, trust: Keys, root: Keys) {
        self.trust = trust;
        self.root = root;
        self.reboot();
    }

    /// Makes a key exchange as `identity`, from this port.
    pub(crate) fn connect(&mut self, identity: &Identity, port: u16) -> Option<Session> {
        let from = SocketAddr::from(([127, 0, 0, 1], port));
        let (handshake, message_1) =
            ClientHandshake::start(identity, &self.credential, &mut OsRng).unwrap();
        let message_2 = self.edhoc(from, 1, &message_1)?;
        let (message_3, context) = handshake.receive_message_2(&message_2, &mut OsRng).ok()?;
        self.edhoc(from, 2, &message_3)?;
        Some(Session {
            context,
            from,
            mid: 100,
        })
    }

    pub(crate) fn op(&mut self) -> Session {
        let op = Identity::new(self.op.private_key(), self.op.credential().clone()).unwrap();
        self.connect(&op, 1000).unwrap()
    }

    pub(crate) fn app(&mut self) -> Session {
        self.app_at(2000)
    }

    /// Another session of the same user of capsules.
    pub(crate) fn second_app(&mut self) -> Session {
        self.app_at(2001)
    }

    pub(crate) fn third_app(&mut self) -> Session {
        self.app_at(2002)
    }

    fn app_at(&mut self, port: u16) -> Session {
        let app = Identity::new(self.app.private_key(), self.app.credential().clone()).unwrap();
        self.connect(&app, port).unwrap()
    }

    pub(crate) fn second(&mut self) -> Session {
        let second = &self.second;
        let second = Identity::new(second.private_key(), second.credential().clone()).unwrap();
        self.connect(&second, 3000).unwrap()
    }

    /// Lets time pass, for the device and for the board.
    pub(crate) fn pass(&mut self, milliseconds: u64) {
        self.now += milliseconds;
        self.board.services().clock += milliseconds;
    }

    fn edhoc(&mut self, from: SocketAddr, mid: u16, payload: &[u8]) -> Option<Vec<u8>> {
        let header = Header {
            kind: Type::Confirmable,
            mid,
            token: b"e",
        };
        let mut request = [0; MAX_DATAGRAM];
        let length = client::edhoc_post(header, payload, &mut request).unwrap();
        let response = self.send(from, &request[..length]);
        let message = Message::parse(&response).ok()?;
        (message.code == Code::CHANGED).then(|| message.payload.to_vec())
    }

    /// Hands a datagram to the device; returns its answer, and should it send
    /// that later, waits for it.
    pub(crate) fn send(&mut self, from: SocketAddr, datagram: &[u8]) -> Vec<u8> {
        let at_once = self.hand(from, datagram);
        let empty = Message::parse(&at_once).is_ok_and(|message| message.code == Code::EMPTY);
        let kind = Message::parse(datagram).map(|message| message.kind);
        if !empty || at_once[0] >> 4 & 3 != 2 || kind != Ok(Type::Confirmable) {
            return at_once;
        }
        let mut others = VecDeque::new();
        loop {
            let (to, response) = self.sent().expect("a separate response");
            if to != from {
                others.push_back((to, response));
            } else {
                self.others.append(&mut others);
                let [_, _, high, low, ..] = response[..] else {
                    panic!("{response:?}");
                };
                let nothing = self.hand(from, &[0x60, 0, high, low]);
                assert!(nothing.is_empty());
                return response;
            }
        }
    }

    /// Hands a datagram to the device; returns what it sends at once.
    pub(crate) fn hand(&mut self, from: SocketAddr, datagram: &[u8]) -> Vec<u8> {
        let mut out = [0; MAX_DATAGRAM];
        let length = self
            .device
            .handle_datagram(self.now, from, datagram, &mut out);
        out[..length].to_vec()
    }

    /// What the device sends by itself, before it waits for something.
    pub(crate) fn sent(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        if let Some(sent) = self.others.pop_front() {
            return Some(sent);
        }
        let mut out = [0; MAX_DATAGRAM];
        loop {
            match self.device.poll(self.now, &mut out) {
                Step::Send(to, length) => return Some((to, out[..length].to_vec())),
                Step::Wait(until) if until > self.now => return None,
                Step::Wait(_) => {}
            }
        }
    }

    /// Lets the device work until it waits for something.
    pub(crate) fn rest(&mut self) {
        while self.sent().is_some() {}
    }

    /// One protected request.
    pub(crate) fn request(
        &mut self,
        session: &mut Session,
        code: Code,
        path: &str,
        block1: Option<BlockOption>,
        block2: Option<BlockOption>,
        payload: &[u8],
    ) -> Option<Answer> {
        let (datagram, sent) = session.protect(code, |writer| {
            writer.uri_path(path)?;
            if let Some(block) = block2 {
                writer.block(number::BLOCK2, block)?;
            }
            if let Some(block) = block1 {
                writer.block(number::BLOCK1, block)?;
            }
            writer.payload(payload)
        });
        let response = self.send(session.from, &datagram);
        session.unprotect(&sent, &response)
    }

    /// A request without a body.
    pub(crate) fn simple(&mut self, session: &mut Session, code: Code, path: &str) -> Answer {
        self.request(session, code, path, None, None, &[]).unwrap()
    }

    /// Puts a body, block by block; returns the first answer that is not
    /// 2.31.
    pub(crate) fn put(&mut self, session: &mut Session, path: &str, body: &[u8]) -> Option<Answer> {
        let mut blocks = body.chunks(1024).enumerate().peekable();
        while let Some((num, part)) = blocks.next() {
            let block = BlockOption {
                num: num as u32,
                more: blocks.peek().is_some(),
                szx: 6,
            };
            let answer = self.request(session, Code::PUT, path, Some(block), None, part)?;
            if answer.code != Code::CONTINUE {
                return Some(answer);
            }
        }
        None
    }

    /// Sends one block of a body.
    pub(crate) fn piece(
        &mut self,
        session: &mut Session,
        code: Code,
        path: &str,
        num: u32,
        body: &[u8],
    ) -> Answer {
        let start = num as usize * 1024;
        let end = body.len().min(start + 1024);
        let block = BlockOption {
            num,
            more: end < body.len(),
            szx: 6,
        };
        self.request(session, code, path, Some(block), None, &body[start..end])
            .unwrap()
    }

    /// Installs and confirms.
    pub(crate) fn install(&mut self, capsule: &Capsule, sequence: u64) {
        let mut op = self.op();
        let envelope = envelope(capsule, sequence, |_| {});
        let answer = self.put(&mut op, "/vm-control/vm1", &envelope).unwrap();
        assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
        let answer = self.simple(&mut op, Code::POST, "/vm-control/vm1/confirm");
        assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
    }

    /// What the capsule answers.
    pub(crate) fn ask(&mut self) -> Answer {
        let mut app = self.app();
        self.simple(&mut app, Code::GET, "/vm1/path")
    }

    pub(crate) fn asks(&mut self, text: &str) {
        let answer = self.ask();
        assert_eq!(String::from_utf8_lossy(&answer.payload), text);
        assert_eq!(answer.code, Code::CONTENT);
    }

    pub(crate) fn status(&mut self) -> ComponentStatus {
        let mut op = self.op();
        let answer = self.simple(&mut op, Code::GET, "/vm-control/vm1");
        ComponentStatus::from_cbor(&answer.payload).unwrap()
    }
}

impl Session {
    /// A protected datagram.
    pub(crate) fn protect(
        &mut self,
        code: Code,
        build: impl FnOnce(&mut Writer<'_>) -> Result<(), sealift_oscore::coap::Error>,
    ) -> (Vec<u8>, sealift_oscore::protect::Sent) {
        self.mid += 1;
        let header = Header {
            kind: Type::Confirmable,
            mid: self.mid,
            token: &self.mid.to_be_bytes(),
        };
        let mut datagram = [0; MAX_DATAGRAM];
        let (length, sent) = self
            .context
            .protect(header, code, build, &mut datagram)
            .unwrap();
        (datagram[..length].to_vec(), sent)
    }

    /// The answer in a protected datagram; `None` where it is not protected.
    pub(crate) fn unprotect(
        &self,
        sent: &sealift_oscore::protect::Sent,
        response: &[u8],
    ) -> Option<Answer> {
        let message = Message::parse(response).ok()?;
        let mut scratch = [0; MAX_DATAGRAM];
        let inner = self.context.unprotect(sent, &message, &mut scratch).ok()?;
        Some(Answer {
            code: inner.code,
            payload: inner.payload.to_vec(),
            block1: inner.block1().unwrap(),
            block2: inner.block2().unwrap(),
            options: inner
                .options
                .clone()
                .map(|option| (option.number, option.value.to_vec()))
                .collect(),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.from
    }
}

/// What a board has.
#[derive(Clone, Copy)]
pub(crate) struct Means {
    /// Its interfaces.
    pub(crate) offered: Grants,
    /// Whether a capsule goes on while another one is checked.
    pub(crate) beside: bool,
}

impl Default for Means {
    fn default() -> Self {
        Self {
            offered: Grants::ALL,
            beside: true,
        }
    }
}

fn boot(
    flash: &Flash,
    board: &Board,
    identity: Identity,
    deployers: &[&Identity],
    app: &Identity,
    (trust, root): (&Keys, &Keys),
    means: Means,
) -> TestDevice {
    let mut policy = Policy::default();
    for deployer in deployers {
        policy.allow(deployer.credential().clone(), Roles::DEPLOY);
    }
    policy.allow(app.credential().clone(), Roles::USE);
    let config = Config {
        acceptance: Acceptance {
            trust: trust.clone(),
            root: root.clone(),
            vendor_id: sealift_engine::DEFAULT_VENDOR_ID,
            class_id: sealift_engine::DEFAULT_CLASS_ID,
            offered: means.offered,
            limits: Limits {
                memory: 1 << 20,
                stack: 1 << 20,
                fuel: 10_000_000,
            },
        },
        policy,
        identity,
        layout: LAYOUT,
        mapping: None,
        beside: means.beside,
        job_limit: 64 * 1024,
        time_limit: TIME_LIMIT,
        session_idle: SESSION_IDLE,
    };
    match Device::boot(config, flash.clone(), OsRng, board.clone()) {
        Ok(device) => device,
        Err(error) => panic!("{error}"),
    }
}

/// A capsule of the kind that runs once, which hands its input back.
pub(crate) fn echo() -> Capsule {
    let core = r#"(module
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
        (func (export "sealift:capsule/job@0.1.0#run") (param $at i32) (param $len i32) (result i32)
            (i32.store8 (i32.const 0) (i32.const 0))
            (i32.store (i32.const 4) (local.get $at))
            (i32.store (i32.const 8) (local.get $len))
            i32.const 0))"#;
    Capsule::of_component(
        &capsules::component(core, "ephemeral", None),
        Kind::Ephemeral,
    )
}
