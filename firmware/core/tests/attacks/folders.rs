//! The folders of `manifest/attacks`, each of them sent to a device.

use std::fs;
use std::path::{Path, PathBuf};

use sealift_oscore::coap::Code;
use sealift_storage::sim::MockFlash;
use sealift_wire::{ComponentStatus, Phase, Refusal};
use serde::Deserialize;

use crate::bench::{PAYLOAD, VM1, key};
use crate::device_common::{Answer, Flip, PAGE, Rig, Session, WORD, answering};

/// What a folder says of its attack.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Description {
    #[allow(dead_code, reason = "for people")]
    what: String,
    #[allow(dead_code, reason = "the threat model's own tests look at it")]
    threat: Option<String>,
    stage: Stage,
    #[allow(dead_code, reason = "what the manifest crate says is its own test")]
    error: Option<Named>,
    refusal: Option<Named>,
    flip: Option<Bit>,
    revoked: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Stage {
    Taken,
    Envelope,
    Payload,
    Activation,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    number: u8,
    code: Option<String>,
}

/// A bit that changes in flash.
#[derive(Deserialize)]
struct Bit {
    file: String,
    byte: usize,
    bit: u8,
}

struct Folder {
    name: String,
    description: Description,
    envelope: Vec<u8>,
    payload: Option<Vec<u8>>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifest/attacks")
}

impl Folder {
    fn read(name: &str) -> Self {
        let file = |file: &str| fs::read(root().join(name).join(file));
        let description = file("attack.toml").expect("each folder has one");
        let description = toml::from_slice(&description);
        Self {
            name: name.to_owned(),
            description: description.unwrap_or_else(|error| panic!("{name}: {error}")),
            envelope: file("envelope.suit").expect("each folder has one"),
            payload: file("payload.bin").ok(),
        }
    }

    /// All folders of attacks that are refused there.
    fn at(stage: Stage) -> Vec<Self> {
        let entries = fs::read_dir(root()).expect("the attacks are there");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("can be read"))
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().into_string().expect("is a plain name"))
            .collect();
        names.sort();
        let mut folders: Vec<_> = names.iter().map(|name| Self::read(name)).collect();
        folders.retain(|folder| folder.description.stage == stage);
        assert!(!folders.is_empty(), "{stage:?}");
        folders
    }

    fn refusal(&self) -> Refusal {
        let named = self.description.refusal.as_ref().expect("is refused");
        let refusal = Refusal::from_number(named.number).expect("is a number of a refusal");
        assert_eq!(format!("{refusal:?}"), named.name, "{}", self.name);
        let code = format!("{}.{:02}", refusal.code() >> 5, refusal.code() & 31);
        assert_eq!(named.code.as_ref(), Some(&code), "{}", self.name);
        refusal
    }
}

/// A device that runs and has confirmed `good-running`, after
/// `sequence-replayed`.
struct Victim {
    rig: Rig,
    /// Its flash before the first attack.
    image: MockFlash<WORD, PAGE>,
    /// What it ran by then, and where that is in flash.
    running: Vec<u8>,
    place: usize,
}

/// Of a component's status, what no refused attack may change.
#[derive(Debug, PartialEq, Eq)]
struct Numbers {
    phase: Phase,
    slot: Option<u8>,
    sequence: Option<u64>,
    highest: u64,
    floor: u64,
    /// What a roll back would bring. The first byte of a payload goes over it.
    previous: Option<u64>,
}

impl Victim {
    fn new() -> Self {
        let mut rig = Rig::new();
        rig.reboot_trusting(&[key(1), key(3)]);
        let mut op = rig.op();
        for name in ["sequence-replayed", "good-running"] {
            let envelope = Folder::read(name).envelope;
            let answer = rig.put(&mut op, VM1, &envelope).expect("an answer");
            assert_eq!(answer.code, Code::CHANGED, "{name}: {answer:?}");
            let confirmed = rig.simple(&mut op, Code::POST, "/vm-control/vm1/confirm");
            assert_eq!(confirmed.code, Code::CHANGED, "{name}: {confirmed:?}");
        }
        rig.asks("one");
        let image = rig.flash.0.borrow().clone();
        let running = Folder::read("good-running").envelope;
        let payload = fs::read(root().join("running.cwasm")).expect("is there");
        let head = running.len() - payload.len();
        let place = find(image.bytes(), &running[..head]);
        Self {
            rig,
            image,
            running: payload,
            place: place + PAGE,
        }
    }

    /// The device as it was before the first attack.
    fn restore(&mut self) -> Session {
        self.rig.flash.0.replace(self.image.clone());
        self.rig.reboot();
        self.rig.op()
    }

    fn put(&mut self, op: &mut Session, path: &str, body: &[u8]) -> Answer {
        self.rig.put(op, path, body).expect("an answer")
    }

    /// Sends what there is; returns the last answer.
    fn send(&mut self, op: &mut Session, envelope: &[u8], payload: Option<&[u8]>) -> Answer {
        let answer = self.put(op, VM1, envelope);
        let Some(payload) = payload else {
            return answer;
        };
        assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
        self.put(op, PAYLOAD, payload)
    }

    fn numbers(&mut self, op: &mut Session) -> Numbers {
        let answer = self.rig.simple(op, Code::GET, VM1);
        let status = ComponentStatus::from_cbor(&answer.payload).expect("is a status");
        Numbers {
            phase: status.phase,
            slot: status.slot,
            sequence: status.sequence,
            highest: status.highest,
            floor: status.floor,
            previous: status.previous,
        }
    }

    /// What runs is what ran, in its slot and for who asks.
    fn runs_on(&mut self, name: &str) {
        let flash = self.rig.flash.0.borrow();
        let slot = &flash.bytes()[self.place..][..self.running.len()];
        assert!(slot == self.running, "{name}: the slot was touched");
        drop(flash);
        self.rig.asks("one");
    }

    /// The device takes this, and runs the update.
    fn takes(&mut self, op: &mut Session, good: &Folder) {
        let name = &good.name;
        let answer = self.send(op, &good.envelope, good.payload.as_deref());
        assert_eq!(answer.code, Code::CHANGED, "{name}: {answer:?}");
        self.rig.asks("two");
    }
}

/// Where a slot begins with this head.
fn find(flash: &[u8], head: &[u8]) -> usize {
    let mut pages = flash.chunks(PAGE);
    let page = pages.position(|page| page.starts_with(head));
    page.expect("the head is in flash") * PAGE
}

#[test]
fn what_is_good_is_taken() {
    let mut victim = Victim::new();
    for folder in Folder::at(Stage::Taken) {
        let mut op = victim.restore();
        if folder.name == "good-running" {
            let answer = victim.put(&mut op, VM1, &folder.envelope);
            assert_eq!(answer.code, Code::VALID, "{answer:?}");
            victim.runs_on(&folder.name);
        } else {
            victim.takes(&mut op, &folder);
        }
    }
}

/// Threat: OP-3, OP-4, NET-3, NET-17, NET-18, NET-19, NET-20, NET-21, NET-22, NET-23, NET-24, NET-25, PHY-2
#[test]
fn envelopes_are_refused_before_a_byte_is_written() {
    let mut victim = Victim::new();
    let good = Folder::read("good-detached");
    for folder in Folder::at(Stage::Envelope) {
        let name = &folder.name;
        if let Some(revoked) = &folder.description.revoked {
            // As long as its key was trusted, nothing was wrong with it.
            assert_eq!(revoked, "FAKE-key-4.pub");
            victim.rig.reboot_trusting(&[key(1), key(3), key(4)]);
            let mut op = victim.restore();
            let before = Folder {
                payload: good.payload.clone(),
                ..Folder::read(name)
            };
            victim.takes(&mut op, &before);
            victim.rig.reboot_trusting(&[key(1), key(3)]);
        }
        let mut op = victim.restore();
        let before = victim.numbers(&mut op);
        let bytes = victim.rig.flash.0.borrow().bytes().to_vec();
        let answer = victim.put(&mut op, VM1, &folder.envelope);
        let refusal = folder.refusal();
        assert!(answer.is(refusal), "{name}: {refusal}: {answer:?}");
        let same = victim.rig.flash.0.borrow().bytes() == bytes;
        assert!(same, "{name}: the flash was touched");
        assert_eq!(victim.numbers(&mut op), before, "{name}");
        victim.runs_on(name);
        victim.takes(&mut op, &good);
    }
}

/// Threat: OP-3, NET-18, NET-25
#[test]
fn payloads_are_refused_before_they_are_activated() {
    let mut victim = Victim::new();
    let good = Folder::read("good-detached");
    for folder in Folder::at(Stage::Payload) {
        let name = &folder.name;
        let mut op = victim.restore();
        let before = victim.numbers(&mut op);
        let answer = victim.send(&mut op, &folder.envelope, folder.payload.as_deref());
        let refusal = folder.refusal();
        assert!(answer.is(refusal), "{name}: {refusal}: {answer:?}");
        let before = Numbers {
            previous: None,
            ..before
        };
        assert_eq!(victim.numbers(&mut op), before, "{name}");
        victim.runs_on(name);
        victim.takes(&mut op, &good);
    }
}

/// A bit changes at each moment from the first check to after the start, and
/// then the device is restarted. The signed bytes run, or what ran before.
///
/// Threat: ST-2, ST-3
#[test]
fn what_changes_in_flash_after_the_check_does_not_start() {
    let mut victim = Victim::new();
    let good = Folder::read("good-sequence-max");
    for folder in Folder::at(Stage::Activation) {
        let name = &folder.name;
        let mut refused = Vec::new();
        loop {
            let reads = refused.len() as u32;
            let mut op = victim.restore();
            let before = victim.numbers(&mut op);
            let answer = victim.flipped(&mut op, &folder, reads);
            if answer.code == Code::CHANGED {
                // It came too late to be noticed by this start.
                victim.rig.asks("two");
                break;
            }
            let after = victim.numbers(&mut op);
            // Its number may have been activated, and is used up then.
            let before = Numbers {
                previous: None,
                highest: after.highest,
                ..before
            };
            assert_eq!(after, before, "{name}");
            victim.runs_on(name);
            victim.takes(&mut op, &good);
            refused.push(answer);
        }
        let last = refused.pop().expect("some moment is too early");
        let refusal = folder.refusal();
        assert!(last.is(refusal), "{name}: {refusal}: {last:?}");
        assert!(!refused.is_empty(), "{name}: checked more than once");
        // The last word is looked at before it is written, too.
        let earlier = [Refusal::WrongPayload, Refusal::Tampered, Refusal::Internal];
        for answer in refused {
            assert!(earlier.iter().any(|r| answer.is(*r)), "{name}: {answer:?}");
        }
        victim.rig.reboot();
        victim.runs_on(name);
        let mut op = victim.rig.op();
        victim.takes(&mut op, &good);
    }
}

impl Victim {
    /// Sends the good envelope and payload of this folder, and flips its bit
    /// in flash after so many reads since the last block arrived.
    fn flipped(&mut self, op: &mut Session, folder: &Folder, reads: u32) -> Answer {
        let payload = folder.payload.as_ref().expect("has a payload");
        let flip = folder.description.flip.as_ref().expect("has a bit");
        assert_eq!(self.put(op, VM1, &folder.envelope).code, Code::CHANGED);
        let last = payload.len().div_ceil(1024) as u32 - 1;
        for num in 0..last {
            self.rig.piece(op, Code::PUT, PAYLOAD, num, payload);
        }
        let head = find(self.rig.flash.0.borrow().bytes(), &folder.envelope);
        let (stored, start) = match flip.file.as_str() {
            "payload.bin" => (payload, head + PAGE),
            _ => (&folder.envelope, head),
        };
        let (at, bit) = (start + flip.byte, flip.bit);
        assert!(flip.byte < stored.len(), "{}", folder.name);
        self.rig.flash.2.set(Some(Flip { at, bit, reads }));
        let answer = self.rig.piece(op, Code::PUT, PAYLOAD, last, payload);
        self.rig.rest();
        if answer.code == Code::CHANGED {
            // Should nothing read it any more, it changes now.
            self.rig.flash.2.set(None);
            self.rig.flash.0.borrow_mut().bytes_mut()[at] ^= 1 << bit;
        }
        answer
    }
}

#[test]
#[ignore = "writes the payloads of manifest/attacks; after a change of the engine profile"]
fn write_the_payloads() {
    for (file, text) in [("running.cwasm", "one"), ("update.cwasm", "two")] {
        fs::write(root().join(file), answering(text).artifact).expect("can be written");
    }
}
