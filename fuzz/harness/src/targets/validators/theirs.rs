//! Other people's reading of an envelope: suit_validator, and dress-up on a device on
//! which the payload can be fetched.

use std::cell::RefCell;
use std::panic;

use coset::TaggedCborSerializable;
use dress_up::component::Component;
use dress_up::error::Error;
use dress_up::{OperatingHooks, SuitManifest};
use ed25519_compact::{KeyPair, Signature};
use suit_validator::SuitError;
use suit_validator::handler::{
    PairView, SuitCommandHandler, SuitSharedSequenceHandler, SuitStartHandler,
};
use suit_validator::suit_manifest::{
    CommandCustomValue, DigestOrCbor, SuitCondition, SuitDirective, SuitEnvelope,
    SuitManifest as Manifest, SuitSharedCommand,
};

/// What suit_validator makes of an envelope: its sequence number, where every part of
/// it can be read.
pub(super) fn suit_validator(envelope: &[u8], keys: &[u8]) -> Result<u64, SuitError> {
    let mut reader = Reader::default();
    let mut crypto = suit_validator::crypto::CoseCrypto::new(keys);
    suit_validator::suit_decode(envelope, &mut reader, &mut crypto)?;
    Ok(reader.sequence_number)
}

#[derive(Default)]
struct Reader {
    sequence_number: u64,
}

impl SuitStartHandler for Reader {
    fn on_envelope<'a>(&mut self, envelope: SuitEnvelope<'a>) -> Result<(), SuitError> {
        let manifest = envelope.manifest.get()?;
        self.sequence_number = manifest.sequence_number;
        let common = manifest.common.get()?;
        common.components.get()?.count();
        if let Some(shared) = common.shared_seq {
            shared.get()?.decode_and_dispatch(self)?;
        }
        for sequence in [manifest.validate, manifest.invoke].into_iter().flatten() {
            sequence.get()?.decode_and_dispatch(self)?;
        }
        let severable = [manifest.payload_fetch, manifest.install];
        for sequence in severable.into_iter().flatten() {
            if let DigestOrCbor::Cbor(sequence) = sequence {
                sequence.get()?.decode_and_dispatch(self)?;
            }
        }
        Ok(())
    }

    fn on_manifest<'a>(&mut self, manifest: Manifest<'a>) -> Result<(), SuitError> {
        // One without an envelope, which nobody has signed.
        self.sequence_number = manifest.sequence_number;
        Ok(())
    }
}

impl SuitSharedSequenceHandler for Reader {
    fn on_conditions<'a>(
        &mut self,
        conditions: impl Iterator<Item = PairView<'a, SuitCondition>>,
    ) -> Result<(), SuitError> {
        for condition in conditions {
            condition.get()?;
        }
        Ok(())
    }

    fn on_commands<'a>(
        &mut self,
        commands: impl Iterator<Item = PairView<'a, SuitSharedCommand<'a>>>,
    ) -> Result<(), SuitError> {
        for command in commands {
            command.get()?;
        }
        Ok(())
    }
}

impl SuitCommandHandler for Reader {
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
        }
        Ok(())
    }

    fn on_customs<'a>(
        &mut self,
        customs: impl Iterator<Item = PairView<'a, CommandCustomValue<'a>>>,
    ) -> Result<(), SuitError> {
        for custom in customs {
            custom.get()?;
        }
        Ok(())
    }
}

/// What dress-up makes of an envelope on a device that holds or fetches `payload`: its
/// sequence number, where it comes to an installed and checked payload.
///
/// It panics where something is not implemented yet, which is a refusal, too.
pub(super) fn dress_up(envelope: &[u8], key: &KeyPair, payload: &[u8]) -> Result<u64, Error> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = panic::catch_unwind(|| install(envelope, key, payload));
    panic::set_hook(hook);
    result.unwrap_or(Err(Error::EndOfInput))
}

fn install(envelope: &[u8], key: &KeyPair, payload: &[u8]) -> Result<u64, Error> {
    let device = Device {
        payload,
        installed: RefCell::default(),
    };
    let authenticated = SuitManifest::from_bytes(&envelope).authenticate(|block, digest| {
        // The library leaves the signature to its user.
        let sign1 = coset::CoseSign1::from_tagged_slice(block)
            .ok()
            .filter(|sign1| sign1.payload.is_none())
            .ok_or(Error::AuthenticationFailure)?;
        sign1
            .verify_detached_signature(digest, b"", |signature, message| {
                key.pk.verify(message, &Signature::from_slice(signature)?)
            })
            .map_err(|_| Error::AuthenticationFailure)?;
        Ok(true)
    })?;
    let manifest = authenticated.envelope()?.manifest()?;
    if manifest.version()? != 1 {
        return Err(Error::UnsupportedManifestVersion);
    }
    if manifest.has_payload_fetch()? {
        manifest.execute_payload_fetch(&device)?;
    }
    manifest.execute_payload_installation(&device)?;
    manifest.execute_image_validation(&device)?;
    manifest.sequence_number()
}

/// A device of any vendor and class.
struct Device<'a> {
    payload: &'a [u8],
    installed: RefCell<Vec<u8>>,
}

impl OperatingHooks for Device<'_> {
    type ReadWriteBufferSize = generic_array::typenum::U16;

    fn match_vendor_id(&self, _: uuid::Uuid, _: &Component) -> Result<bool, Error> {
        Ok(true)
    }

    fn match_class_id(&self, _: uuid::Uuid, _: &Component) -> Result<bool, Error> {
        Ok(true)
    }

    fn component_read(
        &self,
        _: &Component,
        _: Option<u64>,
        offset: usize,
        bytes: &mut [u8],
    ) -> Result<(), Error> {
        let installed = self.installed.borrow();
        let end = offset.checked_add(bytes.len());
        let range = end.and_then(|end| installed.get(offset..end));
        bytes.copy_from_slice(range.ok_or(Error::EndOfInput)?);
        Ok(())
    }

    fn component_write(
        &self,
        _: &Component,
        _: Option<u64>,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let mut installed = self.installed.borrow_mut();
        installed.truncate(offset);
        installed.extend_from_slice(bytes);
        Ok(())
    }

    fn component_size(&self, _: &Component) -> Result<usize, Error> {
        Ok(self.installed.borrow().len())
    }

    fn component_capacity(&self, _: &Component) -> Result<usize, Error> {
        Ok(usize::MAX)
    }

    fn fetch(&self, _: &Component, _: Option<u64>, _: &str) -> Result<(), Error> {
        *self.installed.borrow_mut() = self.payload.to_vec();
        Ok(())
    }
}
