//! What somebody gives the signer: any bytes at all.
//!
//! The first byte of an input says what it is signed as, the rest is the Wasm.

use fuzz_harness::memory;
use signer::{Error, Kind, Target, translate};

use crate::device;

/// The most memory that a translation may take at a time, in bytes, where
/// somebody counts it. Most of it is Cranelift's; what is fuzzed are some
/// kilobytes of Wasm.
const MEMORY: usize = 192 << 20;

/// What became of an input.
#[derive(Debug)]
pub enum Verdict {
    /// It was refused.
    Refused(Error),
    /// It was translated, into so many bytes.
    Translated(usize),
}

/// What an input asks for: the kind, and the target.
#[must_use]
pub const fn choices(first: u8) -> (Kind, Target) {
    let kind = match first & 1 {
        0 => Kind::Ephemeral,
        _ => Kind::Persistent,
    };
    let target = match first & 2 {
        0 => Target::Pulley64,
        _ => Target::Pulley32,
    };
    (kind, target)
}

/// Runs an input of the target `signer`.
///
/// # Panics
///
/// Where the signer does, contradicts itself, finds a fault with its own work,
/// or takes too much memory.
#[must_use]
pub fn run(input: &[u8]) -> Option<Verdict> {
    let (first, wasm) = input.split_first()?;
    let (kind, target) = choices(*first);
    let before = memory::used();
    memory::restart();
    let once = translate(wasm, target, kind);
    let taken = memory::peak().saturating_sub(before);
    assert!(taken <= MEMORY, "the signer took {taken} bytes at a time");

    let again = translate(wasm, target, kind);
    let (once, again) = match (once, again) {
        (Ok(once), Ok(again)) => (once, again),
        (Err(once), Err(again)) => {
            sensible(&once);
            assert_eq!(once.to_string(), again.to_string(), "two reasons");
            return Some(Verdict::Refused(once));
        }
        (once, again) => panic!(
            "refused or not, as it comes: {:?}, {:?}",
            once.err(),
            again.err()
        ),
    };
    assert!(once.payload == again.payload, "two translations differ");

    // That a device comes back from it is all that is asked: what it does when
    // it is called like this, nobody knows.
    if (kind, target) == (Kind::Ephemeral, sealift_engine::HOST)
        && let Ok(envelope) = device::sign(wasm)
    {
        let _ = device::run(&envelope, &[]);
    }
    Some(Verdict::Translated(once.payload.len()))
}

/// A refusal has one reason, and it is the Wasm's fault.
fn sensible(error: &Error) {
    let said = error.to_string();
    assert!(!said.trim().is_empty(), "no reason: {error:?}");
    assert!(said.len() <= 4096, "a reason of {} bytes", said.len());
    assert!(
        !matches!(error, Error::SelfCheck(_)),
        "the signer's own defect: {said}"
    );
}
