//! What the encoder builds, the decoder reads back.

mod common;

use common::{PAYLOAD, anchor, detached, fake_key, integrated, spec};
use sealift_manifest::{
    Delivery, MAX_HEAD, ManifestSpec, Scan, Sign, Text, build_envelope, inspect, scan_head,
    sever_text, verify,
};

#[test]
fn a_detached_envelope_is_all_head() {
    let envelope = detached();
    let key = anchor(&fake_key(1));
    let manifest = verify(&envelope, &[key]).expect("verifies");
    assert_eq!(ManifestSpec::from(&*manifest), spec());
    assert_eq!(manifest.delivery, Delivery::Detached);
    assert_eq!(manifest.signer, key.key_id());
    assert_eq!(manifest.text_digest, None);
    assert_eq!(
        scan_head(&envelope),
        Ok(Scan::Complete {
            head_len: envelope.len(),
            integrated: None
        })
    );
    let payload = manifest.admit(PAYLOAD).expect("is the payload");
    assert_eq!(payload.as_ref(), PAYLOAD);
    assert_eq!(payload.digest(), &manifest.payload_digest);
}

#[test]
fn head_and_integrated_payload_are_the_envelope() {
    let envelope = integrated();
    let Ok(Scan::Complete {
        head_len,
        integrated: Some(payload_len),
    }) = scan_head(&envelope)
    else {
        panic!("has an integrated payload");
    };
    let (head, payload) = envelope.split_at(head_len);
    assert_eq!(payload, PAYLOAD);
    assert_eq!(payload_len as usize, PAYLOAD.len());
    let manifest = verify(head, &[anchor(&fake_key(1))]).expect("verifies");
    assert_eq!(manifest.delivery, Delivery::Integrated);
    assert_eq!(ManifestSpec::from(&*manifest), spec());
    let mut check = manifest.payload_check();
    for piece in payload.chunks(5) {
        check.update(piece);
    }
    assert_eq!(check.finish(), Ok(()));
}

#[test]
fn signatures_are_in_the_order_of_their_keys() {
    let (one, two, three) = (fake_key(1), fake_key(2), fake_key(3));
    let anchors = [anchor(&three), anchor(&two), anchor(&one)];
    let mut ids: Vec<_> = anchors.iter().map(|key| key.key_id()).collect();
    ids.sort();
    let forth = build_envelope(&spec(), &[&one, &two, &three], None, None).expect("builds");
    let back = build_envelope(&spec(), &[&three, &two, &one], None, None).expect("builds");
    assert_eq!(forth, back);
    let manifest = verify(&forth, &anchors).expect("verifies");
    assert_eq!(manifest.signer, ids[0]);
    let inspected = inspect(&forth).expect("is an envelope");
    assert_eq!(inspected.untrusted().key_ids, ids);
}

#[test]
fn text_can_be_severed() {
    let key = fake_key(1);
    let mut text = Text::new("de-CH").expect("is a language tag");
    text.manifest_description = Some("Gruezi".into());
    text.component_version = Some("1.2.3".into());
    for payload in [None, Some(PAYLOAD)] {
        let envelope =
            build_envelope(&spec(), &[&key as &dyn Sign], payload, Some(&text)).expect("builds");
        let inspected = inspect(&envelope).expect("is an envelope");
        let inspected = inspected.untrusted();
        assert_eq!(inspected.text.as_ref(), Some(&text));
        assert_eq!(inspected.payload, payload);
        assert_eq!(inspected.problems, []);

        let severed = sever_text(&envelope).expect("is an envelope");
        assert!(severed.len() < envelope.len());
        let head = |envelope: &[u8]| match scan_head(envelope) {
            Ok(Scan::Complete { head_len, .. }) => envelope[..head_len].to_vec(),
            other => panic!("no head: {other:?}"),
        };
        let (whole, severed) = (head(&envelope), head(&severed));
        let whole = verify(&whole, &[anchor(&key)]).expect("verifies");
        let severed = verify(&severed, &[anchor(&key)]).expect("verifies");
        assert_eq!(*whole, *severed);
        assert!(whole.text_digest.is_some());
    }
}

#[test]
fn an_envelope_fits_with_four_signatures_and_the_longest_names() {
    let keys = [fake_key(1), fake_key(2), fake_key(3), fake_key(4)];
    let mut spec = spec();
    spec.component = "a-component-16-b".into();
    spec.invoke.profile = "p".repeat(64);
    spec.sequence_number = u64::MAX;
    spec.invoke.floor = u64::MAX;
    spec.invoke.fuel = u64::MAX;
    spec.invoke.memory = u32::MAX;
    spec.invoke.stack = u32::MAX;
    let signers: Vec<&dyn Sign> = keys.iter().map(|key| key as &dyn Sign).collect();
    let envelope = build_envelope(&spec, &signers, None, None).expect("builds");
    assert!(envelope.len() <= MAX_HEAD, "{} bytes", envelope.len());
    let anchors = keys.each_ref().map(anchor);
    let manifest = verify(&envelope, &anchors).expect("verifies");
    assert_eq!(ManifestSpec::from(&*manifest), spec);
}
