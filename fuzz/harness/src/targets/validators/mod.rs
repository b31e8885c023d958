//! Our reading of envelopes against suit_validator's and dress-up's: whoever takes one
//! that ours refuses, or the other way round, does so for a reason that is on a list.
//!
//! The flags of a script choose an envelope, its steps change it as a tree of CBOR: the
//! manifest before it gets a digest and a good signature, or the envelope after that.

mod theirs;
mod tree;

use std::sync::OnceLock;

use ed25519_compact::{KeyPair, Seed};
use sealift_manifest::{
    Delivery, Error, ErrorClass, Grants, Scan, Sign, Text, build_envelope, encode_manifest,
    scan_head, verify,
};
use sha2::{Digest, Sha256};

use super::envelope::{bstr, signed};
use crate::promise::{anchor, fake_key, spec};
use crate::script::{Script, Step};
use crate::trace::Trace;
use tree::Node;

const PAYLOAD: &[u8] = b"not bytecode, but signed as if it were";

/// A bit of the small number of a step: the envelope is changed, not the manifest.
const ENVELOPE: u8 = 0x80;

/// The longest envelope that is shown to everybody.
const MAX_ENVELOPE: usize = 4096;

pub(super) fn run(script: &Script) -> Trace {
    let mut trace = Trace::default();
    let Some(envelope) = envelope(script) else {
        return trace;
    };
    let ours = ours(&envelope);
    let keys = key_set(&fake_key());
    let suit = theirs::suit_validator(&envelope, &keys);
    differ(&ours, suit.as_ref().ok(), suit_validator_differs, &envelope);
    let mut all = suit.is_ok() && ours.is_ok();
    // dress-up does not come back from some lengths that are not said (its issue 17).
    if is_safe(&envelope) {
        let payload = integrated(&envelope).unwrap_or(PAYLOAD);
        let dress_up = theirs::dress_up(&envelope, &fake_key(), payload);
        differ(&ours, dress_up.as_ref().ok(), dress_up_differs, &envelope);
        all &= dress_up.is_ok();
    }
    trace.alike = usize::from(all);
    trace.done = usize::from(ours.is_ok());
    trace.refused = usize::from(ours.is_err());
    trace
}

/// Ours: the sequence number of what a device would run, apart from what device it is.
fn ours(envelope: &[u8]) -> Result<u64, Error> {
    let prefix = envelope
        .get(..sealift_manifest::MAX_HEAD)
        .unwrap_or(envelope);
    let Scan::Complete {
        head_len,
        integrated,
    } = scan_head(prefix)?
    else {
        return Err(Error::Truncated);
    };
    let (head, behind) = envelope
        .split_at_checked(head_len)
        .ok_or(Error::Truncated)?;
    let manifest = verify(head, &[anchor()])?;
    match integrated {
        Some(_) => drop(manifest.admit(behind)?),
        None if behind.is_empty() => drop(manifest.admit(PAYLOAD)?),
        None => return Err(Error::TrailingBytes),
    }
    Ok(manifest.sequence_number)
}

/// Both take it, with the same sequence number, or both refuse it; or this is a known
/// difference.
fn differ(
    ours: &Result<u64, Error>,
    theirs: Option<&u64>,
    known: fn(Option<Error>, &[u8]) -> bool,
    envelope: &[u8],
) {
    match (ours, theirs) {
        (Ok(ours), Some(theirs)) => assert_eq!(ours, theirs, "two numbers: {envelope:02x?}"),
        (Ok(_), None) => assert!(known(None, envelope), "refused: {envelope:02x?}"),
        (Err(error), Some(_)) => {
            assert!(
                known(Some(*error), envelope),
                "taken, {error}: {envelope:02x?}"
            );
        }
        (Err(_), None) => {}
    }
}

/// What suit_validator takes and ours does not, for this reason; or refuses and ours
/// takes.
fn suit_validator_differs(refused: Option<Error>, envelope: &[u8]) -> bool {
    match refused {
        // It does not know integrated payloads.
        None => integrated(envelope).is_some(),
        // It has no payload to look at.
        Some(Error::PayloadSize | Error::PayloadDigest | Error::IntegratedSize) => true,
        Some(error) => differs(error, envelope),
    }
}

/// The same for dress-up, which compares the digest of a payload and not its size.
fn dress_up_differs(refused: Option<Error>, envelope: &[u8]) -> bool {
    refused.is_some_and(|error| {
        matches!(error, Error::PayloadSize | Error::IntegratedSize) || differs(error, envelope)
    })
}

/// What both of them take: what is outside of our profile, any text, and one good
/// signature among others.
fn differs(error: Error, envelope: &[u8]) -> bool {
    is_profile(error)
        || matches!(error, Error::TextDigest | Error::UnsignedText)
        || is_one_of_several(error, envelope)
}

/// The payload in an envelope, where there is one.
fn integrated(envelope: &[u8]) -> Option<&[u8]> {
    let name = b"\x68#capsule";
    // The manifest has the same name for it.
    let place = envelope
        .windows(name.len())
        .rposition(|bytes| bytes == name)?;
    tree::string(&envelope[place + name.len()..])
}

/// Whether there are several signatures, and the others are content with one.
fn is_one_of_several(error: Error, envelope: &[u8]) -> bool {
    let mut signatures = 0;
    for bytes in envelope.windows(2) {
        signatures += usize::from(bytes == [0xd2, 0x84]);
    }
    let of_one = match error {
        Error::SignatureScalar | Error::SignaturePoint | Error::SignatureMismatch => true,
        error => error.class() == ErrorClass::Untrusted,
    };
    of_one && signatures > 1
}

/// Whether ours refuses more than SUIT does: encodings that are not deterministic, what
/// the profile leaves out, and its bounds. What is not authentic is not among these.
fn is_profile(error: Error) -> bool {
    error.class() == ErrorClass::Malformed
}

/// The envelope of a script.
fn envelope(script: &Script) -> Option<Vec<u8>> {
    let base = &bases()[usize::from(script.flags) % bases().len()];
    let of_manifest = |step: &&Step| step.arg & ENVELOPE == 0;
    let mut envelope = match base {
        Base::Whole(envelope) => envelope.clone(),
        Base::Manifest(manifest, payload) => {
            let mut manifest = Node::read(manifest)?;
            for step in script.steps.iter().filter(of_manifest) {
                manifest.change(step);
            }
            let manifest = manifest.write();
            if manifest.len() > MAX_ENVELOPE {
                return None;
            }
            signed(&manifest, payload.then_some(PAYLOAD))
        }
    };
    let is_whole = matches!(base, Base::Whole(_));
    let mut tree = Node::read(&envelope);
    for step in &script.steps {
        if of_manifest(&step) && !is_whole {
            continue;
        }
        if let Some(tree) = &mut tree {
            tree.change(step);
            envelope = tree.write();
        }
    }
    (envelope.len() <= MAX_ENVELOPE).then_some(envelope)
}

/// What is changed.
enum Base {
    /// A manifest, with its payload inside or elsewhere.
    Manifest(Vec<u8>, bool),
    /// An envelope that is signed already.
    Whole(Vec<u8>),
}

fn bases() -> &'static [Base] {
    static BASES: OnceLock<Vec<Base>> = OnceLock::new();
    BASES.get_or_init(|| {
        let mut spec = spec("vm1", 7, PAYLOAD);
        spec.invoke.grants = Grants::LOG;
        spec.invoke.floor = 3;
        let key = fake_key();
        let other = KeyPair::from_seed(Seed::new([2; 32]));
        let manifest = |delivery| encode_manifest(&spec, delivery, None);
        let mut text = Text::new("en").expect("a language");
        text.manifest_description = Some("what it is for".into());
        let whole = |keys: &[&dyn Sign], payload, text| {
            Base::Whole(build_envelope(&spec, keys, payload, text).expect("builds"))
        };
        vec![
            Base::Manifest(manifest(Delivery::Detached), false),
            Base::Manifest(manifest(Delivery::Integrated), true),
            whole(&[&key], None, Some(&text)),
            whole(&[&key, &other], None, None),
            whole(&[&other], None, None),
        ]
    })
}

/// A COSE_KeySet with this key, for suit_validator.
fn key_set(key: &KeyPair) -> Vec<u8> {
    let kid = Sha256::digest(&key.pk[..]);
    // [{1: 1, 2: kid, 3: -19, -1: 6, -2: key}]
    [
        &[0x81, 0xa5, 1, 1, 2][..],
        &bstr(&kid[..8]),
        &[3, 0x32, 0x20, 6, 0x21],
        &bstr(&key.pk[..]),
    ]
    .concat()
}

/// Whether all of it is CBOR of lengths that are said.
fn is_safe(envelope: &[u8]) -> bool {
    let tree = Node::read(envelope);
    tree.is_some_and(|tree| !tree.is_endless() && tree.has_only_cbor())
}

pub(super) fn seeds() -> Vec<(String, Script)> {
    use tree::{HOLD, INSERT, LONGER, NUMBER, REMOVE, REPEAT, REPLACE, STRING, SWAP, TAG};

    let mut seeds = Vec::new();
    let mut seed = |name: String, flags: u8, steps: Vec<Step>| {
        seeds.push((name, Script { flags, steps }));
    };
    for base in 0..bases().len() as u8 {
        seed(format!("genuine-{base}"), base, Vec::new());
    }
    for (name, op, arg, data) in [
        ("number", NUMBER, 0, &[9][..]),
        ("string", STRING, 0, &[0, 0, 0, 1]),
        ("remove", REMOVE, 1, &[]),
        ("repeat", REPEAT, 1, &[]),
        ("swap", SWAP, 0, &[]),
        ("insert", INSERT, 1, &[0x82, 24, 99, 0xf6]),
        ("replace", REPLACE, 0, &[0x82, 1, 2]),
        ("longer", LONGER, 1, &[]),
        ("tag", TAG, 18, &[]),
        ("hold", HOLD, 0, &[]),
    ] {
        for (n, node) in [0_u8, 2, 3, 6, 12, 20].into_iter().enumerate() {
            let data = [&[0, node], data].concat();
            for (which, more) in [("manifest", 0), ("envelope", ENVELOPE)] {
                let step = Step::new(op, arg | more, &data);
                seed(format!("{name}-{which}-{n}"), n as u8 % 2, vec![step]);
            }
        }
    }
    seeds
}
