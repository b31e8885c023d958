//! A device that runs a capsule, and somebody who wants it to run another one.

use ed25519_compact::{KeyPair, Seed};
use sealift_engine::{DEFAULT_CLASS_ID, DEFAULT_VENDOR_ID, HOST};
use sealift_oscore::coap::Code;
use sealift_wire::Refusal;

use crate::craft::{Layers, bstr, set, signed, tstr, uint};
use crate::device_common::capsules::Capsule;
use crate::device_common::{Answer, Rig, answering};

pub(crate) const VM1: &str = "/vm-control/vm1";
pub(crate) const PAYLOAD: &str = "/vm-control/vm1/payload";

/// A FAKE key. Devices of the tests trust the first one.
pub(crate) fn key(number: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([number; 32]))
}

pub(crate) struct Bench {
    pub(crate) rig: Rig,
    /// What the attacker has an envelope for; the device runs another one.
    pub(crate) two: Capsule,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let mut rig = Rig::new();
        rig.install(&answering("one"), 1);
        let two = answering("two");
        Self { rig, two }
    }

    /// The manifest of the second capsule, which the device would take.
    pub(crate) fn manifest(&self) -> Layers {
        let mut layers = Layers::new(&self.two.artifact);
        set(&mut layers.top, 2, uint(2));
        set(&mut layers.parameters, 1, bstr(&DEFAULT_VENDOR_ID));
        set(&mut layers.parameters, 2, bstr(&DEFAULT_CLASS_ID));
        set(&mut layers.args, 1, tstr(HOST.profile()));
        set(&mut layers.args, 4, uint(u64::from(self.two.stack)));
        set(&mut layers.args, 5, uint(0));
        set(&mut layers.args, 7, uint(0));
        layers
    }

    /// The same after a change, encoded.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Layers)) -> Vec<u8> {
        let mut layers = self.manifest();
        change(&mut layers);
        layers.encode()
    }

    /// An envelope around the changed manifest, properly signed.
    pub(crate) fn envelope(&self, change: impl FnOnce(&mut Layers)) -> Vec<u8> {
        signed(&key(1), &self.changed(change))
    }

    /// Sends a body to a resource, as a deployer.
    pub(crate) fn put(&mut self, path: &str, body: &[u8]) -> Answer {
        let mut op = self.rig.op();
        let answer = self.rig.put(&mut op, path, body);
        answer.expect("an answer to the last block")
    }

    /// Sends an envelope that has to be refused before anything is written.
    pub(crate) fn refuses(&mut self, what: &str, envelope: &[u8], refusal: Refusal) {
        let before = self.rig.flash.0.borrow().bytes().to_vec();
        let answer = self.put(VM1, envelope);
        assert!(answer.is(refusal), "{what}: {refusal}: {answer:?}");
        let same = before == self.rig.flash.0.borrow().bytes();
        assert!(same, "{what}: the flash was touched");
        self.rig.asks("one");
    }

    /// After all of that, the device takes the good envelope.
    pub(crate) fn serves_on(mut self) {
        let good = self.envelope(|_| {});
        self.takes(&good);
    }

    /// The device takes this envelope, and its payload, and runs it.
    pub(crate) fn takes(&mut self, envelope: &[u8]) {
        let answer = self.put(VM1, envelope);
        assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
        let artifact = self.two.artifact.clone();
        let answer = self.put(PAYLOAD, &artifact);
        assert_eq!(answer.code, Code::CHANGED, "{answer:?}");
        self.rig.asks("two");
    }
}
