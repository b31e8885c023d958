//! Good envelopes and payloads that are not theirs, on the way and in flash.

use sealift_manifest::Error;
use sealift_wire::Refusal;

use crate::attack::{Flip, Outcome, RUNNING, UPDATE, changed, key, manifest};
use crate::common::craft::{set, signed, uint};
use crate::good::integrated;
use crate::tables::List;

impl List {
    /// A payload behind the good envelope.
    fn detached(
        &mut self,
        name: &str,
        threat: &'static str,
        (error, refusal): (Error, Refusal),
        what: &str,
        payload: Vec<u8>,
    ) {
        self.sized(name, threat, (error, refusal), what, (0, payload));
    }

    /// The same where the signed size is off by this much.
    fn sized(
        &mut self,
        name: &str,
        threat: &'static str,
        (error, refusal): (Error, Refusal),
        what: &str,
        (off, payload): (i64, Vec<u8>),
    ) {
        let size = (UPDATE.len() as u64).wrapping_add_signed(off);
        let manifest = changed(|m| set(&mut m.parameters, 14, uint(size)));
        let sent = (signed(&key(1), &manifest), Some(payload));
        self.add(name, threat, Outcome::Payload(error, refusal), what, sent);
    }

    /// A payload inside of the good envelope.
    fn inside(
        &mut self,
        name: &str,
        threat: &'static str,
        (error, refusal): (Error, Refusal),
        what: &str,
        payload: Vec<u8>,
    ) {
        let mut envelope = integrated(manifest(), UPDATE);
        envelope.truncate(envelope.len() - UPDATE.len());
        envelope.extend(payload);
        let outcome = Outcome::Payload(error, refusal);
        self.add(name, threat, outcome, what, (envelope, None));
    }

    /// A bit of the stored payload, or of the stored envelope.
    fn flipped(&mut self, name: &str, threat: &'static str, error: Error, what: &str, flip: Flip) {
        let sent = (signed(&key(1), &manifest().encode()), Some(UPDATE.to_vec()));
        let outcome = Outcome::Activation(error, Refusal::InitFailed);
        self.add(name, threat, outcome, what, sent);
        if let Some(last) = self.0.last_mut() {
            last.flip = Some(flip);
        }
    }
}

/// The update with one bit of this byte flipped.
fn with_flip(byte: usize) -> Vec<u8> {
    let mut payload = UPDATE.to_vec();
    payload[byte] ^= 1;
    payload
}

pub(crate) fn list(list: &mut List) {
    assert_eq!(
        RUNNING.len(),
        UPDATE.len(),
        "or else the length gives it away"
    );
    let (middle, last) = (UPDATE.len() / 2, UPDATE.len() - 1);
    let half = [&UPDATE[..middle], &RUNNING[middle..]].concat();
    let longer = [UPDATE, &[0]].concat();
    let digest = (Error::PayloadDigest, Refusal::WrongPayload);
    let short = (Error::PayloadSize, Refusal::Truncated);
    let long = (Error::PayloadSize, Refusal::TooLong);
    rows! { list.detached;
        "payload-first-byte", "OP-3", digest, "the first byte of the payload altered", with_flip(0);
        "payload-middle-byte", "OP-3", digest, "a byte in the middle of the payload altered", with_flip(middle);
        "payload-last-byte", "OP-3", digest, "the last byte of the payload altered", with_flip(last);
        "payload-truncated", "NET-25", short, "a payload without its last byte", UPDATE[..last].to_vec();
        "payload-halved", "NET-25", short, "the first half of a payload", UPDATE[..middle].to_vec();
        "payload-extended", "NET-25", long, "a byte behind the payload", longer.clone();
        "payload-of-another", "NET-18", digest, "the payload of another good envelope", RUNNING.to_vec();
        "payload-half-of-another", "NET-18", digest, "half a payload, and the other half of another one", half.clone();
    }
    rows! { list.inside;
        "inside-first-byte", "OP-3", digest, "the first byte of a payload inside altered", with_flip(0);
        "inside-middle-byte", "OP-3", digest, "a byte in the middle of a payload inside altered", with_flip(middle);
        "inside-last-byte", "OP-3", digest, "the last byte of a payload inside altered", with_flip(last);
        "inside-truncated", "NET-25", short, "a payload inside without its last byte", UPDATE[..last].to_vec();
        "inside-extended", "NET-25", (Error::TrailingBytes, Refusal::TooLong), "a byte behind a payload inside", longer.clone();
        "inside-of-another", "NET-18", digest, "the payload of another good envelope inside", RUNNING.to_vec();
        "inside-half-of-another", "NET-18", digest, "half a payload inside, and the other half of another one", half;
    }
    // The digest is right, and the size is signed.
    rows! { list.sized;
        "size-one-more", "NET-25", short, "a size of one byte more than the payload has", (1, UPDATE.to_vec());
        "size-one-more-padded", "NET-25", digest, "the same, and a byte more", (1, longer);
        "size-one-less", "NET-25", long, "a size of one byte less than the payload has", (-1, UPDATE.to_vec());
        "size-one-less-cut", "NET-25", digest, "the same, and a byte less", (-1, UPDATE[..last].to_vec());
    }
    let payload = |byte, bit| Flip {
        in_payload: true,
        byte,
        bit,
    };
    let stored = signed(&key(1), &manifest().encode());
    let source = stored.windows(32).position(|bytes| bytes == [0x5a; 32]);
    let source = source.expect("the manifest has the digest of its source");
    // Behind the signature, which ends in its scalar of 32 bytes, come the key
    // and the length of the manifest, 4 bytes, and the manifest.
    let scalar = stored.len() - changed(|_| {}).len() - 4 - 32;
    let envelope = |byte, bit| Flip {
        in_payload: false,
        byte,
        bit,
    };
    rows! { list.flipped;
        "flash-payload-first-byte", "ST-2", Error::PayloadDigest, "the first byte of the stored payload altered between check and start", payload(0, 0);
        "flash-payload-middle-byte", "ST-2", Error::PayloadDigest, "a byte in the middle of the stored payload altered between check and start", payload(middle, 3);
        "flash-payload-last-byte", "ST-2", Error::PayloadDigest, "the last byte of the stored payload altered between check and start", payload(last, 7);
        "flash-manifest", "ST-3", Error::ManifestDigest, "a byte of the stored manifest altered between check and start", envelope(source, 2);
        "flash-signature", "ST-3", Error::SignatureMismatch, "a byte of the stored signature altered between check and start", envelope(scalar, 0);
    }
}
