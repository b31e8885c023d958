//! What must hold: at the end, in each status, and in what strangers are told.

use sealift_oscore::MAX_EDHOC;
use sealift_oscore::coap::{Code, Inner, Kind, Message, number};
use sealift_storage::Store;
use sealift_wire::{DeviceStatus, Phase};

use super::{APP, OP, Reply, Rig, request};
use crate::device::{COMPONENTS, LAYOUT, WORD};

/// The longest answer to what is not authentic: a key exchange message.
const MAX_UNPROTECTED: usize = MAX_EDHOC + 24;

impl Rig {
    /// What must hold at the end, whatever happened: the sessions still work,
    /// and what the device says of itself is what is in its flash.
    pub(crate) fn check(&mut self) {
        self.settle();
        let status = self.status();
        let store: Store<_, COMPONENTS, WORD> = Store::mount(self.flash.copy(), LAYOUT).unwrap();
        for (vm, said) in status.components.iter().enumerate() {
            let stored = store.status(vm).unwrap();
            assert_eq!(
                (said.highest, said.floor),
                (stored.highest, stored.floor),
                "{said:?}"
            );
            assert_eq!(said.sequence, stored.active.map(|active| active.sequence));
            assert_eq!(said.previous, stored.previous.map(|info| info.sequence));
            let transfer = said.transfer.as_ref();
            assert_eq!(
                transfer.map(|transfer| (transfer.sequence, transfer.digest)),
                stored
                    .transfer
                    .map(|transfer| (transfer.sequence, transfer.digest))
            );
        }
        let of_capsule = request(Code::GET, "vm1/temperature");
        let reply = self.ask(APP, Kind::Confirmable, &of_capsule, |_| {});
        assert!(matches!(reply, Reply::Protected(_)), "{reply:?}");
    }

    /// What the device says of itself to the deployer, who has to get an
    /// answer; checked against what it said before.
    pub(crate) fn status(&mut self) -> DeviceStatus {
        let plaintext = request(Code::GET, "vm-control");
        let reply = self.ask(OP, Kind::Confirmable, &plaintext, |_| {});
        let Reply::Protected(answer) = &reply else {
            panic!("no status: {reply:?}");
        };
        let inner = Inner::parse(answer).unwrap();
        assert_eq!(inner.code, Code::CONTENT);
        let status = DeviceStatus::from_cbor(inner.payload).unwrap();
        for (vm, now) in status.components.iter().enumerate() {
            assert!(now.floor <= now.highest, "{now:?}");
            if let Some(sequence) = now.sequence {
                assert!((now.floor..=now.highest).contains(&sequence), "{now:?}");
            }
            assert!(!(now.phase == Phase::Trial && now.transfer.is_some()));
            let before = self.last.as_ref().map(|last| &last.components[vm]);
            if let Some(before) = before {
                assert!(now.highest >= before.highest, "{before:?} {now:?}");
                assert!(now.floor >= before.floor, "{before:?} {now:?}");
            }
            self.trace.highest = self.trace.highest.max(now.highest);
            self.trace.transfers |= now.transfer.is_some();
        }
        self.last = Some(status.clone());
        status
    }
}

/// Checks what the device says to somebody who has not proven anything.
pub(super) fn check_unprotected(reply: &[u8]) {
    assert!(reply.len() <= MAX_UNPROTECTED, "{} bytes", reply.len());
    let protected = Message::parse(reply).unwrap().option(number::OSCORE);
    assert!(protected.is_none(), "a protected answer to a stranger");
}
