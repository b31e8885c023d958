//! How the tables put attacks on the list.

use sealift_manifest::Error;

use crate::attack::{Attack, Outcome, changed, key};
use crate::common::craft::{
    Block, Layers, bstr, envelope, signed, signed_entries, suit_digest, uint, wrapper,
};

/// An envelope, and the detached payload that is sent behind it.
pub(crate) type Sent = (Vec<u8>, Option<Vec<u8>>);

#[derive(Default)]
pub(crate) struct List(pub(crate) Vec<Attack>);

/// Rows of attacks that one method of the list makes, one a line: name,
/// threat, reason, what it is, and how it is made.
macro_rules! rows {
    ($list:ident.$method:ident; $($name:expr, $threat:literal, $reason:expr, $what:expr, $how:expr;)+) => {
        $( $list.$method($name, $threat, $reason, $what, $how); )+
    };
}

impl List {
    /// An envelope, and a payload where it comes to that.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        threat: impl Into<Option<&'static str>>,
        outcome: Outcome,
        what: impl Into<String>,
        (envelope, payload): Sent,
    ) {
        self.0.push(Attack {
            name: name.into(),
            threat: threat.into(),
            what: what.into(),
            envelope,
            payload,
            outcome,
            flip: None,
            revoked: false,
        });
    }

    /// Bytes that are sent as an envelope.
    pub(crate) fn envelope(
        &mut self,
        name: impl Into<String>,
        threat: &'static str,
        error: Error,
        what: impl Into<String>,
        envelope: Vec<u8>,
    ) {
        self.add(
            name,
            threat,
            Outcome::Envelope(error),
            what,
            (envelope, None),
        );
    }

    /// Entries of an envelope, made from those of a good one.
    pub(crate) fn entries(
        &mut self,
        name: impl Into<String>,
        threat: &'static str,
        error: Error,
        what: impl Into<String>,
        change: impl FnOnce(&mut Vec<(Vec<u8>, Vec<u8>)>),
    ) {
        let mut entries = signed_entries(&key(1), &changed(|_| {}));
        change(&mut entries);
        self.envelope(name, threat, error, what, envelope(&entries));
    }

    /// A manifest that is changed and then signed.
    pub(crate) fn signed(
        &mut self,
        name: impl Into<String>,
        threat: &'static str,
        error: Error,
        what: impl Into<String>,
        change: impl FnOnce(&mut Layers),
    ) {
        let envelope = signed(&key(1), &changed(change));
        self.envelope(name, threat, error, what, envelope);
    }

    /// Bytes in the place of a manifest, signed.
    pub(crate) fn manifest(
        &mut self,
        name: impl Into<String>,
        threat: &'static str,
        error: Error,
        what: impl Into<String>,
        bytes: Vec<u8>,
    ) {
        self.envelope(name, threat, error, what, signed(&key(1), &bytes));
    }

    /// A signature block that is changed and then signed.
    pub(crate) fn block(
        &mut self,
        name: impl Into<String>,
        threat: &'static str,
        error: Error,
        what: impl Into<String>,
        change: impl FnOnce(&mut Block),
    ) {
        let wrap = |manifest: &[u8]| {
            let mut block = Block::by(&key(1));
            change(&mut block);
            let digest = suit_digest(manifest);
            wrapper(&digest, &[block.sign(&key(1), &digest)])
        };
        self.wrapped(name, threat, error, what, wrap);
    }

    /// An authentication wrapper, made from the manifest's byte string.
    pub(crate) fn wrapped(
        &mut self,
        name: impl Into<String>,
        threat: &'static str,
        error: Error,
        what: impl Into<String>,
        wrap: impl FnOnce(&[u8]) -> Vec<u8>,
    ) {
        let envelope = under(&bstr(&changed(|_| {})), wrap);
        self.envelope(name, threat, error, what, envelope);
    }
}

/// An envelope whose authentication wrapper is made from the manifest's byte
/// string.
pub(crate) fn under(manifest: &[u8], wrap: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
    envelope(&[
        (uint(2), bstr(&wrap(manifest))),
        (uint(3), manifest.to_vec()),
    ])
}
