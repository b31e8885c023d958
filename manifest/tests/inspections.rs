//! What an inspection without a key finds wrong.

mod common;

use common::{PAYLOAD, detached, integrated, spec};
use sealift_manifest::{Error, inspect};

/// The problems, and whether there is a payload.
fn inspected(envelope: &[u8]) -> (Vec<Error>, bool) {
    let inspected = inspect(envelope).expect("can be read");
    let inspected = inspected.untrusted();
    (inspected.problems.clone(), inspected.payload.is_some())
}

#[test]
fn a_good_envelope_has_no_problems() {
    assert_eq!(inspected(&detached()), (vec![], false));
    let envelope = integrated();
    assert_eq!(inspected(&envelope), (vec![], true));
    let head = &envelope[..envelope.len() - PAYLOAD.len()];
    assert_eq!(inspected(head), (vec![], false), "the head alone");
}

#[test]
fn a_part_of_a_payload_is_a_problem() {
    let envelope = integrated();
    for missing in 1..PAYLOAD.len() {
        let part = &envelope[..envelope.len() - missing];
        assert_eq!(inspected(part), (vec![Error::PayloadSize], false));
    }
}

#[test]
fn another_payload_is_a_problem() {
    let mut envelope = integrated();
    if let Some(last) = envelope.last_mut() {
        *last ^= 1;
    }
    assert_eq!(inspected(&envelope), (vec![Error::PayloadDigest], true));
}

#[test]
fn a_manifest_that_does_not_fit_its_digest_is_a_problem() {
    let class = spec().class_id;
    for mut envelope in [detached(), integrated()] {
        let at = envelope
            .windows(class.len())
            .position(|bytes| bytes == class)
            .expect("is in the manifest");
        envelope[at] ^= 1;
        let (problems, _) = inspected(&envelope);
        assert_eq!(problems, [Error::ManifestDigest]);
    }
}
