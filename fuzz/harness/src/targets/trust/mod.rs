//! Trust records into a whole device: of any content, by any keys, altered, sent again
//! and interrupted; and then what everybody may do, and whose envelopes are taken.
//!
//! A model says which record is in force. Whatever was taken, there is always a deployer
//! who gets a session and can send the next one.

mod capsules;
mod checks;
mod model;
mod people;
mod record;
mod seeds;

use std::collections::BTreeMap;

use sealift_core::Roles;
use sealift_oscore::coap::{Code, Inner};
use sealift_wire::Refusal;

use super::time;
use crate::device::COMPONENTS;
use crate::fixtures::Body;
use crate::promise::ROOTS;
use crate::rig::{OP, Present, Reply, Rig};
use crate::script::{Script, Step};
use crate::trace::Trace;
use capsules::Signed;
use model::{Content, InForce, MAX_RISE, is_enough};
use people::PRESENT;
use record::Record;

pub(crate) use seeds::seeds;

/// What each number of a step stands for; the lowest two bits of its small number are who
/// does it.
const RECORD: u8 = 0;
const REPLAY: u8 = 1;
const CONNECT: u8 = 2;
const PUSH: u8 = 3;
const INSTALL: u8 = 4;
const CONTROL: u8 = 5;
const RESTART: u8 = 6;
const CUT: u8 = 7;
const DAMAGE: u8 = 8;
const AGAIN: u8 = 9;
const PROBE: u8 = 10;
const WAIT: u8 = 11;

const STEPS: u8 = 12;

/// Bytes of a block.
const BLOCK: usize = 1024;
/// How long a place is kept for who sends, in milliseconds.
const HELD: u64 = 30_000;

struct Trusting {
    rig: Rig,
    /// How many root keys have to sign.
    roots: u8,
    now: InForce,
    /// The records that were sent, whoever took them.
    sent: Vec<Record>,
    taken: usize,
    /// The manifests of the records of which the store may have bytes.
    open: Vec<Vec<u8>>,
    /// Who sent something last.
    sender: usize,
    /// Who signed what was installed, by component and number.
    signed: [BTreeMap<u64, Signed>; COMPONENTS],
    /// The numbers of the capsules that run.
    runs: [Option<u64>; COMPONENTS],
    exchanges: u64,
    /// How many records were taken before the last key exchange.
    proven: usize,
}

pub(super) fn run(script: &Script) -> Trace {
    let roots = 1 + (script.flags >> 2 & 1);
    let mut trusting = Trusting {
        // Without a capsule.
        rig: Rig::under(script.flags & !1, Present::Four, roots),
        roots,
        now: InForce::provisioned(),
        sent: Vec::new(),
        taken: 0,
        open: Vec::new(),
        sender: OP,
        signed: Default::default(),
        runs: [None; COMPONENTS],
        exchanges: 0,
        proven: 0,
    };
    for step in &script.steps {
        trusting.act(step);
        trusting.compare();
    }
    trusting.finish();
    let mut trace = trusting.rig.trace;
    trace.reached = trusting.taken > 0;
    trace
}

impl Trusting {
    fn act(&mut self, step: &Step) {
        let who = usize::from(step.arg & 3);
        let more = usize::from(step.arg >> 2);
        match step.op % STEPS {
            RECORD => {
                let read = Record::read(&step.data, self.now.number, &self.sent);
                if let Some(record) = read {
                    self.sent.push(record.clone());
                    self.send(who, &record, more);
                }
            }
            REPLAY => {
                let which = usize::from(step.data.first().copied().unwrap_or(0));
                if let Some(record) = self.sent.iter().rev().nth(which).cloned() {
                    self.send(who, &record, more);
                }
            }
            CONNECT => self.connect(usize::from(step.arg) % (PRESENT + 1)),
            PUSH => self.push(who, more % COMPONENTS, &step.data),
            INSTALL => self.install(who, more % COMPONENTS, &step.data),
            CONTROL => self.control(who, more % COMPONENTS, &step.data),
            RESTART => {
                self.rig.reboot();
            }
            CUT => {
                if let [high, low, torn, seed, ..] = step.data[..] {
                    self.rig
                        .flash
                        .cut(u16::from_be_bytes([high, low]), torn, seed);
                }
            }
            DAMAGE => self.damage(&step.data),
            AGAIN => {
                let genuine = self.rig.genuine.iter().rev();
                if let Some(datagram) = genuine.skip(more).nth(who * 8).cloned() {
                    self.rig.deliver(crate::rig::address(who), &datagram);
                }
            }
            PROBE => self.probe(),
            _ => self.rig.wait(time(step.arg)),
        }
    }

    /// Whoever has sent something before is not sending any more.
    fn take_turns(&mut self, who: usize) {
        if core::mem::replace(&mut self.sender, who) != who {
            self.rig.wait(HELD);
        }
    }

    /// Sends the first blocks of a record, or all of them.
    fn send(&mut self, who: usize, record: &Record, blocks: usize) {
        self.take_turns(who);
        let whole = blocks == 0 || blocks * BLOCK >= record.envelope.len();
        let may = self.now.content.may(who, Roles::DEPLOY);
        let same = record.manifest == self.now.manifest;
        let heard = may && self.is_authentic(record);
        let newer = record.number > self.now.number;
        let good = heard && newer && whole && self.can_follow(who, record);
        let interrupted = self.open.contains(&record.manifest);
        let steps = self.rig.flash.steps();
        let body = Body {
            code: Code::PUT,
            path: &["vm-control", "trust"],
            bytes: record.envelope.clone(),
        };
        let count = if blocks == 0 { usize::MAX } else { blocks };
        let reply = self.rig.send(who, &body, 0..count.min(64) as u32);
        let wrote = self.rig.flash.steps() != steps;
        if heard && newer {
            self.open.push(record.manifest.clone());
        } else {
            assert!(!wrote, "wrote what it refused: {reply:?}");
        }
        if self.rig.flash.is_off() {
            self.recover(good.then_some((who, record)));
            return;
        }
        self.check_known(who, Roles::DEPLOY, &reply);
        let taken = code(&reply) == Some(Code::CHANGED);
        // Where the store has some bytes of it already, they may be good ones or bad ones.
        if !(good && interrupted) {
            assert_eq!(taken, good && record.intact.1, "{reply:?}, {record:?}");
        }
        let done = code(&reply) == Some(Code::VALID);
        let in_force = same && !self.now.stored.is_empty();
        assert_eq!(done, heard && in_force, "{reply:?}, {record:?}");
        if taken {
            self.commit(record);
        }
    }

    /// Whether a record is signed by as many root keys as it takes, for this device.
    fn is_authentic(&self, record: &Record) -> bool {
        record.fits
            && record.intact.0
            && record.signers.iter().all(|key| ROOTS.contains(key))
            && is_enough(record.signers.len(), self.roots, record.asks)
    }

    /// Whether nobody is locked out by a record that this peer sends.
    fn can_follow(&self, who: usize, record: &Record) -> bool {
        let lives = |content: &Content| content.can_be_lived_with();
        record.number - self.now.number <= MAX_RISE
            && record.content.as_ref().is_some_and(lives)
            && record
                .content
                .as_ref()
                .is_some_and(|new| new.may(who, Roles::DEPLOY))
    }

    /// The record is in force: some sessions are over, and there are new ones.
    fn commit(&mut self, record: &Record) {
        let content = record.content.clone().expect("it was read");
        self.taken += 1;
        self.open.clear();
        self.now = InForce {
            number: record.number,
            content,
            stored: record.bytes.clone(),
            manifest: record.manifest.clone(),
        };
        self.rig.know(self.places());
        self.check_running();
        self.probe();
    }

    /// The place of each of those present in the record in force.
    fn places(&self) -> [Option<usize>; PRESENT] {
        core::array::from_fn(|who| self.now.content.place(who))
    }

    /// One of those present with one of these roles.
    fn somebody(&self, any_of: Roles) -> usize {
        let found = (0..PRESENT).find(|who| self.now.content.may(*who, any_of));
        found.expect("nobody is locked out")
    }

    /// The power was cut. With the power back, the record in force is the one before or
    /// the one that was sent; who sent it can ask which, in a session of a real key
    /// exchange.
    fn recover(&mut self, sent: Option<(usize, &Record)>) {
        assert_eq!(self.rig.reboot_knowing([None; PRESENT]), 0, "a second cut");
        let who = sent.map_or_else(|| self.somebody(Roles::DEPLOY), |(who, _)| who);
        let status = self.status_of_stranger(who);
        match sent {
            Some((_, record)) if status.trust == Some(record.number) => self.commit(record),
            _ => {
                assert_eq!(status.trust, Some(self.now.number), "neither old nor new");
                self.rig.know(self.places());
            }
        }
        self.runs = [None; COMPONENTS];
    }

    /// Flips a bit of the record in force, wherever it is in the flash: nobody may sign
    /// from the next start on, until there is a newer one.
    fn damage(&mut self, data: &[u8]) {
        let [at, bit, ..] = data[..] else {
            return;
        };
        let stored = core::mem::take(&mut self.now.stored);
        if stored.is_empty() || self.rig.flash.damage(&stored, at, bit) == 0 {
            self.now.stored = stored;
            return;
        }
        self.now.content = Content::damaged();
        self.runs = [None; COMPONENTS];
        self.rig.reboot_knowing(self.places());
    }

    /// Who is not known gets no session, and who has no such role is told so.
    fn check_known(&self, who: usize, any_of: Roles, reply: &Reply) {
        let content = &self.now.content;
        let not_allowed = Refusal::NotAllowed.to_string();
        let refused = match reply {
            Reply::Protected(plaintext) => {
                assert!(content.place(who).is_some(), "a session of nobody");
                Inner::parse(plaintext).unwrap().payload == not_allowed.as_bytes()
            }
            Reply::Refused(_) => {
                assert!(
                    content.place(who).is_none(),
                    "the session is gone: {reply:?}"
                );
                return;
            }
            Reply::None => panic!("no answer"),
        };
        assert_eq!(refused, !content.may(who, any_of), "{who}: {reply:?}");
    }
}

/// The code of a protected response.
fn code(reply: &Reply) -> Option<Code> {
    match reply {
        Reply::Protected(plaintext) => plaintext.first().copied().map(Code),
        _ => None,
    }
}
