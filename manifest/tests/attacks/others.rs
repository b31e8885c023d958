//! Well made and well signed, and not for this device, or not any more.

use sealift_wire::Refusal;

use crate::attack::{FIRST, NOW, Outcome, RUNNING, changed, key, manifest_of};
use crate::common::craft::{Layers, array, bstr, set, signed, tstr, uint};
use crate::good::integrated;
use crate::tables::List;

impl List {
    fn other(
        &mut self,
        name: &str,
        threat: &'static str,
        refusal: Refusal,
        what: &str,
        change: impl FnOnce(&mut Layers),
    ) {
        let envelope = signed(&key(1), &changed(change));
        let outcome = Outcome::Device(refusal);
        self.add(name, threat, outcome, what, (envelope, None));
    }
}

pub(crate) fn list(list: &mut List) {
    rows! { list.other;
        "other-vendor", "NET-19", Refusal::WrongDevice, "for devices of another vendor", |m| set(&mut m.parameters, 1, bstr(&[9; 16]));
        "other-class", "NET-19", Refusal::WrongDevice, "for another class of devices", |m| set(&mut m.parameters, 2, bstr(&[9; 16]));
        "other-component", "NET-21", Refusal::WrongComponent, "for another component", |m| { m.components = array(&[array(&[bstr(b"vm2")])]); m.uri = tstr("vm2/payload"); };
        "other-width", "NET-19", Refusal::WrongProfile, "for devices of the other pointer width", |m| set(&mut m.args, 1, tstr("wasmtime48/pulley32/4"));
        "other-engine", "NET-19", Refusal::WrongProfile, "for another Wasmtime", |m| set(&mut m.args, 1, tstr("wasmtime1/pulley64/1"));
        "older-profile", "NET-19", Refusal::WrongProfile, "for an older engine profile", |m| set(&mut m.args, 1, tstr("wasmtime48/pulley64/3"));
        "other-kind", "NET-20", Refusal::WrongKind, "a capsule that runs once, to be installed", |m| set(&mut m.args, 6, uint(1));
        "fuel-max", "NET-19", Refusal::LimitsTooHigh, "as much fuel as there can be", |m| set(&mut m.args, 2, uint(u64::MAX));
        "memory-max", "NET-19", Refusal::LimitsTooHigh, "as much memory as there can be", |m| set(&mut m.args, 3, uint(u64::from(u32::MAX)));
        "stack-max", "NET-19", Refusal::LimitsTooHigh, "as much stack as there can be", |m| set(&mut m.args, 4, uint(u64::from(u32::MAX)));
        "size-over-slot", "NET-25", Refusal::NoSpace, "a payload that no slot has room for", |m| set(&mut m.parameters, 14, uint(64 * 1024));
        "size-max", "NET-25", Refusal::NoSpace, "the largest payload that a manifest can have", |m| set(&mut m.parameters, 14, uint(u64::from(u32::MAX)));
        "sequence-zero", "NET-3", Refusal::OldSequence, "sequence number 0", |m| set(&mut m.top, 2, uint(0));
        "sequence-lower", "NET-3", Refusal::OldSequence, "another capsule with a lower sequence number", |m| set(&mut m.top, 2, uint(FIRST));
        "sequence-equal", "NET-3", Refusal::OldSequence, "another capsule with the sequence number of the one that runs", |m| set(&mut m.top, 2, uint(NOW));
    }
    let (name, what) = (
        "sequence-replayed",
        "the very envelope that was installed before",
    );
    let envelope = integrated(manifest_of(RUNNING, FIRST), RUNNING);
    let outcome = Outcome::Device(Refusal::OldSequence);
    list.add(name, "NET-3", outcome, what, (envelope, None));
}
