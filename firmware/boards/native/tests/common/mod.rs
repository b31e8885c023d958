//! A device with keys and credentials, and the questions that tests ask it.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part of this"
)]

pub(crate) mod gate;

use sealift_wire::{ComponentStatus, DeviceStatus};
use testbed::{Device, RawPeer, Sign, Workshop};

/// What the two thermometers say of themselves.
pub(crate) const V1: &str = "1";
pub(crate) const V2: &str = "2";

/// A system under test.
pub(crate) struct Bench {
    pub(crate) workshop: Workshop,
    pub(crate) device: Device,
}

impl Bench {
    /// A device with an empty flash.
    pub(crate) fn new() -> Self {
        let workshop = Workshop::furnished().unwrap();
        let device = workshop.device().unwrap();
        Self { workshop, device }
    }

    /// A device that runs version 1, sequence number 1, confirmed.
    pub(crate) fn with_v1() -> Self {
        let bench = Self::new();
        bench.sign("v1.suit", &Sign::default());
        bench.op(&["push", "v1.suit"]);
        bench.op(&["confirm", "vm1"]);
        bench
    }

    /// As [`Bench::with_v1`], with an operator who may use capsules, too, and
    /// as vm2 one of which `/spin` takes long and ends with its fuel.
    pub(crate) fn with_a_slow_capsule() -> Self {
        let workshop = Workshop::furnished().unwrap();
        let op = workshop.path("op.pub");
        let device = workshop
            .device_with(|options| options.allow.push(("use".into(), op)))
            .unwrap();
        let bench = Self { workshop, device };
        bench.sign("v1.suit", &Sign::default());
        let slow = Sign {
            capsule: "hostile",
            component: "vm2",
            grants: &["log", "rng"],
            extra: &["--fuel", "30000000"],
            ..Sign::default()
        };
        bench.sign("slow.suit", &slow);
        for (vm, envelope) in [("vm1", "v1.suit"), ("vm2", "slow.suit")] {
            bench.op(&["push", envelope]);
            bench.op(&["confirm", vm]);
        }
        bench
    }

    pub(crate) fn sign(&self, out: &str, sign: &Sign<'_>) {
        self.workshop.sign(out, sign).unwrap().success().unwrap();
    }

    /// Signs a capsule, sends it and confirms it.
    pub(crate) fn install(&self, sign: &Sign<'_>) {
        self.sign("install.suit", sign);
        self.op(&["push", "install.suit"]);
        self.op(&["confirm", sign.component]);
    }

    /// What the device says of a component.
    pub(crate) fn status(&self, vm: &str) -> serde_json::Value {
        serde_json::from_str(&self.op(&["status", vm, "--json"])).unwrap()
    }

    /// Somebody with a session of their own.
    pub(crate) fn peer(&self, credential: &str) -> RawPeer {
        let mut peer = RawPeer::new(&self.workshop, &self.device, credential).unwrap();
        peer.connect().unwrap();
        peer
    }

    /// Runs the updater as the operator; it must succeed.
    pub(crate) fn op(&self, args: &[&str]) -> String {
        self.run("op", args)
    }

    /// Runs the updater as `credential`; it must succeed.
    pub(crate) fn run(&self, credential: &str, args: &[&str]) -> String {
        let outcome = self.workshop.updater(&self.device, credential, args);
        match outcome.unwrap().success() {
            Ok(outcome) => outcome.stdout,
            Err(error) => panic!("{args:?}: {error}\n{}", self.device.log()),
        }
    }

    /// Runs the updater as `credential`; it must be refused. Returns what it
    /// said last.
    pub(crate) fn refused(&self, credential: &str, args: &[&str]) -> String {
        let outcome = self.workshop.updater(&self.device, credential, args);
        outcome.unwrap().refusal().unwrap().to_owned()
    }

    /// Asserts that the operator's request is refused for this reason, and
    /// that version 1 goes on untouched.
    #[track_caller]
    pub(crate) fn refuses(&self, args: &[&str], reason: &str) {
        let before = self.state();
        let said = self.refused("op", args);
        assert!(said.contains(reason), "{args:?}: {said}");
        assert_eq!(before, self.state(), "{args:?} changed the state");
        self.answers(V1);
    }

    /// The status of vm1, without what changes as time passes.
    pub(crate) fn state(&self) -> String {
        let status = self.op(&["status", "vm1", "--json"]);
        let lines = status.lines().filter(|line| !line.contains("uptime"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Asserts which thermometer answers.
    #[track_caller]
    pub(crate) fn answers(&self, version: &str) {
        assert_eq!(self.version("vm1"), version);
    }

    /// The version of the thermometer that runs as `vm`.
    pub(crate) fn version(&self, vm: &str) -> String {
        let path = format!("/{vm}/version");
        self.run("app", &["call", "GET", &path]).trim().to_owned()
    }

    /// A file in the workshop.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.workshop.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.workshop.path(name), bytes).unwrap();
    }

    /// Kills the device and starts it again.
    pub(crate) fn restart(self) -> Self {
        Self {
            workshop: self.workshop,
            device: self.device.restart().unwrap(),
        }
    }
}

/// Version 2 of the thermometer, with this sequence number.
pub(crate) fn v2(sequence: u64) -> Sign<'static> {
    Sign {
        capsule: "thermometer-v2",
        sequence,
        ..Sign::default()
    }
}

/// A status, or another payload, without what changes as time passes and as
/// capsules are called.
pub(crate) fn timeless(payload: &[u8]) -> Vec<u8> {
    let still = |component: &mut ComponentStatus| {
        component.uptime = None;
        component.fuel_last = None;
        component.fuel_max = None;
    };
    if let Ok(mut device) = DeviceStatus::from_cbor(payload) {
        device.uptime = None;
        device.components.iter_mut().for_each(still);
        device.to_cbor()
    } else if let Ok(mut component) = ComponentStatus::from_cbor(payload) {
        still(&mut component);
        component.to_cbor()
    } else {
        payload.to_vec()
    }
}
