//! A whole device in memory: mock flash, real EDHOC and OSCORE, real capsules.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test file is a crate of its own and uses a part of this"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

#[path = "../capsule_common/mod.rs"]
pub(crate) mod capsules;

mod flash;
mod lines;
mod session;
mod signed;

use std::collections::VecDeque;
use std::net::SocketAddr;

use ed25519_compact::KeyPair;
use rand_core::OsRng;
use sealift_core::{Acceptance, Config, Device, Keys, Limits, Policy, Roles, Step};
use sealift_manifest::{Grants, PublicKey};
use sealift_oscore::coap::{BlockOption, Code, Header, Kind as Type, Message, number};
use sealift_oscore::{ClientHandshake, Identity, MAX_DATAGRAM, client};
use sealift_storage::Layout;
use sealift_wire::ComponentStatus;

use capsules::{Board, Capsule, fake_key};

pub(crate) use flash::{Flash, Flip};
pub(crate) use lines::logged;
pub(crate) use session::{Answer, Session, clone_of};
pub(crate) use signed::{answering, detached, echo, envelope, respecified};

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
pub(crate) const LAYOUT: Layout<2> = Layout::new(0, SLOT_PAGES, ["vm1", "vm2"])
    .with_counter()
    .with_trust();

pub(crate) type TestDevice = Device<Flash, OsRng, Board, 2, WORD, 4>;

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

impl Rig {
    pub(crate) fn new() -> Self {
        lines::keep();
        let pages = LAYOUT.size(PAGE as u32).unwrap() as usize / PAGE;
        let flash = Flash::new(pages);
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
