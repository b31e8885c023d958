//! Datagrams of anybody: raw ones, and those of the peers with sessions as they
//! are, again, damaged, or from elsewhere.

use sealift_oscore::coap::{Code, Kind};

use super::time;
use crate::rig::{APP, OP, Present, Reply, Rig, address, request};
use crate::script::{Script, patch};
use crate::trace::Trace;

/// What the peers ask now and then; the second one is a body in one block.
pub(crate) const REQUESTS: [(usize, Code, &str); 6] = [
    (OP, Code::GET, "vm-control/vm1"),
    (APP, Code::PUT, "vm1/config"),
    (APP, Code::GET, ".well-known/core"),
    (OP, Code::POST, "vm-control/vm1/confirm"),
    (APP, Code::GET, "vm1/temperature"),
    (OP, Code::POST, "vm-control/vm2/rollback"),
];

/// What each number of a step stands for.
pub(crate) const RAW: u8 = 0;
pub(crate) const WAIT: u8 = 1;
pub(crate) const ASK: u8 = 2;
pub(crate) const AGAIN: u8 = 3;
pub(crate) const BACK: u8 = 4;
pub(crate) const FLOOD: u8 = 5;

pub(super) fn run(script: &Script) -> Trace {
    let mut rig = Rig::new(script.flags, Present::Three);
    for step in &script.steps {
        let from = address(usize::from(step.arg));
        let which = step.data.first().copied().map_or(0, usize::from);
        let patches = step.data.get(1..).unwrap_or_default();
        match step.op % 6 {
            RAW => {
                rig.deliver(from, &step.data);
            }
            WAIT => rig.wait(time(step.arg)),
            ASK => {
                let (who, code, path) = REQUESTS[usize::from(step.arg) % REQUESTS.len()];
                let reply = rig.ask(who, Kind::Confirmable, &request(code, path), |_| {});
                assert!(matches!(reply, Reply::Protected(_)), "{reply:?}");
            }
            AGAIN => again(&mut rig, from, which, patches),
            BACK => {
                let latest = rig.sent.iter().rev().nth(which % 4);
                if let Some((_, mut datagram)) = latest.cloned() {
                    patch(&mut datagram, patches);
                    rig.deliver(from, &datagram);
                }
            }
            _ => {
                for peer in 0..usize::from(step.arg % 16) {
                    rig.deliver(address(peer), &step.data);
                }
            }
        }
        rig.poll();
    }
    rig.check();
    rig.trace
}

/// Sends something again that a peer with a session has sent.
fn again(rig: &mut Rig, from: std::net::SocketAddr, which: usize, patches: &[u8]) {
    let latest = rig.genuine.iter().rev().nth(which % 8);
    if let Some(mut datagram) = latest.cloned() {
        patch(&mut datagram, patches);
        rig.deliver(from, &datagram);
    }
}
