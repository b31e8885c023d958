//! Random requests by two deployers, with flash errors and restarts in
//! between: whatever they did, the device answers with a capsule that was
//! installed whole, forgets no number, and takes the next update.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of test data are small"
)]

use crate::device_common::capsules::{Capsule, Parts, persistent};
use crate::device_common::{Answer, Rig, Session, answering, detached, envelope};
use sealift_oscore::coap::{BlockOption, Code};
use sealift_wire::{ComponentStatus, Phase, Refusal};

const VM1: &str = "/vm-control/vm1";
const ROUNDS: u64 = 120;
const REQUESTS: u32 = 60;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

/// What a deployer is sending: where to, what, and how far it got.
struct Sending {
    session: Session,
    path: &'static str,
    body: Vec<u8>,
    at: usize,
}

impl Sending {
    fn step(&mut self, rig: &mut Rig, random: &mut Random) -> Option<Answer> {
        let szx = 4 + random.below(3) as u8;
        let size = 16 << szx;
        // Mostly the next block; at times another one, or a wrong end.
        let at = match random.below(12) {
            0 => 0,
            1 => random.below(self.body.len()),
            _ => self.at,
        };
        let start = at - at % size;
        let end = self.body.len().min(start + size);
        let block = BlockOption {
            num: (start / size) as u32,
            more: (end < self.body.len()) != (random.below(40) == 0),
            szx,
        };
        self.at = end % self.body.len();
        let part = &self.body[start..end];
        rig.request(
            &mut self.session,
            Code::PUT,
            self.path,
            Some(block),
            None,
            part,
        )
    }
}

#[test]
fn whatever_two_deployers_do_the_device_goes_on() {
    let trapping = Parts {
        run: "(if (i32.eq (local.get $code) (i32.const 3)) (then unreachable))",
        answer: "\\ffc",
        ..Parts::default()
    };
    let failing = Parts {
        init: "unreachable",
        ..trapping
    };
    let capsules: [Capsule; 4] = [
        answering("a"),
        answering("b"),
        persistent(trapping),
        persistent(failing),
    ];
    let mut installed = 0;
    for round in 1..=ROUNDS {
        installed += u32::from(one(&capsules, round.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    }
    assert!(installed > ROUNDS as u32 / 4, "{installed}");
}

/// One history. Says whether an update came to its end in it.
fn one(capsules: &[Capsule], seed: u64) -> bool {
    let mut random = Random(seed);
    let mut rig = Rig::new();
    rig.install(&capsules[0], 1);
    let mut senders: Vec<Sending> = Vec::new();
    // With two senders these are all sessions that the device has room for.
    let (mut op, mut app) = (rig.op(), rig.app());
    let (mut highest, mut floor) = (1, 0);
    for _ in 0..REQUESTS {
        match random.below(14) {
            0 => {
                rig.flash.1.set(Some(random.below(40) as u32));
            }
            1 => {
                let step = random.below(2000) as u64;
                rig.flash.0.borrow_mut().glitch_at(step);
            }
            2 => {
                rig.flash.1.set(None);
                rig.reboot();
                senders.clear();
                (op, app) = (rig.op(), rig.app());
            }
            3 => {
                let path = ["/confirm", "/confirm", "/rollback", ""][random.below(4)];
                let (code, path) = match path {
                    "" if random.below(3) == 0 => (Code::DELETE, VM1.to_owned()),
                    "" => (Code::GET, VM1.to_owned()),
                    path => (Code::POST, format!("{VM1}{path}")),
                };
                rig.simple(&mut op, code, &path);
            }
            4 => {
                let code = [Code::GET, Code::PUT][random.below(2)];
                let answer = rig.simple(&mut app, code, "/vm1/path");
                sound(&answer);
            }
            5 | 6 if senders.len() < 2 || random.below(8) == 0 => {
                let capsule = &capsules[random.below(capsules.len())];
                let sequence = highest + random.below(3) as u64;
                let floor = sequence * random.below(2) as u64;
                let mut session = match senders.len() {
                    2 => senders.remove(0).session,
                    _ => rig.op(),
                };
                let whole = random.below(2) == 0;
                let change = |spec: &mut sealift_manifest::ManifestSpec| spec.invoke.floor = floor;
                let (path, body) = if whole {
                    (VM1, envelope(capsule, sequence, change))
                } else {
                    let head = detached(capsule, sequence, change);
                    rig.put(&mut session, VM1, &head);
                    ("/vm-control/vm1/payload", capsule.artifact.clone())
                };
                senders.push(Sending {
                    session,
                    path,
                    body,
                    at: 0,
                });
            }
            _ if senders.is_empty() => {}
            _ => {
                let which = random.below(senders.len());
                let steps = random.below(12);
                for _ in 0..steps {
                    let answer = senders[which].step(&mut rig, &mut random);
                    assert!(answer.is_some(), "no protected answer");
                }
            }
        }
        let answer = rig.simple(&mut op, Code::GET, VM1);
        let status = ComponentStatus::from_cbor(&answer.payload).unwrap();
        assert!(status.highest >= highest && status.floor >= floor);
        assert!(status.floor <= status.highest);
        (highest, floor) = (status.highest, status.floor);
        if let Some(sequence) = status.sequence {
            assert!((floor..=highest).contains(&sequence), "{status:?}");
        }
        assert!(!(status.phase == Phase::Trial && status.transfer.is_some()));
    }
    // Now undisturbed.
    rig.flash.1.set(None);
    rig.flash.0.borrow_mut().glitch_at(u64::from(u32::MAX));
    sound(&rig.ask());
    if rig.status().phase == Phase::Trial {
        rig.simple(&mut op, Code::POST, "/vm-control/vm1/confirm");
    }
    // A number that was not sent: an open transfer of the very same envelope may
    // have been given the payload of another one.
    rig.install(&capsules[1], highest + 5);
    rig.asks("b");
    rig.reboot();
    rig.asks("b");
    highest > 1
}

/// A capsule's own words, or a refusal; never anything else.
fn sound(answer: &Answer) {
    let refused = Refusal::ALL.iter().any(|refusal| answer.is(*refusal));
    let answered = [&b"a"[..], b"b", b"c"].contains(&&answer.payload[..]);
    assert!(
        refused || answered && answer.code == Code::CONTENT,
        "{answer:?}"
    );
}
