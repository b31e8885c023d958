//! Other people's SUIT and COSE: they read what we write, and refuse it once
//! it is damaged.

mod common;

use common::craft::{array, bstr, map, nint, sha256, uint};
use common::{PAYLOAD, anchor, detached, fake_key, integrated, spec};
use coset::TaggedCborSerializable;
use ed25519_compact::Signature;
use sealift_manifest::{Sign, Text, build_envelope};

/// dress-up, with a device of our vendor and class on which the payload is
/// installed or can be fetched.
mod dress_up_device {
    use std::cell::RefCell;

    use dress_up::component::Component;
    use dress_up::error::Error;
    use dress_up::{OperatingHooks, SuitManifest};
    use ed25519_compact::{PublicKey, Signature};

    use super::common::{PAYLOAD, spec};

    #[derive(Default)]
    pub(super) struct Device {
        pub(super) installed: RefCell<Vec<u8>>,
        pub(super) fetched: RefCell<Vec<String>>,
    }

    impl OperatingHooks for Device {
        type ReadWriteBufferSize = generic_array::typenum::U16;

        fn match_vendor_id(&self, id: uuid::Uuid, _: &Component) -> Result<bool, Error> {
            Ok(id.into_bytes() == spec().vendor_id)
        }

        fn match_class_id(&self, id: uuid::Uuid, _: &Component) -> Result<bool, Error> {
            Ok(id.into_bytes() == spec().class_id)
        }

        fn component_read(
            &self,
            _: &Component,
            _: Option<u64>,
            offset: usize,
            bytes: &mut [u8],
        ) -> Result<(), Error> {
            bytes.copy_from_slice(&self.installed.borrow()[offset..offset + bytes.len()]);
            Ok(())
        }

        fn component_write(
            &self,
            _: &Component,
            _: Option<u64>,
            _: usize,
            _: &[u8],
        ) -> Result<(), Error> {
            panic!("our manifests write nothing");
        }

        fn component_size(&self, _: &Component) -> Result<usize, Error> {
            Ok(self.installed.borrow().len())
        }

        fn component_capacity(&self, _: &Component) -> Result<usize, Error> {
            Ok(usize::MAX)
        }

        fn fetch(&self, _: &Component, _: Option<u64>, uri: &str) -> Result<(), Error> {
            self.fetched.borrow_mut().push(uri.into());
            *self.installed.borrow_mut() = PAYLOAD.to_vec();
            Ok(())
        }
    }

    /// Verifies with `key` and runs all sequences that lead to an installed
    /// payload. Returns the sequence number.
    pub(super) fn run(bytes: &[u8], key: PublicKey, device: &Device) -> Result<u64, Error> {
        let authenticated = SuitManifest::from_bytes(&bytes).authenticate(|block, digest| {
            // The library leaves the signature to its user.
            let sign1 = super::coset_sign1(block).ok_or(Error::AuthenticationFailure)?;
            sign1
                .verify_detached_signature(digest, b"", |signature, message| {
                    key.verify(message, &Signature::from_slice(signature)?)
                })
                .map_err(|_| Error::AuthenticationFailure)?;
            Ok(true)
        })?;
        let manifest = authenticated.envelope()?.manifest()?;
        if manifest.version()? != 1 {
            return Err(Error::UnsupportedManifestVersion);
        }
        if manifest.has_payload_fetch()? {
            manifest.execute_payload_fetch(device)?;
        }
        manifest.execute_payload_installation(device)?;
        manifest.execute_image_validation(device)?;
        assert!(manifest.has_invoke()?);
        manifest.sequence_number()
    }
}

fn coset_sign1(block: &[u8]) -> Option<coset::CoseSign1> {
    coset::CoseSign1::from_tagged_slice(block).ok()
}

#[test]
fn dress_up_installs_our_envelopes() {
    let key = fake_key(1);
    for (envelope, uri) in [(detached(), "vm1/payload"), (integrated(), "#capsule")] {
        let device = dress_up_device::Device::default();
        assert_eq!(dress_up_device::run(&envelope, key.pk, &device), Ok(7));
        assert_eq!(*device.installed.borrow(), PAYLOAD);
        assert_eq!(*device.fetched.borrow(), [uri]);
    }
}

#[test]
fn dress_up_installs_an_envelope_with_text() {
    let key = fake_key(1);
    let text = Text::describing("for humans");
    let envelope =
        build_envelope(&spec(), &[&key as &dyn Sign], None, Some(&text)).expect("builds");
    let device = dress_up_device::Device::default();
    assert_eq!(dress_up_device::run(&envelope, key.pk, &device), Ok(7));
}

#[test]
fn dress_up_refuses_our_envelopes_once_they_are_damaged() {
    let key = fake_key(1);
    let good = detached();
    let device = dress_up_device::Device::default();
    assert!(dress_up_device::run(&good, fake_key(2).pk, &device).is_err());
    // Damage to contents only: dress-up 0.1.1 does not return from an
    // indefinite length without an end.
    for (from, to) in [
        (&spec().vendor_id[..], [0; 16]),
        (&spec().class_id[..], [0; 16]),
        (&spec().payload_digest[..16], [0; 16]),
        (&spec().payload_digest[16..], [0; 16]),
        (&spec().invoke.source_digest[..16], [0; 16]),
    ] {
        let mut damaged = good.clone();
        let place = good.windows(16).position(|bytes| bytes == from);
        let place = place.expect("is in the envelope");
        damaged[place..place + 16].copy_from_slice(&to);
        assert!(dress_up_device::run(&damaged, key.pk, &device).is_err());
    }
    let signature = good.len() - signature_distance(&good);
    for place in signature..signature + 64 {
        let mut damaged = good.clone();
        damaged[place] ^= 1;
        assert!(dress_up_device::run(&damaged, key.pk, &device).is_err());
    }
    assert!(device.fetched.borrow().is_empty());
}

/// How far before the end of an envelope its last signature begins.
fn signature_distance(envelope: &[u8]) -> usize {
    let place = envelope
        .windows(4)
        .rposition(|bytes| bytes == [0xa0, 0xf6, 0x58, 64])
        .expect("there is a signature");
    envelope.len() - place - 4
}

/// A COSE_KeySet with this key, for cose_minicbor.
fn key_set(key: &ed25519_compact::KeyPair) -> Vec<u8> {
    array(&[map(&[
        (uint(1), uint(1)),
        (uint(2), bstr(&sha256(&key.pk[..])[..8])),
        (uint(3), nint(18)),
        (nint(0), uint(6)),
        (nint(1), bstr(&key.pk[..])),
    ])])
}

/// suit_validator's reading of an envelope: the sequence number.
fn validate(envelope: &[u8], keys: &[u8]) -> Result<u64, suit_validator::SuitError> {
    use suit_validator::SuitError;
    use suit_validator::handler::{
        PairView, SuitCommandHandler, SuitSharedSequenceHandler, SuitStartHandler,
    };
    use suit_validator::suit_manifest::{
        CommandCustomValue, DigestOrCbor, SuitCondition, SuitDirective, SuitEnvelope, SuitManifest,
        SuitSharedCommand,
    };

    #[derive(Default)]
    struct Seen {
        sequence_number: u64,
        conditions: usize,
        directives: usize,
    }

    impl SuitStartHandler for Seen {
        fn on_envelope<'a>(&mut self, envelope: SuitEnvelope<'a>) -> Result<(), SuitError> {
            let manifest = envelope.manifest.get()?;
            self.sequence_number = manifest.sequence_number;
            let common = manifest.common.get()?;
            assert_eq!(common.components.get()?.count(), 1);
            let shared = common.shared_seq.expect("has a shared sequence");
            shared.get()?.decode_and_dispatch(self)?;
            for sequence in [manifest.validate, manifest.invoke].into_iter().flatten() {
                sequence.get()?.decode_and_dispatch(self)?;
            }
            for sequence in [manifest.payload_fetch, manifest.install] {
                match sequence.expect("fetches and installs") {
                    DigestOrCbor::Cbor(sequence) => sequence.get()?.decode_and_dispatch(self)?,
                    DigestOrCbor::Digest(_) => panic!("nothing is severed"),
                }
            }
            Ok(())
        }

        fn on_manifest<'a>(&mut self, _: SuitManifest<'a>) -> Result<(), SuitError> {
            panic!("ours are envelopes");
        }
    }

    impl SuitSharedSequenceHandler for Seen {
        fn on_conditions<'a>(
            &mut self,
            conditions: impl Iterator<Item = PairView<'a, SuitCondition>>,
        ) -> Result<(), SuitError> {
            for condition in conditions {
                condition.get()?;
                self.conditions += 1;
            }
            Ok(())
        }

        fn on_commands<'a>(
            &mut self,
            commands: impl Iterator<Item = PairView<'a, SuitSharedCommand<'a>>>,
        ) -> Result<(), SuitError> {
            for command in commands {
                match command.get()? {
                    SuitSharedCommand::OverrideParameters(parameters) => {
                        assert_eq!(parameters.vendor_identifier, Some(&spec().vendor_id[..]));
                        assert_eq!(parameters.class_identifier, Some(spec().class_id));
                        assert_eq!(parameters.image_size, Some(PAYLOAD.len() as u64));
                    }
                    other => panic!("unexpected {other:?}"),
                }
            }
            Ok(())
        }
    }

    impl SuitCommandHandler for Seen {
        fn on_conditions<'a>(
            &mut self,
            conditions: impl Iterator<Item = PairView<'a, SuitCondition>>,
        ) -> Result<(), SuitError> {
            SuitSharedSequenceHandler::on_conditions(self, conditions)
        }

        fn on_directives<'a>(
            &mut self,
            directives: impl Iterator<Item = PairView<'a, SuitDirective<'a>>>,
        ) -> Result<(), SuitError> {
            for directive in directives {
                directive.get()?;
                self.directives += 1;
            }
            Ok(())
        }

        fn on_customs<'a>(
            &mut self,
            customs: impl Iterator<Item = PairView<'a, CommandCustomValue<'a>>>,
        ) -> Result<(), SuitError> {
            assert_eq!(customs.count(), 0);
            Ok(())
        }
    }

    let mut seen = Seen::default();
    let mut crypto = suit_validator::crypto::CoseCrypto::new(keys);
    suit_validator::suit_decode(envelope, &mut seen, &mut crypto)?;
    // Vendor, class, and image match in validate, fetch and install.
    assert_eq!(seen.conditions, 5);
    // Parameters and fetch, parameters and invoke.
    assert_eq!(seen.directives, 4);
    Ok(seen.sequence_number)
}

#[test]
fn suit_validator_accepts_our_detached_envelopes() {
    let keys = key_set(&fake_key(1));
    match validate(&detached(), &keys) {
        Ok(sequence_number) => assert_eq!(sequence_number, 7),
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn suit_validator_accepts_an_envelope_with_text() {
    let key = fake_key(1);
    let text = Text::describing("for humans");
    let envelope =
        build_envelope(&spec(), &[&key as &dyn Sign], None, Some(&text)).expect("builds");
    assert_eq!(validate(&envelope, &key_set(&key)).ok(), Some(7));
}

#[test]
fn suit_validator_does_not_know_integrated_payloads() {
    // Should this fail one day, the test above can take both shapes.
    assert!(validate(&integrated(), &key_set(&fake_key(1))).is_err());
}

#[test]
fn suit_validator_refuses_our_envelopes_once_they_are_damaged() {
    let keys = key_set(&fake_key(1));
    let good = detached();
    assert!(validate(&good, &key_set(&fake_key(2))).is_err());
    // The signature, and behind it the manifest.
    for place in good.len() - signature_distance(&good)..good.len() {
        let mut damaged = good.clone();
        damaged[place] ^= 1;
        assert!(validate(&damaged, &keys).is_err(), "byte {place}");
    }
}

/// The digest and the signature block in a detached envelope of the encoder.
fn digest_and_block(envelope: &[u8]) -> (&[u8], &[u8]) {
    let mut decoder = minicbor::Decoder::new(envelope);
    assert_eq!(decoder.tag().ok(), Some(minicbor::data::Tag::new(107)));
    assert_eq!(decoder.map().ok(), Some(Some(2)));
    assert_eq!(decoder.u8().ok(), Some(2));
    let wrapper = decoder.bytes().expect("has an authentication wrapper");
    let mut decoder = minicbor::Decoder::new(wrapper);
    assert_eq!(decoder.array().ok(), Some(Some(2)));
    let digest = decoder.bytes().expect("has a digest");
    (digest, decoder.bytes().expect("has a block"))
}

#[test]
fn coset_reads_and_verifies_our_signatures() {
    let key = fake_key(1);
    let envelope = detached();
    let (digest, block) = digest_and_block(&envelope);
    let sign1 = coset_sign1(block).expect("is a tagged COSE_Sign1");
    let header = &sign1.protected.header;
    assert_eq!(
        header.alg,
        Some(coset::Algorithm::Assigned(coset::iana::Algorithm::Ed25519))
    );
    assert_eq!(header.key_id, anchor(&key).key_id().to_bytes());
    assert!(sign1.unprotected.is_empty());
    assert_eq!(sign1.payload, None);
    sign1
        .verify_detached_signature(digest, b"", |signature, message| {
            key.pk.verify(message, &Signature::from_slice(signature)?)
        })
        .expect("the Sig_structure is the same");
}

#[test]
fn coset_makes_the_same_block() {
    let key = fake_key(1);
    let envelope = detached();
    let (digest, block) = digest_and_block(&envelope);
    let protected = coset::HeaderBuilder::new()
        .algorithm(coset::iana::Algorithm::Ed25519)
        .key_id(anchor(&key).key_id().to_bytes().to_vec())
        .build();
    let theirs = coset::CoseSign1Builder::new()
        .protected(protected)
        .create_detached_signature(digest, b"", |message| key.sk.sign(message, None).to_vec())
        .build()
        .to_tagged_vec()
        .expect("encodes");
    assert_eq!(theirs, block);
}
