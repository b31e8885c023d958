//! Signing and checking, through the library.

mod common;

use common::{chatty, job, persistent, persistent_with};
use sealift_manifest::{
    Delivery, Error as Problem, InvokeSpec, ManifestSpec, Scan, Sign, build_envelope, scan_head,
};
use signer::{
    Error, Grants, Key, Kind, PayloadAt, PublicKey, SignRequest, Target, inspect, sign, verify,
};

fn key() -> Key {
    Key::from_seed(&[42; 32]).expect("a key")
}

fn check(envelope: &[u8], key: &Key) -> signer::Result<signer::Checked> {
    verify(envelope, &[*key.public()], PayloadAt::Envelope, None)
}

#[test]
fn what_was_asked_for_is_what_the_manifest_says() {
    let (wasm, key) = (chatty(), key());
    let request = SignRequest {
        target: Target::Pulley64,
        grants: Grants::LOG.union(Grants::RNG),
        fuel: 123_456,
        memory: 20_000,
        stack: 9_000,
        floor: 3,
        vendor_id: [1; 16],
        class_id: [2; 16],
        ..SignRequest::new(&wasm, &key, "vm2", 7)
    };
    let signed = sign(&request).expect("signed");
    assert_eq!(signed.payload, None);
    assert_eq!(signed.initial_memory, 2048);

    let Ok(Scan::Complete { head_len, .. }) = scan_head(&signed.envelope) else {
        panic!("a whole head");
    };
    let (head, payload) = signed.envelope.split_at(head_len);
    let manifest = sealift_manifest::verify(head, &[*key.public()]).expect("verifies");
    assert_eq!(manifest.sequence_number, 7);
    assert_eq!(manifest.component, "vm2");
    assert_eq!(manifest.vendor_id, [1; 16]);
    assert_eq!(manifest.class_id, [2; 16]);
    assert_eq!(manifest.delivery, Delivery::Integrated);
    assert_eq!(manifest.payload_size as usize, payload.len());
    assert_eq!(manifest.invoke.profile, "wasmtime48/pulley64/4");
    assert_eq!(manifest.invoke.fuel, 123_456);
    assert_eq!(manifest.invoke.memory, 20_000);
    assert_eq!(manifest.invoke.stack, 9_000);
    assert_eq!(manifest.invoke.floor, 3);
    assert_eq!(manifest.invoke.grants, request.grants);
    assert_eq!(manifest.invoke.kind, Kind::Persistent);
    manifest.admit(payload).expect("the payload");
}

#[test]
fn the_source_translates_to_the_same_bytes_again() {
    let key = key();
    for target in Target::ALL {
        for (wasm, kind, component) in [
            (persistent(), Kind::Persistent, "vm1"),
            (job(), Kind::Ephemeral, "vm-run"),
        ] {
            let request = SignRequest {
                target,
                kind,
                ..SignRequest::new(&wasm, &key, component, 1)
            };
            let signed = sign(&request).expect("signed");
            assert_eq!(sign(&request).expect("signed").envelope, signed.envelope);
            let checked = verify(
                &signed.envelope,
                &[*key.public()],
                PayloadAt::Envelope,
                Some(&wasm),
            )
            .expect("verifies");
            assert!(checked.reproduced && checked.manifest.signature_checked);
        }
    }
}

#[test]
fn another_source_is_found_out() {
    let (wasm, key) = (persistent(), key());
    let signed = sign(&SignRequest::new(&wasm, &key, "vm1", 1)).expect("signed");
    let other = persistent_with("(func (export \"more\"))", "2048 (pagesize 1)");
    let result = verify(
        &signed.envelope,
        &[*key.public()],
        PayloadAt::Envelope,
        Some(&other),
    );
    assert!(matches!(result, Err(Error::OtherSource)));
}

/// An envelope that this crate would not sign: made with the manifest crate.
fn forged(wasm: &[u8], payload: &[u8], profile: &str, grants: Grants) -> Vec<u8> {
    use sha2::Digest;
    let mut spec = ManifestSpec {
        sequence_number: 1,
        component: "vm1".into(),
        vendor_id: [0; 16],
        class_id: [0; 16],
        payload_digest: [0; 32],
        payload_size: 0,
        invoke: InvokeSpec {
            profile: profile.into(),
            fuel: 1,
            memory: 65536,
            stack: 1,
            grants,
            kind: Kind::Persistent,
            floor: 0,
            source_digest: sha2::Sha256::digest(wasm).into(),
            signatures: 1,
        },
    };
    spec.set_payload(payload).expect("short");
    let key = key();
    let keys: [&dyn Sign; 1] = [&key];
    build_envelope(&spec, &keys, Some(payload), None).expect("an envelope")
}

#[test]
fn a_payload_that_the_source_does_not_give_is_found_out() {
    let (wasm, key) = (chatty(), key());
    let good = signer::translate(&wasm, Target::Pulley32, Kind::Persistent).expect("a capsule");
    let profile = Target::Pulley32.profile();
    let again =
        |envelope: &[u8]| verify(envelope, &[*key.public()], PayloadAt::Envelope, Some(&wasm));

    let honest = forged(&wasm, &good.payload, profile, good.imports);
    again(&honest).expect("the same bytes");

    let mut payload = good.payload.clone();
    *payload.last_mut().expect("not empty") ^= 1;
    let changed = forged(&wasm, &payload, profile, good.imports);
    check(&changed, &key).expect("signed by a trusted key");
    assert!(matches!(again(&changed), Err(Error::OtherTranslation)));

    let withheld = forged(&wasm, &good.payload, profile, Grants::LOG);
    assert!(matches!(again(&withheld), Err(Error::GrantsDiffer)));

    let other = forged(&wasm, &good.payload, "wasmtime47/pulley32/1", good.imports);
    assert!(matches!(again(&other), Err(Error::OtherProfile(_))));
}

#[test]
fn a_detached_payload_stands_on_its_own() {
    let (wasm, key) = (persistent(), key());
    let request = SignRequest {
        detached: true,
        ..SignRequest::new(&wasm, &key, "vm1", 1)
    };
    let signed = sign(&request).expect("signed");
    let payload = signed.payload.expect("beside the envelope");
    let anchors = [*key.public()];
    let with = |payload| verify(&signed.envelope, &anchors, payload, Some(&wasm));
    with(PayloadAt::Beside(&payload)).expect("verifies");
    assert!(matches!(with(PayloadAt::Envelope), Err(Error::NoPayload)));
    let (short, _) = payload.split_at(payload.len() - 1);
    assert!(matches!(
        with(PayloadAt::Beside(short)),
        Err(Error::Manifest(Problem::PayloadSize))
    ));

    let mut trailing = signed.envelope.clone();
    trailing.push(0);
    let result = verify(&trailing, &anchors, PayloadAt::Beside(&payload), None);
    assert!(matches!(result, Err(Error::Manifest(_))));

    let integrated = sign(&SignRequest::new(&wasm, &key, "vm1", 1)).expect("signed");
    let result = verify(
        &integrated.envelope,
        &anchors,
        PayloadAt::Beside(&payload),
        None,
    );
    assert!(matches!(result, Err(Error::TwoPayloads)));
}

#[test]
fn any_damage_is_found_out() {
    let (wasm, key) = (persistent(), key());
    let signed = sign(&SignRequest::new(&wasm, &key, "vm1", 1)).expect("signed");
    let envelope = signed.envelope;
    check(&envelope, &key).expect("undamaged");
    let head = envelope.len() - signed.sizes.payload;
    let places = (0..head).chain((head..envelope.len()).step_by(37));
    for place in places {
        let mut damaged = envelope.clone();
        if let Some(byte) = damaged.get_mut(place) {
            *byte ^= 0x10;
        }
        assert!(check(&damaged, &key).is_err(), "byte {place}");
        // Reading it without a key must not panic.
        let _ = inspect(&damaged);
    }
    for len in (0..envelope.len()).step_by(97) {
        let cut = envelope.get(..len).expect("shorter");
        assert!(check(cut, &key).is_err(), "cut to {len}");
    }
    let longer = [envelope.as_slice(), &[0]].concat();
    assert!(check(&longer, &key).is_err());
}

#[test]
fn another_key_is_not_trusted() {
    let (wasm, key) = (persistent(), key());
    let signed = sign(&SignRequest::new(&wasm, &key, "vm1", 1)).expect("signed");
    let stranger = Key::from_seed(&[43; 32]).expect("a key");
    assert!(matches!(
        check(&signed.envelope, &stranger),
        Err(Error::Manifest(Problem::UntrustedKey))
    ));
    let anchors: [PublicKey; 0] = [];
    assert!(verify(&signed.envelope, &anchors, PayloadAt::Envelope, None).is_err());
}

#[test]
fn what_an_envelope_says_can_be_read_without_a_key_and_is_marked_so() {
    let (wasm, key) = (persistent(), key());
    let signed = sign(&SignRequest::new(&wasm, &key, "vm1", 9)).expect("signed");
    let said = inspect(&signed.envelope).expect("an envelope");
    assert!(!said.signature_checked);
    assert_eq!((said.component.as_str(), said.sequence), ("vm1", 9));
    assert_eq!(said.signers, [key.public().key_id().to_string()]);
    assert!(said.problems.is_empty());

    let mut damaged = signed.envelope.clone();
    *damaged.last_mut().expect("not empty") ^= 1;
    let said = inspect(&damaged).expect("an envelope");
    assert_eq!(said.problems, [Problem::PayloadDigest.to_string()]);

    let head = signed.envelope.len() - signed.sizes.payload;
    for len in [head, head + 1, signed.envelope.len() - 1] {
        let cut = signed.envelope.get(..len).expect("shorter");
        let said = inspect(cut).expect("an envelope");
        assert_eq!(said.problems, [Problem::PayloadSize.to_string()], "{len}");
    }
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let (wasm, key) = (chatty(), key());
    let good = SignRequest {
        grants: Grants::LOG.union(Grants::RNG),
        ..SignRequest::new(&wasm, &key, "vm1", 5)
    };
    sign(&good).expect("signed");
    let code = |request: &SignRequest<'_>| sign(request).expect_err("refused").code();

    for name in [
        "",
        "VM1",
        "vm 1",
        "vm/1",
        "../vm1",
        "a-name-of-17-char",
        "v\u{e9}",
    ] {
        let request = SignRequest {
            component: name,
            ..good.clone()
        };
        assert_eq!(code(&request), Error::ComponentName(String::new()).code());
    }
    let above = SignRequest {
        floor: 6,
        ..good.clone()
    };
    assert!(matches!(sign(&above), Err(Error::Floor { .. })));
    let no_fuel = SignRequest {
        fuel: 0,
        ..good.clone()
    };
    assert!(matches!(sign(&no_fuel), Err(Error::ZeroLimit("fuel"))));
    for (stack, fits) in [(0, false), (511, false), (512, true)] {
        let request = SignRequest {
            stack,
            ..good.clone()
        };
        match sign(&request) {
            Err(Error::SmallStack { least: 512, .. }) => assert!(!fits, "{stack}"),
            signed => assert!(fits && signed.is_ok(), "{stack}"),
        }
    }
    let first = SignRequest {
        sequence: 0,
        ..good.clone()
    };
    assert!(matches!(sign(&first), Err(Error::ZeroSequence)));
    let small = SignRequest {
        memory: 2047,
        ..good.clone()
    };
    assert!(matches!(
        sign(&small),
        Err(Error::Memory {
            needed: 2048,
            limit: 2047
        })
    ));
    let tables = persistent_with("", "64 (pagesize 1)) (table 500 funcref");
    let tables = SignRequest {
        memory: 1999,
        ..SignRequest::new(&tables, &key, "vm1", 1)
    };
    assert!(matches!(
        sign(&tables),
        Err(Error::Memory {
            needed: 2000,
            limit: 1999
        })
    ));
}

#[test]
fn each_kind_of_capsule_has_components_of_its_own() {
    let (wasm, job, key) = (persistent(), job(), key());
    let persistent = |component| SignRequest::new(&wasm, &key, component, 1);
    let ephemeral = |component| SignRequest {
        kind: Kind::Ephemeral,
        ..SignRequest::new(&job, &key, component, 1)
    };
    sign(&persistent("vm-run2")).expect("signed");
    sign(&ephemeral("vm-run")).expect("signed");
    assert!(matches!(
        sign(&persistent("vm-run")),
        Err(Error::JobComponent)
    ));
    assert!(matches!(sign(&ephemeral("vm1")), Err(Error::NotAJob(name)) if name == "vm1"));
}

#[test]
fn imports_without_a_grant_are_refused_and_named() {
    let (wasm, key) = (chatty(), key());
    for (grants, missing) in [
        (Grants::NONE, "--grant log --grant rng"),
        (Grants::LOG, "--grant rng"),
        (Grants::RNG.union(Grants::UDP), "--grant log"),
    ] {
        let request = SignRequest {
            grants,
            ..SignRequest::new(&wasm, &key, "vm1", 1)
        };
        let error = sign(&request).expect_err("refused").to_string();
        assert!(error.ends_with(missing), "{error}");
    }
    let request = SignRequest {
        grants: Grants::ALL,
        ..SignRequest::new(&wasm, &key, "vm1", 1)
    };
    sign(&request).expect("more may be granted than is imported");
}
