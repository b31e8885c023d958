//! What must hold after each step, and at the end.

use sealift_core::Roles;
use sealift_oscore::coap::{Code, Header, Inner, Kind, Message};
use sealift_oscore::{Identity, MAX_DATAGRAM};
use sealift_wire::{ComponentStatus, DeviceStatus, Phase};

use super::Trusting;
use super::model::Content;
use super::people::{PRESENT, STRANGER};
use super::record::Record;
use crate::rig::{Reply, address, request};

impl Trusting {
    /// The device says what the model does, and runs nothing that is not trusted.
    pub(super) fn compare(&mut self) {
        self.rig.poll();
        if self.rig.flash.is_off() {
            self.recover(None);
        }
        let who = self.somebody(Roles::DEPLOY.and(Roles::OBSERVE));
        let status = self.rig.status_for(who);
        assert_eq!(status.trust, Some(self.now.number));
        self.check_record(who);
        for (vm, said) in status.components.iter().enumerate() {
            let runs = said.sequence.filter(|_| said.running);
            if let Some(number) = runs {
                assert!(
                    self.trusts(vm, number),
                    "runs what is not trusted: {said:?}"
                );
            }
            self.runs[vm] = runs;
        }
    }

    /// There is a record in force, if there is one; a damaged one is not.
    fn check_record(&mut self, who: usize) {
        let reply = self.ask(who, &request(Code::GET, "vm-control/trust"));
        let Reply::Protected(plaintext) = &reply else {
            panic!("{reply:?}");
        };
        let inner = Inner::parse(plaintext).unwrap();
        let said = ComponentStatus::from_cbor(inner.payload).unwrap();
        assert_eq!(said.highest, self.now.number, "{said:?}");
        assert_eq!(said.running, !self.now.stored.is_empty(), "{said:?}");
        if said.running {
            assert_eq!(said.sequence, Some(self.now.number), "{said:?}");
        }
    }

    /// What ran before and is trusted still was not stopped.
    pub(super) fn check_running(&mut self) {
        self.rig.poll();
        let who = self.somebody(Roles::DEPLOY.and(Roles::OBSERVE));
        let status = self.rig.status_for(who);
        for (vm, said) in status.components.iter().enumerate() {
            if let Some(number) = self.runs[vm].filter(|number| self.trusts(vm, *number)) {
                assert!(said.running, "was stopped: {said:?}");
                assert_eq!(said.sequence, Some(number));
            }
        }
    }

    /// Everybody asks for everything, and gets what the record says.
    pub(super) fn probe(&mut self) {
        let looks = Roles::DEPLOY.and(Roles::OBSERVE);
        for who in 0..PRESENT {
            for (code, path, any_of) in [
                (Code::GET, "vm-control", looks),
                (Code::GET, "vm1/version", Roles::USE),
                (Code::POST, "vm-run", Roles::DEPLOY),
            ] {
                let reply = self.ask(who, &request(code, path));
                if self.rig.flash.is_off() {
                    self.recover(None);
                    return;
                }
                self.check_known(who, any_of, &reply);
            }
        }
    }

    /// A real key exchange, of somebody present or of a stranger.
    pub(super) fn connect(&mut self, who: usize) {
        let known = self.now.content.place(who).is_some();
        if who == STRANGER && known {
            // There would be more of them than a device has sessions.
            return;
        }
        let looks = Roles::DEPLOY.and(Roles::OBSERVE);
        match self.now.content.may(who, looks) {
            true => drop(self.status_of_stranger(who)),
            false => {
                let made = self.exchange(who).is_some();
                assert_eq!(made, known, "a session for {who}");
            }
        }
        if who != STRANGER {
            self.rig.renew(who);
        }
    }

    fn exchange(&mut self, who: usize) -> Option<sealift_oscore::ClientContext> {
        self.exchanges += 1;
        self.proven = self.taken;
        let world = self.rig.world.clone();
        let people = &world.people;
        let person: &Identity = people.known.get(who).unwrap_or(&people.stranger);
        self.rig
            .exchange(person, address(who), 100 + self.exchanges)
    }

    /// The status, asked for by somebody without a session, who has to get one.
    pub(super) fn status_of_stranger(&mut self, who: usize) -> DeviceStatus {
        let mut context = self.exchange(who).expect("locked out");
        let mid = self.rig.next_mid();
        let header = Header {
            kind: Kind::Confirmable,
            mid,
            token: b"s",
        };
        let mut buffer = [0; MAX_DATAGRAM];
        let get = |writer: &mut sealift_oscore::coap::Writer<'_>| writer.uri_path("vm-control");
        let protected = context.protect(header, Code::GET, get, &mut buffer);
        let (length, sent) = protected.unwrap();
        let reply = self.rig.deliver_unwritten(address(who), &buffer[..length]);
        let message = Message::parse(&reply).unwrap();
        let mut scratch = [0; MAX_DATAGRAM];
        let inner: Inner<'_> = context.unprotect(&sent, &message, &mut scratch).unwrap();
        assert_eq!(inner.code, Code::CONTENT, "{inner:?}");
        DeviceStatus::from_cbor(inner.payload).unwrap()
    }

    /// Whatever was taken, a deployer gets a session, and can send what puts everything
    /// right again.
    pub(super) fn finish(&mut self) {
        // What is looked at in the end is there to be looked at.
        self.rig.flash.0.borrow_mut().cancel_cut();
        self.rig.settle();
        self.probe();
        let who = self.somebody(Roles::DEPLOY);
        if self.taken > self.proven {
            self.connect(who);
        }
        let status = self.rig.status_for(who);
        if status.components[1].phase != Phase::Trial {
            for bit in 0..5 {
                self.push(who, 1, &[1 << bit, 1, 0]);
            }
        }
        let mut content = Content::provisioned();
        content.translators.truncate(1);
        content.peers[who].0 |= Roles::DEPLOY.bits();
        let record = Record::good(self.now.number + 1, self.roots, &content);
        for _ in 0..2 {
            self.send(who, &record, 0);
        }
        assert_eq!(self.now.number, record.number, "locked out");
        self.rig.check();
    }
}
