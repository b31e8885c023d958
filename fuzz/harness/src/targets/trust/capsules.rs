//! Envelopes of capsules, by translators old and new.

use sealift_core::Roles;
use sealift_manifest::{ManifestSpec, Scan, scan_head, verify};
use sealift_oscore::coap::{Code, Kind};
use sealift_wire::Phase;

use super::record::{KEYS, bits, envelope};
use super::{Trusting, code};
use crate::device::{COMPONENTS, LAYOUT};
use crate::fixtures::{Body, Fixtures};
use crate::promise::spec;
use crate::rig::{Reply, request};
use crate::targets::envelope::respecified;

/// Who signed a capsule, and how many it asked for.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) signers: Vec<u8>,
    pub(super) asks: u8,
}

const PATHS: [&[&str]; COMPONENTS] = [&["vm-control", "vm1"], &["vm-control", "vm2"]];

thread_local! {
    static REAL: Option<(ManifestSpec, Vec<u8>)> = real();
}

/// A capsule that runs: what its manifest says, and the payload.
fn real() -> Option<(ManifestSpec, Vec<u8>)> {
    let fixtures = Fixtures::load();
    let [envelope, ..] = fixtures.versions?;
    let prefix = &envelope[..envelope.len().min(sealift_manifest::MAX_HEAD)];
    let Ok(Scan::Complete { head_len, .. }) = scan_head(prefix) else {
        panic!("no head");
    };
    let (head, payload) = envelope.split_at(head_len);
    let manifest = verify(head, &fixtures.trust).expect("it is good");
    Some((respecified(&manifest), payload.to_vec()))
}

impl Trusting {
    /// Sends an envelope without a payload, which is taken or not.
    pub(super) fn push(&mut self, who: usize, vm: usize, data: &[u8]) {
        let [signers, asks, how, ..] = data[..] else {
            return;
        };
        let signed = Signed::new(signers, asks);
        self.take_turns(who);
        let number = self.next(vm).saturating_sub(u64::from(how & 1));
        let mut spec = spec(LAYOUT.names()[vm], number, &[how; 64]);
        spec.invoke.signatures = signed.asks;
        if let Some(envelope) = envelope(&spec, &signed.signers, None) {
            let good = self.takes(who, vm, &signed) && how & 1 == 0;
            self.deliver(who, vm, envelope, good);
        }
    }

    /// Installs a capsule that runs.
    pub(super) fn install(&mut self, who: usize, vm: usize, data: &[u8]) {
        let [signers, asks, ..] = data[..] else {
            return;
        };
        let Some((mut spec, payload)) = REAL.with(Clone::clone) else {
            return;
        };
        let signed = Signed::new(signers, asks);
        self.take_turns(who);
        spec.sequence_number = self.next(vm);
        spec.component = LAYOUT.names()[vm].into();
        spec.invoke.signatures = signed.asks;
        if let Some(envelope) = envelope(&spec, &signed.signers, Some(&payload)) {
            let good = self.takes(who, vm, &signed);
            self.signed[vm].insert(spec.sequence_number, signed);
            self.deliver(who, vm, envelope, good);
        }
    }

    /// Confirms, rolls back or removes.
    pub(super) fn control(&mut self, who: usize, vm: usize, data: &[u8]) {
        let (method, action) = match data.first().copied().unwrap_or(0) % 3 {
            0 => (Code::POST, "/confirm"),
            1 => (Code::POST, "/rollback"),
            _ => (Code::DELETE, ""),
        };
        let path = format!("vm-control/{}{action}", LAYOUT.names()[vm]);
        let reply = self.ask(who, &request(method, &path));
        if self.rig.flash.is_off() {
            self.recover(None);
            return;
        }
        self.check_known(who, Roles::DEPLOY, &reply);
        if code(&reply) == Some(Code::CHANGED) {
            let status = self.rig.status_for(who);
            let active = status.components[vm].sequence.expect("something is active");
            assert!(self.trusts(vm, active), "changed what is not trusted");
        }
    }

    /// A number that was not taken yet.
    fn next(&mut self, vm: usize) -> u64 {
        let who = self.somebody(Roles::DEPLOY.and(Roles::OBSERVE));
        self.rig.status_for(who).components[vm].highest + 1
    }

    /// Whether an envelope with a new number by these signers is taken from this peer.
    fn takes(&mut self, who: usize, vm: usize, signed: &Signed) -> bool {
        let asking = self.somebody(Roles::DEPLOY.and(Roles::OBSERVE));
        let status = self.rig.status_for(asking);
        let content = &self.now.content;
        let name = LAYOUT.names()[vm];
        content.may(who, Roles::DEPLOY)
            && content.allows(&signed.signers, signed.asks, name)
            && status.components[vm].phase != Phase::Trial
    }

    /// Whether the capsule of this number is signed by whom the record in force says.
    pub(super) fn trusts(&self, vm: usize, number: u64) -> bool {
        let Some(Signed { signers, asks }) = self.signed[vm].get(&number) else {
            return false;
        };
        let name = LAYOUT.names()[vm];
        self.now.content.allows(signers, *asks, name)
    }

    fn deliver(&mut self, who: usize, vm: usize, bytes: Vec<u8>, good: bool) {
        let steps = self.rig.flash.steps();
        let body = Body {
            code: Code::PUT,
            path: PATHS[vm],
            bytes,
        };
        let reply = self.rig.send(who, &body, 0..64);
        if self.rig.flash.is_off() {
            self.recover(None);
            return;
        }
        self.check_known(who, Roles::DEPLOY, &reply);
        assert_eq!(code(&reply) == Some(Code::CHANGED), good, "{reply:?}");
        let wrote = self.rig.flash.steps() != steps;
        assert!(good || !wrote, "wrote what it refused");
    }

    /// A request of one of those present.
    pub(super) fn ask(&mut self, who: usize, plaintext: &[u8]) -> Reply {
        self.rig.ask(who, Kind::Confirmable, plaintext, |_| {})
    }
}

impl Signed {
    fn new(signers: u8, asks: u8) -> Self {
        Self {
            signers: bits(signers).map(|bit| KEYS[bit]).collect(),
            asks: asks % 5,
        }
    }
}
