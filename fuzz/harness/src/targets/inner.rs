//! Requests of peers that the device trusts to be who they are, and nothing
//! else: any plaintext, and the blocks of signed envelopes in any order.

use sealift_oscore::coap::{Code, Inner, Kind, Writer, number};

use super::time;
use crate::fixtures::Body;
use crate::rig::{APP, OP, Present, Reply, Rig, SECOND, is_part, request};
use crate::script::{Script, Step, patch};
use crate::trace::Trace;

/// What each number of a step stands for.
pub(crate) const OF_OP: u8 = 0;
pub(crate) const OF_APP: u8 = 1;
pub(crate) const WITHOUT_ACK: u8 = 2;
pub(crate) const WITH_OUTER: u8 = 3;
pub(crate) const BLOCK: u8 = 4;
pub(crate) const BLOCKS: u8 = 5;
pub(crate) const WAIT: u8 = 6;
pub(crate) const REBOOT: u8 = 7;
pub(crate) const CONTROL: u8 = 8;
/// Asks and does not wait for the answer.
pub(crate) const FIRE: u8 = 9;
/// Runs plain functions once, with what the step says as their input.
pub(crate) const CALLS: u8 = 10;

/// What a deployer does with a capsule that is there.
pub(crate) const CONTROLS: [(Code, &str); 6] = [
    (Code::POST, "vm-control/vm1/confirm"),
    (Code::POST, "vm-control/vm1/rollback"),
    (Code::DELETE, "vm-control/vm1"),
    (Code::POST, "vm-control/vm2/confirm"),
    (Code::POST, "vm-control/vm2/rollback"),
    (Code::DELETE, "vm-control/vm2"),
];

/// The longest plaintext that fits a datagram.
const MAX_PLAINTEXT: usize = 1190;

/// Numbers of outer options that somebody on the way could add.
const OUTER: [u16; 8] = [
    number::URI_PATH,
    number::MAX_AGE,
    number::BLOCK2,
    number::BLOCK1,
    number::SIZE1,
    number::REQUEST_TAG,
    2048,
    2049,
];

pub(super) fn run(script: &Script) -> Trace {
    let mut rig = Rig::new(script.flags, Present::Three);
    for step in &script.steps {
        act(&mut rig, step);
        rig.poll();
    }
    rig.check();
    rig.trace
}

fn act(rig: &mut Rig, step: &Step) {
    let who = [OP, APP, SECOND][usize::from(step.arg % 3)];
    match step.op % 11 {
        OF_OP => ask(rig, OP, Kind::Confirmable, &step.data, |_| {}),
        OF_APP => ask(rig, APP, Kind::Confirmable, &step.data, |_| {}),
        WITHOUT_ACK => ask(rig, who, Kind::NonConfirmable, &step.data, |_| {}),
        WITH_OUTER => {
            let number = OUTER[usize::from(step.arg >> 2) % OUTER.len()];
            let (value, plaintext) = step.data.split_at(step.data.len().min(2));
            let outer = |writer: &mut Writer<'_>| writer.option(number, value).unwrap();
            if number == number::BLOCK1 && is_part(Some(value)) {
                let reply = rig.ask(who, Kind::Confirmable, cut(plaintext), outer);
                assert_eq!(reply, Reply::Refused(Code::TOO_LARGE));
            } else {
                ask(rig, who, Kind::Confirmable, plaintext, outer);
            }
        }
        BLOCK => {
            let [which, num, szx, patches @ ..] = &step.data[..] else {
                return;
            };
            let bodies = &rig.world.fixtures.bodies;
            let body = &bodies[usize::from(*which) % bodies.len()];
            let mut plaintext = Rig::block(body, u32::from(*num), szx % 7);
            patch(&mut plaintext, patches);
            // Mostly by who may.
            let who = match step.arg % 8 {
                7 => APP,
                5 | 6 => SECOND,
                _ => OP,
            };
            ask(rig, who, Kind::Confirmable, &plaintext, |_| {});
        }
        BLOCKS => {
            let [which, first, count, ..] = step.data[..] else {
                return;
            };
            let world = rig.world.clone();
            let bodies = &world.fixtures.bodies;
            let body = &bodies[usize::from(which) % bodies.len()];
            let first = u32::from(first);
            let who = if step.arg % 4 == 3 { SECOND } else { OP };
            let reply = rig.send(who, body, first..first + u32::from(count));
            assert!(!matches!(reply, Reply::Refused(_)), "{reply:?}");
        }
        WAIT => rig.wait(time(step.arg)),
        REBOOT => {
            rig.status();
            rig.reboot();
            rig.status();
        }
        FIRE => {
            let kind = match step.arg & 4 {
                0 => Kind::Confirmable,
                _ => Kind::NonConfirmable,
            };
            rig.fire(who, kind, cut(&step.data), |_| {});
        }
        CALLS => {
            let Some(envelope) = &rig.world.fixtures.functions else {
                return;
            };
            let job = Body {
                code: Code::POST,
                path: &["vm-run"],
                bytes: [envelope, &step.data[..]].concat(),
            };
            let reply = rig.send(OP, &job, 0..64);
            let Reply::Protected(inner) = reply else {
                panic!("{reply:?}");
            };
            rig.trace.reached |= inner.first().is_some_and(|code| code >> 5 == 2);
        }
        _ => {
            let (code, path) = CONTROLS[usize::from(step.arg) % CONTROLS.len()];
            ask(rig, OP, Kind::Confirmable, &request(code, path), |_| {});
        }
    }
}

/// As much of a plaintext as fits a datagram.
fn cut(plaintext: &[u8]) -> &[u8] {
    &plaintext[..plaintext.len().min(MAX_PLAINTEXT)]
}

/// Sends a plaintext. Its sender is known, and gets a protected answer, unless
/// this is no request.
fn ask(rig: &mut Rig, who: usize, kind: Kind, plaintext: &[u8], outer: impl Fn(&mut Writer<'_>)) {
    let plaintext = cut(plaintext);
    let readable = Inner::parse(plaintext).is_ok_and(|inner| inner.code.is_request());
    match rig.ask(who, kind, plaintext, outer) {
        Reply::Protected(_) => assert!(readable, "answered what is no request"),
        Reply::Refused(code) => assert!(!readable && code == Code::BAD_REQUEST, "{code}"),
        Reply::None => panic!("no answer"),
    }
}
