//! The way of a capsule: the signer's library, the manifest's checks, and the
//! device's runtime.

use std::sync::LazyLock;

use sealift_core::capsule::{ArtifactBytes, Ephemeral, Fault, Host, Quota, Reading, TrapReason};
use sealift_core::capsule::{Category, Unavailable};
use sealift_engine::HOST;
use sealift_manifest::{PublicKey, Scan, Sign, scan_head, verify};
use signer::{Error, Key, Kind, PayloadAt, SignRequest};

use crate::wrap::WRAPPING;
use crate::{FUEL, MEMORY, Outcome};

/// Linear memory: the module's, and that of the capsule around it.
const BOTH: u32 = (MEMORY + WRAPPING) as u32;

/// Stack of the interpreter: eight times the default, because few of these
/// modules care for it.
const STACK: u32 = 64 * 1024;

/// A FAKE key. Everybody can make signatures with it.
static KEY: LazyLock<Key> = LazyLock::new(|| Key::from_seed(&[1; 32]).expect("a seed"));

/// A board that has nothing.
#[derive(Clone)]
struct Bare;

impl Host for Bare {
    fn log(&mut self, _: &str, _: &str) {}

    fn random(&mut self, _: &mut [u8]) -> Result<(), Unavailable> {
        Err(Unavailable)
    }

    fn now_ms(&mut self) -> u64 {
        0
    }

    fn read_sensors(&mut self, _: Option<Category>) -> Result<Vec<Reading>, Unavailable> {
        Err(Unavailable)
    }
}

/// Translates and signs an ephemeral capsule for this machine.
///
/// # Errors
///
/// The signer's.
pub fn sign(wasm: &[u8]) -> Result<Vec<u8>, Error> {
    let request = SignRequest {
        target: HOST,
        kind: Kind::Ephemeral,
        fuel: FUEL,
        memory: BOTH,
        stack: STACK,
        ..SignRequest::new(wasm, &KEY, "vm-run", 1)
    };
    signer::sign(&request).map(|signed| signed.envelope)
}

/// Translates again what an envelope was made of, and compares.
///
/// # Errors
///
/// That it is not the same.
pub fn reproduce(envelope: &[u8], wasm: &[u8]) -> Result<(), String> {
    let anchor = PublicKey::from_bytes(&KEY.public_key()).expect("a key");
    match signer::verify(envelope, &[anchor], PayloadAt::Envelope, Some(wasm)) {
        Ok(checked) if checked.reproduced => Ok(()),
        other => Err(format!("it is not reproduced: {other:?}")),
    }
}

/// Takes an envelope as a device does, and runs what is in it.
///
/// # Errors
///
/// What ended it that is none of the outcomes.
pub fn run(envelope: &[u8], input: &[u8]) -> Result<Outcome, String> {
    let Ok(Scan::Complete { head_len, .. }) = scan_head(envelope) else {
        return Err("the head of the envelope is not complete".into());
    };
    let (head, payload) = envelope.split_at(head_len);
    let anchor = PublicKey::from_bytes(&KEY.public_key()).expect("a key");
    let manifest = verify(head, &[anchor]).map_err(|error| error.to_string())?;
    let payload = ArtifactBytes::copy(payload).ok_or("no memory")?;
    let payload = manifest.admit(payload).map_err(|error| error.to_string())?;
    match Ephemeral::run(&manifest, payload, Bare, &Quota::default(), input)
        .and_then(|job| job.finish())
    {
        Ok(output) => Ok(Outcome::Output(output)),
        Err(fault) => outcome(fault),
    }
}

fn outcome(fault: Fault) -> Result<Outcome, String> {
    match fault {
        Fault::Init(fault) => Ok(Outcome::InStart(Box::new(outcome(*fault)?))),
        Fault::In(_, fault) => outcome(*fault),
        Fault::Trapped(TrapReason::Wasm(trap)) => Ok(Outcome::Trap(trap)),
        Fault::OutOfMemory => Ok(Outcome::Refused),
        Fault::OutOfFuel => Ok(Outcome::OutOfFuel),
        Fault::StackOverflow => Ok(Outcome::OutOfStack),
        other => Err(format!("the device fails: {other}")),
    }
}
