//! An attack: what is sent, and what has to become of it.

use std::fmt::Write as _;

use ed25519_compact::KeyPair;
use sealift_manifest::{Error, ErrorClass};
use sealift_wire::Refusal;

use crate::common::craft::{Layers, bstr, set, tstr, uint};
use crate::common::fake_key;

/// What the device of the attacks runs, and what it is sent.
pub(crate) const RUNNING: &[u8] = include_bytes!("../../attacks/running.cwasm");
pub(crate) const UPDATE: &[u8] = include_bytes!("../../attacks/update.cwasm");

/// The engine profile that the two are translated for.
pub(crate) const PROFILE: &str = "wasmtime48/pulley64/4";
/// Vendor and class of a device that was not given its own.
pub(crate) const VENDOR: [u8; 16] =
    *b"\xf1\x8d\x0c\x96\x88\xef\x58\x81\x80\xb3\xa5\x3d\x21\xbb\x4b\xed";
pub(crate) const CLASS: [u8; 16] =
    *b"\x32\x85\xe7\xd2\x04\xc6\x5a\xfa\x9a\xb1\x46\xc7\x67\x7e\x16\x85";

/// Sequence number of the envelope that was installed first.
pub(crate) const FIRST: u64 = 4;
/// Of what runs.
pub(crate) const NOW: u64 = 5;
/// Of what is sent.
pub(crate) const NEXT: u64 = 6;

/// The numbers of the keys that the device of the attacks trusts.
pub(crate) const TRUSTED: [u8; 2] = [1, 3];

/// A FAKE key. Devices of the attacks trust the first and the third one, never
/// the second one, and the fourth one no more.
pub(crate) fn key(number: u8) -> KeyPair {
    fake_key(number)
}

/// The manifest of the update, which the device would take.
pub(crate) fn manifest() -> Layers {
    manifest_of(UPDATE, NEXT)
}

pub(crate) fn manifest_of(payload: &[u8], sequence: u64) -> Layers {
    let mut layers = Layers::new(payload);
    set(&mut layers.top, 2, uint(sequence));
    set(&mut layers.parameters, 1, bstr(&VENDOR));
    set(&mut layers.parameters, 2, bstr(&CLASS));
    set(&mut layers.args, 1, tstr(PROFILE));
    set(&mut layers.args, 4, uint(4096));
    set(&mut layers.args, 5, uint(0));
    set(&mut layers.args, 7, uint(0));
    layers
}

/// The same after a change, encoded.
pub(crate) fn changed(change: impl FnOnce(&mut Layers)) -> Vec<u8> {
    let mut layers = manifest();
    change(&mut layers);
    layers.encode()
}

pub(crate) struct Attack {
    pub(crate) name: String,
    /// The threat that it is an instance of; none for what is good.
    pub(crate) threat: Option<&'static str>,
    pub(crate) what: String,
    pub(crate) envelope: Vec<u8>,
    /// What is sent as the detached payload.
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) outcome: Outcome,
    /// What changes in the flash of the device.
    pub(crate) flip: Option<Flip>,
    /// Whether it is signed by a key that was trusted once.
    pub(crate) revoked: bool,
}

/// What has to become of it.
#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    /// Nothing is wrong.
    Taken,
    /// The envelope is none of a trusted translator's.
    Envelope(Error),
    /// It is, and not for this device, or not any more.
    Device(Refusal),
    /// The payload is not the one.
    Payload(Error, Refusal),
    /// It is, until it is to be started.
    Activation(Error, Refusal),
}

/// A bit of what is stored.
#[derive(Clone, Copy)]
pub(crate) struct Flip {
    pub(crate) in_payload: bool,
    pub(crate) byte: usize,
    pub(crate) bit: u8,
}

impl Attack {
    /// What this crate says to it.
    pub(crate) fn error(&self) -> Option<Error> {
        match self.outcome {
            Outcome::Taken | Outcome::Device(_) => None,
            Outcome::Envelope(error)
            | Outcome::Payload(error, _)
            | Outcome::Activation(error, _) => Some(error),
        }
    }

    /// What a device says to it.
    fn refusal(&self) -> Option<Refusal> {
        match self.outcome {
            Outcome::Taken => None,
            Outcome::Envelope(error) => Some(match error.class() {
                ErrorClass::Malformed => Refusal::Malformed,
                ErrorClass::Untrusted => Refusal::Untrusted,
                ErrorClass::Tampered => Refusal::Tampered,
            }),
            Outcome::Device(refusal)
            | Outcome::Payload(_, refusal)
            | Outcome::Activation(_, refusal) => Some(refusal),
        }
    }

    fn stage(&self) -> &'static str {
        match self.outcome {
            Outcome::Taken => "taken",
            Outcome::Envelope(_) | Outcome::Device(_) => "envelope",
            Outcome::Payload(..) => "payload",
            Outcome::Activation(..) => "activation",
        }
    }

    /// The machine-readable file of its folder.
    pub(crate) fn to_toml(&self) -> String {
        let mut toml = format!("what = {:?}\n", self.what);
        if let Some(threat) = self.threat {
            let _ = writeln!(toml, "threat = {threat:?}");
        }
        let _ = writeln!(toml, "stage = {:?}", self.stage());
        if let Some(error) = self.error() {
            let (name, number) = (format!("{error:?}"), error.code());
            let _ = writeln!(toml, "error = {{ name = {name:?}, number = {number} }}");
        }
        if let Some(refusal) = self.refusal() {
            let (name, number) = (format!("{refusal:?}"), refusal.number());
            let code = code(refusal);
            let _ = writeln!(
                toml,
                "refusal = {{ name = {name:?}, number = {number}, code = {code:?} }}"
            );
        }
        if let Some(Flip {
            in_payload,
            byte,
            bit,
        }) = self.flip
        {
            let file = if in_payload {
                "payload.bin"
            } else {
                "envelope.suit"
            };
            let _ = writeln!(
                toml,
                "flip = {{ file = {file:?}, byte = {byte}, bit = {bit} }}"
            );
        }
        if self.revoked {
            toml.push_str("revoked = \"FAKE-key-4.pub\"\n");
        }
        toml
    }
}

/// The response code of a refusal, as people write it.
fn code(refusal: Refusal) -> String {
    format!("{}.{:02}", refusal.code() >> 5, refusal.code() & 0x1f)
}

/// All of them as a table for people.
pub(crate) fn index(attacks: &[Attack]) -> String {
    let mut index = String::from(
        "# The attacks, one folder each\n\n\
         Made from the tables in `manifest/tests/attacks`, as the folders are. [README.md](README.md) explains them.\n\n\
         | folder | what it is | threat | refused at | because of | answer |\n|---|---|---|---|---|---|\n",
    );
    for attack in attacks {
        let named = |name: Option<String>| name.unwrap_or_else(|| "-".into());
        let error = attack.error().map(|e| format!("{e:?} ({})", e.code()));
        let refusal = attack.refusal();
        let refusal = refusal.map(|r| format!("{} {r:?} ({})", code(r), r.number()));
        let _ = writeln!(
            index,
            "| `{}` | {} | {} | {} | {} | {} |",
            attack.name,
            attack.what.replace('|', "\\|"),
            attack.threat.unwrap_or("-"),
            attack.stage(),
            named(error),
            named(refusal)
        );
    }
    index
}
