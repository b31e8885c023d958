//! Signed envelopes for the device under test.
//!
//! Real capsules are translated and signed before, by `signer`, into the folder
//! that the variable [`FOLDER`] names: a fuzzer has no compiler in it. Without
//! them there are only envelopes that promise a payload nobody has.

use rand_core::RngCore;
use sealift_manifest::{Kind, PublicKey, build_envelope};
use sealift_oscore::coap::Code;
use std::path::Path;

use crate::promise::{anchor, fake_key, spec};
use crate::rng::Rng;

/// The environment variable that says where the signed capsules are.
pub const FOLDER: &str = "SEALIFT_FUZZ_FIXTURES";

/// A body that a deployer sends.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) code: Code,
    pub(crate) path: &'static [&'static str],
    pub(crate) bytes: Vec<u8>,
}

/// What there is to send, and whose signatures count.
#[derive(Clone, Debug)]
pub(crate) struct Fixtures {
    pub(crate) trust: Vec<PublicKey>,
    /// Bodies in a fixed order; the real ones last.
    pub(crate) bodies: Vec<Body>,
    /// The envelope of what runs at the start.
    pub(crate) active: Option<Vec<u8>>,
    /// That of a capsule that makes host calls as it is told.
    pub(crate) hostcalls: Option<Vec<u8>>,
    /// That of one that runs once and exports plain functions.
    pub(crate) functions: Option<Vec<u8>>,
    /// Those of two that say which they are, and of one that does not start.
    pub(crate) versions: Option<[Vec<u8>; 3]>,
}

/// The files that the translator made, and how they are sent.
const FILES: [(&str, Code, &[&str]); 5] = [
    ("next.suit", Code::PUT, &["vm-control", "vm1"]),
    ("other.suit", Code::PUT, &["vm-control", "vm2"]),
    ("detached.suit", Code::PUT, &["vm-control", "vm1"]),
    (
        "detached.suit.payload",
        Code::PUT,
        &["vm-control", "vm1", "payload"],
    ),
    ("job.suit", Code::POST, &["vm-run"]),
];

impl Fixtures {
    /// All there is.
    pub(crate) fn load() -> Self {
        let mut fixtures = Self {
            trust: vec![anchor()],
            bodies: promises(),
            active: None,
            hostcalls: None,
            functions: None,
            versions: None,
        };
        if let Some(folder) = std::env::var_os(FOLDER) {
            fixtures.read(Path::new(&folder));
        }
        fixtures
    }

    /// Adds the signed capsules in `folder`. Where one is missing, the fuzzer
    /// would look for less than it says: that is the end.
    fn read(&mut self, folder: &Path) {
        let file = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let key = String::from_utf8(file("translator.pub")).unwrap();
        let key = ed25519_compact::PublicKey::from_pem(&key).unwrap();
        self.trust.push(PublicKey::from_bytes(&key).unwrap());
        self.active = Some(file("active.suit"));
        self.hostcalls = Some(file("hostcalls.suit"));
        self.functions = Some(file("eval-ephemeral.suit"));
        self.versions = Some(["active.suit", "next.suit", "fails.suit"].map(&file));
        for (name, code, path) in FILES {
            let mut bytes = file(name);
            if path == ["vm-run"] {
                bytes.extend(b"input");
            }
            self.bodies.push(Body { code, path, bytes });
        }
    }
}

/// Envelopes with good signatures and payloads that are other ones than those
/// they promise. Never the promised ones: what such a signature says is that a
/// translator made the payload.
fn promises() -> Vec<Body> {
    let promise = |component: &str, sequence, kind, size: usize, whole: bool| {
        let mut payload = vec![0; size];
        Rng::new(0x5eed).fill_bytes(&mut payload);
        let mut spec = spec(component, sequence, &payload);
        spec.invoke.kind = kind;
        let inside = whole.then_some(&payload[..]);
        let mut envelope = build_envelope(&spec, &[&fake_key()], inside, None).unwrap();
        if whole {
            let start = envelope.len() - size;
            envelope[start..].fill(0x7f);
        }
        envelope
    };
    let persistent = Kind::Persistent;
    vec![
        Body {
            code: Code::PUT,
            path: &["vm-control", "vm1"],
            bytes: promise("vm1", 50, persistent, 3000, false),
        },
        Body {
            code: Code::PUT,
            path: &["vm-control", "vm1", "payload"],
            bytes: vec![0x7f; 3000],
        },
        Body {
            code: Code::PUT,
            path: &["vm-control", "vm2"],
            bytes: promise("vm2", 60, persistent, 1500, true),
        },
        Body {
            code: Code::POST,
            path: &["vm-run"],
            bytes: promise("vm-run", 1, Kind::Ephemeral, 700, true),
        },
        Body {
            code: Code::PUT,
            path: &["vm1", "config"],
            bytes: vec![b'x'; 1024],
        },
    ]
}
