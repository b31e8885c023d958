//! Updates of a whole device, from signed envelopes to capsules that answer: in pieces,
//! through power cuts and restarts, with attacks between; after each step the device is
//! what its model says.
//!
//! The device is the real one, on flash that tears words and pages; the deployer is the
//! harness, whose blocks are encrypted as they should be.

mod capsules;
mod oracle;
mod seeds;

use sealift_oscore::coap::{Code, Inner, Kind as MessageKind};
use sealift_storage::sim::{Model, Operation};
use sealift_wire::ComponentStatus;

use super::time;
use crate::device::{COMPONENTS, LAYOUT};
use crate::fixtures::Body;
use crate::rig::{APP, OP, Present, Reply, Rig, request};
use crate::script::{Script, Step, patch};
use crate::trace::Trace;
use capsules::{Capsules, EACH, Kind};
use oracle::{Course, is, restarted};

pub(crate) use seeds::seeds;

/// What each number of a step stands for; the lowest bit of its small number is the
/// component, the next three a capsule.
const ENVELOPE: u8 = 0;
const PAYLOAD: u8 = 1;
const CONFIRM: u8 = 2;
const ROLLBACK: u8 = 3;
const REMOVE: u8 = 4;
const CALL: u8 = 5;
const RESTART: u8 = 6;
const CUT: u8 = 7;
/// Attacks: an envelope of a stranger; one that was altered; one for the other
/// component; what was sent before.
const STRANGER: u8 = 8;
const ALTERED: u8 = 9;
const ELSEWHERE: u8 = 10;
const AGAIN: u8 = 11;
const WAIT: u8 = 12;

const STEPS: u8 = 13;

/// Bytes of a block.
const BLOCK: usize = 1024;

/// The paths of the components.
const PATHS: [&[&str]; COMPONENTS] = [&["vm-control", "vm1"], &["vm-control", "vm2"]];
const PAYLOADS: [&[&str]; COMPONENTS] = [
    &["vm-control", "vm1", "payload"],
    &["vm-control", "vm2", "payload"],
];

struct Pipeline {
    rig: Rig,
    capsules: &'static Capsules,
    models: [Model; COMPONENTS],
    /// What the slot has of the open transfer, now and before the step.
    written: [Written; COMPONENTS],
    earlier: [Written; COMPONENTS],
    /// Whose payload the session sends, as far as the device knows.
    stream: [Option<usize>; COMPONENTS],
    cuts: usize,
}

/// Bytes of a payload, and whose.
#[derive(Clone, Default)]
struct Written {
    of: usize,
    bytes: Vec<u8>,
}

pub(super) fn run(script: &Script) -> Trace {
    let Some(capsules) = Capsules::get() else {
        return Trace::default();
    };
    let mut pipeline = Pipeline {
        // Without a capsule.
        rig: Rig::new(script.flags & !1, Present::Two),
        capsules,
        models: Default::default(),
        written: Default::default(),
        earlier: Default::default(),
        stream: [None; COMPONENTS],
        cuts: 0,
    };
    for step in &script.steps {
        pipeline.act(step);
    }
    // What is looked at in the end is there to be looked at.
    pipeline.rig.flash.0.borrow_mut().cancel_cut();
    pipeline.rig.check();
    let mut trace = pipeline.rig.trace;
    trace.reached = pipeline.cuts > 0;
    trace
}

impl Pipeline {
    fn act(&mut self, step: &Step) {
        let vm = usize::from(step.arg & 1);
        let i = vm * EACH + usize::from(step.arg >> 1 & 7);
        let (count, rest) = step.data.split_first().unwrap_or((&0xff, &[]));
        let count = usize::from(*count).max(1);
        self.earlier = self.written.clone();
        match step.op % STEPS {
            ENVELOPE => self.envelope(vm, i, count, rest),
            PAYLOAD => self.payload(vm, count, rest),
            CONFIRM => {
                let active = self.models[vm].active.map_or(i, |(active, _)| active);
                let course = self.course(vm, Operation::Confirm(active));
                self.control(vm, Code::POST, "confirm", course);
            }
            ROLLBACK => {
                let course = self.course(vm, Operation::Rollback);
                self.control(vm, Code::POST, "rollback", course);
            }
            REMOVE => {
                let course = self.course(vm, Operation::Remove);
                self.control(vm, Code::DELETE, "", course);
            }
            CALL => self.call(vm),
            RESTART => self.restart(),
            CUT => {
                if let [high, low, torn, seed, ..] = step.data[..] {
                    let at = u16::from_be_bytes([high, low]);
                    self.rig.flash.cut(at, torn, seed);
                }
                return;
            }
            STRANGER => {
                let envelope = self.capsules.sent[i].by_stranger.clone();
                self.refused(vm, envelope);
            }
            ALTERED => {
                let sent = &self.capsules.sent[i];
                let mut head = sent.envelope[..sent.head].to_vec();
                patch(&mut head, &step.data);
                if head != sent.envelope[..sent.head] {
                    self.refused(vm, head);
                }
            }
            ELSEWHERE => {
                let envelope = self.capsules.sent[i].envelope.clone();
                self.refused(1 - vm, envelope);
            }
            AGAIN => {
                let which = usize::from(step.arg) % 16;
                if let Some(datagram) = self.rig.genuine.iter().rev().nth(which).cloned() {
                    let from = crate::rig::address(OP);
                    self.rig.deliver(from, &datagram);
                    self.rig.poll();
                }
            }
            _ => self.rig.wait(time(step.arg)),
        }
        self.compare();
    }

    fn course(&self, vm: usize, operation: Operation) -> Course {
        Course::from(&self.models[vm]).then(operation, &self.capsules.modelled)
    }

    /// Sends the first blocks of an envelope, with bytes of its payload altered.
    fn envelope(&mut self, vm: usize, i: usize, count: usize, alter: &[u8]) {
        let capsules = self.capsules;
        let sent = &capsules.sent[i];
        let mut bytes = sent.envelope.clone();
        flip(&mut bytes[sent.head..], alter);
        let end = bytes.len().min(count * BLOCK);
        let mut course = self.course(vm, Operation::Open(i));
        let active = self.models[vm]
            .active
            .is_some_and(|(active, _)| active == i);
        if course.agreed && !active {
            if self.models[vm].transfer.is_none_or(|(open, _)| open != i) {
                self.written[vm] = Written {
                    of: i,
                    bytes: Vec::new(),
                };
            }
            if sent.integrated {
                let payload = &bytes[sent.head..];
                course = self.written_to(vm, i, payload, end.saturating_sub(sent.head), course);
            } else {
                self.stream[vm] = Some(i);
            }
        }
        let body = Body {
            code: Code::PUT,
            path: PATHS[vm],
            bytes,
        };
        let reply = self.rig.send(OP, &body, 0..count as u32);
        self.conclude(vm, course, &reply);
    }

    /// Sends blocks of a payload from where the transfer stands.
    fn payload(&mut self, vm: usize, count: usize, alter: &[u8]) {
        let capsules = self.capsules;
        let (i, received) = self.models[vm].transfer.unwrap_or((vm * EACH, 0));
        let mut bytes = capsules.modelled[i].payload.clone();
        flip(&mut bytes, alter);
        let first = (received as usize).min(bytes.len() - 1) / BLOCK;
        let end = bytes.len().min((first + count) * BLOCK);
        let mut course = Course::from(&self.models[vm]);
        // A session whose transfer another one took the place of is told so, once.
        let belongs = self.stream[vm].is_none_or(|sends| sends == i);
        course.agreed = self.models[vm].transfer.is_some() && belongs;
        if course.agreed {
            course = self.written_to(vm, i, &bytes, end, course);
        }
        if self.models[vm].transfer.is_some() {
            let is_over = course.last().highest > self.models[vm].highest;
            self.stream[vm] = (belongs && !is_over).then_some(i);
        }
        let body = Body {
            code: Code::PUT,
            path: PAYLOADS[vm],
            bytes,
        };
        let blocks = first as u32..(first + count) as u32;
        let reply = self.rig.send(OP, &body, blocks);
        self.conclude(vm, course, &reply);
    }

    /// The course of a transfer that gets `payload` up to `end`.
    fn written_to(
        &mut self,
        vm: usize,
        i: usize,
        payload: &[u8],
        end: usize,
        mut course: Course,
    ) -> Course {
        let capsules = self.capsules;
        let written = &mut self.written[vm].bytes;
        if let Some(new) = payload.get(written.len()..end) {
            written.extend_from_slice(new);
            let operation = Operation::Write(new.len() as u32);
            course = course.then(operation, &capsules.modelled);
        }
        if end == payload.len() {
            let honest = *written == capsules.modelled[i].payload;
            course = course.activated(i, honest, capsules);
        }
        course
    }

    fn control(&mut self, vm: usize, code: Code, action: &str, course: Course) {
        let path = format!("vm-control/{}/{action}", LAYOUT.names()[vm]);
        let plaintext = request(code, &path);
        let reply = self
            .rig
            .ask(OP, MessageKind::Confirmable, &plaintext, |_| {});
        self.conclude(vm, course, &reply);
    }

    /// The device agrees or not, and is what the course says; after a cut, a part of it.
    fn conclude(&mut self, vm: usize, course: Course, reply: &Reply) {
        if self.rig.flash.is_off() {
            self.recover(vm, &course);
            return;
        }
        assert_eq!(agrees(reply), course.agreed, "{reply:?}, {course:?}");
        self.models[vm] = course.last().clone();
    }

    /// The power was cut in the midst of this course. With the power back, the device is
    /// what one of its states starts as.
    fn recover(&mut self, vm: usize, course: &Course) {
        self.cuts += 1;
        assert_eq!(self.rig.reboot(), 0, "a second cut");
        let status = self.rig.status();
        for (other, said) in status.components.iter().enumerate() {
            let found = match other == vm {
                true => course.cut(said, &self.capsules.modelled),
                false => restarted(&self.models[other], self.capsules).states[..1].to_vec(),
            };
            self.settle(other, said, found);
        }
    }

    /// A restart, in which the power may be cut, too.
    fn restart(&mut self) {
        let cuts = self.rig.reboot();
        self.cuts += cuts;
        let status = self.rig.status();
        for (vm, said) in status.components.iter().enumerate() {
            let course = restarted(&self.models[vm], self.capsules);
            let found = match cuts {
                0 => course.states[..1].to_vec(),
                _ => course.cut(said, &self.capsules.modelled),
            };
            self.settle(vm, said, found);
        }
    }

    /// Of what may be found on the flash, the one that the device started from.
    fn settle(&mut self, vm: usize, said: &ComponentStatus, found: Vec<Model>) {
        let capsules = self.capsules;
        let started = |model: &Model| Course::from(model).started(capsules).last().clone();
        let all: Vec<Model> = found.iter().map(started).collect();
        let model = all.iter().find(|model| is(said, model, &capsules.modelled));
        let model = model.unwrap_or_else(|| panic!("found {said:?}, not of {all:?}"));
        self.models[vm] = model.clone();
        self.stream[vm] = None;
        if let Some((i, received)) = model.transfer {
            if self.written[vm].of != i {
                self.written[vm] = self.earlier[vm].clone();
            }
            self.written[vm].bytes.truncate(received as usize);
        }
    }

    /// An envelope that is no good is refused, and writes nothing.
    fn refused(&mut self, vm: usize, bytes: Vec<u8>) {
        let steps = self.rig.flash.steps();
        let body = Body {
            code: Code::PUT,
            path: PATHS[vm],
            bytes,
        };
        let reply = self.rig.send(OP, &body, 0..64);
        assert!(!agrees(&reply), "{reply:?}");
        assert_eq!(steps, self.rig.flash.steps(), "wrote what it refused");
    }

    /// The capsule that answers is the active one.
    fn call(&mut self, vm: usize) {
        let path = format!("{}/version", LAYOUT.names()[vm]);
        let plaintext = request(Code::GET, &path);
        let reply = self
            .rig
            .ask(APP, MessageKind::Confirmable, &plaintext, |_| {});
        let Reply::Protected(answer) = &reply else {
            panic!("{reply:?}");
        };
        let inner = Inner::parse(answer).unwrap();
        match self.models[vm]
            .active
            .map(|(i, _)| self.capsules.sent[i].kind)
        {
            Some(Kind::Says(version)) => assert_eq!(inner.payload, [version], "{inner:?}"),
            Some(Kind::Fails) | None => assert_eq!(inner.code.class(), 4, "{inner:?}"),
        }
    }

    /// The device says what the models do.
    fn compare(&mut self) {
        assert!(!self.rig.flash.is_off(), "off by itself");
        let status = self.rig.status();
        for (said, model) in status.components.iter().zip(&self.models) {
            assert!(
                is(said, model, &self.capsules.modelled),
                "{said:?}, not {model:?}"
            );
        }
    }
}

/// Whether the device did what it was asked to.
fn agrees(reply: &Reply) -> bool {
    matches!(reply, Reply::Protected(inner) if inner.first().is_some_and(|code| code >> 5 == 2))
}

/// Flips bits: three bytes for a place and which.
fn flip(bytes: &mut [u8], alter: &[u8]) {
    let (flips, _) = alter.as_chunks::<3>();
    for [high, low, bits] in flips {
        let place = usize::from(u16::from_be_bytes([*high, *low])) % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= bits;
        }
    }
}
