//! What holds for any input: nothing panics, nothing unsigned verifies, and a
//! scan asks for more only where more can help.

mod common;

use common::{PAYLOAD, anchor, detached, fake_key, integrated, spec};
use proptest::prelude::*;
use sealift_manifest::{
    Error, Grants, InvokeSpec, Kind, MAX_HEAD, ManifestSpec, PublicKey, Scan, Sign, Text,
    build_envelope, encode_manifest, inspect, scan_head, verify,
};

fn anchors() -> [PublicKey; 2] {
    [anchor(&fake_key(1)), anchor(&fake_key(2))]
}

/// One head of each shape.
fn heads() -> Vec<Vec<u8>> {
    let (one, two) = (fake_key(1), fake_key(2));
    let text = Text::describing("text");
    let mut heads = vec![detached(), integrated()];
    for payload in [None, Some(PAYLOAD)] {
        let envelope =
            build_envelope(&spec(), &[&one, &two], payload, Some(&text)).expect("builds");
        heads.push(envelope);
    }
    for head in &mut heads {
        let Ok(Scan::Complete { head_len, .. }) = scan_head(head) else {
            panic!("is an envelope");
        };
        head.truncate(head_len);
    }
    heads
}

#[test]
fn every_flipped_bit_of_a_head_is_refused() {
    for head in heads() {
        assert!(verify(&head, &anchors()).is_ok());
        for place in 0..head.len() {
            for bit in 0..8 {
                let mut flipped = head.clone();
                flipped[place] ^= 1 << bit;
                assert!(
                    verify(&flipped, &anchors()).is_err(),
                    "byte {place}, bit {bit}"
                );
            }
        }
    }
}

#[test]
fn every_truncated_head_is_refused() {
    for head in heads() {
        for length in 0..head.len() {
            assert_eq!(
                verify(&head[..length], &anchors()).err(),
                Some(Error::Truncated)
            );
            assert_eq!(scan_head(&head[..length]), Ok(Scan::NeedMore));
        }
    }
}

#[test]
fn every_removed_and_every_doubled_byte_is_refused() {
    for head in heads() {
        for place in 0..head.len() {
            let mut removed = head.clone();
            removed.remove(place);
            assert!(verify(&removed, &anchors()).is_err());
            let mut doubled = head.clone();
            doubled.insert(place, head[place]);
            assert!(verify(&doubled, &anchors()).is_err());
        }
    }
}

/// Goes on from a prefix with the first byte that is not refused, and fails if
/// there is none: then the scan should not have asked for more.
fn complete(mut prefix: Vec<u8>) {
    loop {
        match scan_head(&prefix).expect("was not refused so far") {
            Scan::Complete { head_len, .. } => {
                assert!(head_len <= MAX_HEAD);
                return;
            }
            Scan::NeedMore => {
                assert!(prefix.len() < MAX_HEAD);
                prefix.push(0);
                let last = prefix.len() - 1;
                let found = (0..=255).any(|byte| {
                    prefix[last] = byte;
                    scan_head(&prefix).is_ok()
                });
                assert!(found, "asked for more after {:02x?}", &prefix[..last]);
            }
        }
    }
}

#[test]
fn a_scan_asks_for_more_only_where_more_can_help() {
    for head in heads() {
        for length in 0..head.len() {
            // Contents do not matter to a scan: one place in eight is enough
            // where nothing but contents can stand.
            let contents = length > 3 && length < head.len() - 12;
            if contents && length % 8 != 0 {
                continue;
            }
            for byte in 0..=255 {
                let prefix = [&head[..length], &[byte]].concat();
                if scan_head(&prefix).is_ok() {
                    complete(prefix);
                }
            }
        }
    }
}

#[test]
fn a_scan_is_exact_at_the_longest_head() {
    // An authentication wrapper of each length near the limit, behind it the
    // least that every shape needs.
    let rest: [(u8, &[u8]); 4] = [
        (2, b"\x03\x40"),
        (3, b"\x03\x40\x17\x40"),
        (3, b"\x03\x40\x68#capsule\x41"),
        (4, b"\x03\x40\x17\x40\x68#capsule\x41"),
    ];
    for (entries, rest) in rest {
        for length in 900..MAX_HEAD {
            let [.., high, low] = length.to_be_bytes();
            let start = [0xd8, 107, 0xa0 | entries, 2, 0x59, high, low];
            let head = [&start[..], &vec![0; length], rest].concat();
            let scanned = scan_head(&head);
            if head.len() <= MAX_HEAD {
                assert!(matches!(scanned, Ok(Scan::Complete { .. })));
            } else {
                assert_eq!(scanned, Err(Error::HeadTooLong));
            }
            match scan_head(&start) {
                Ok(Scan::NeedMore) => complete(start.to_vec()),
                other => assert_eq!(other, Err(Error::HeadTooLong)),
            }
        }
    }
}

fn specs() -> impl Strategy<Value = ManifestSpec> {
    let identity = (
        any::<u64>(),
        "[a-z0-9-]{1,16}",
        any::<[u8; 16]>(),
        any::<[u8; 16]>(),
        any::<[u8; 32]>(),
        1..=u32::MAX,
    );
    let invoke = (
        "[!-~]{1,64}",
        any::<u64>(),
        any::<u32>(),
        any::<u32>(),
        0..=Grants::ALL.bits(),
        any::<bool>(),
        any::<u64>(),
        any::<[u8; 32]>(),
    );
    (identity, invoke).prop_map(|(identity, invoke)| ManifestSpec {
        sequence_number: identity.0,
        component: identity.1,
        vendor_id: identity.2,
        class_id: identity.3,
        payload_digest: identity.4,
        payload_size: identity.5,
        invoke: InvokeSpec {
            profile: invoke.0,
            fuel: invoke.1,
            memory: invoke.2,
            stack: invoke.3,
            grants: Grants::from_bits(invoke.4).expect("known bits"),
            kind: if invoke.5 {
                Kind::Ephemeral
            } else {
                Kind::Persistent
            },
            floor: invoke.6.min(identity.0),
            source_digest: invoke.7,
            signatures: 1,
        },
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_encoded_is_decoded_and_encoded_to_the_same(spec in specs(), text in ".{0,64}") {
        let key = fake_key(1);
        let text = Text::describing(&text);
        let envelope = build_envelope(&spec, &[&key as &dyn Sign], None, Some(&text))
            .expect("the specification is good");
        let manifest = verify(&envelope, &anchors()).expect("verifies");
        let read = ManifestSpec::from(&*manifest);
        prop_assert_eq!(&read, &spec);
        let again = encode_manifest(&read, manifest.delivery, manifest.text_digest.as_ref());
        let inspected = inspect(&envelope).expect("is an envelope");
        let inspected = inspected.untrusted();
        prop_assert_eq!(inspected.text.as_ref(), Some(&text));
        prop_assert_eq!(&inspected.manifest, &*manifest);
        prop_assert_eq!(&inspected.problems, &[]);
        let place = envelope.windows(again.len()).position(|bytes| bytes == again);
        prop_assert!(place.is_some());
        let rebuilt = build_envelope(&read, &[&key as &dyn Sign], None, Some(&text));
        prop_assert_eq!(rebuilt, Ok(envelope));
    }

    #[test]
    fn random_bytes_do_not_verify(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let _ = scan_head(&bytes);
        let _ = inspect(&bytes);
        prop_assert!(verify(&bytes, &anchors()).is_err());
    }

    #[test]
    fn mutations_do_not_verify(
        which in 0..4_usize,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let original = heads().swap_remove(which);
        let mut head = original.clone();
        for (place, byte, how) in edits {
            // One more than there are bytes, so that none is a case, too.
            let place = place.index(head.len() + 1);
            match how {
                0 => if let Some(there) = head.get_mut(place) { *there = byte; },
                1 => head.insert(place, byte),
                2 => if place < head.len() { head.remove(place); },
                _ => head.truncate(place),
            }
        }
        let _ = scan_head(&head);
        let _ = inspect(&head);
        prop_assert_eq!(verify(&head, &anchors()).is_ok(), head == original);
    }

    #[test]
    fn a_signed_manifest_of_random_bytes_does_not_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        use common::craft::{Layers, signed};
        let key = fake_key(1);
        prop_assert!(verify(&signed(&key, &bytes), &anchors()).is_err());
        // Behind a good signature, the parser meets what a translator gone bad
        // could sign.
        let mut manifest = Layers::new(PAYLOAD).encode();
        let place = place.index(manifest.len());
        manifest[place] = byte;
        let envelope = signed(&key, &manifest);
        if let Ok(read) = verify(&envelope, &anchors()) {
            let again = encode_manifest(&ManifestSpec::from(&*read), read.delivery, None);
            prop_assert_eq!(again, manifest);
        }
    }
}
