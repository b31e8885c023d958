//! What is in the slots, put to the proof each time before it is used.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use sealift_manifest::{Kind, MAX_HEAD, Manifest, Payload, Verified};
use sealift_storage::SlotId;
use sealift_wire::Refusal;

use crate::capsule::{ArtifactBytes, Host, ReadError};
use crate::refuse;
use crate::supervisor::Supervisor;

impl<F, H, const N: usize, const W: usize> Supervisor<F, H, N, W>
where
    F: NorFlash,
    H: Host,
{
    /// Puts the payload in `slot` to the proof: reads it, or looks at it where
    /// it is, and checks it against its manifest.
    ///
    /// Whoever keeps the result keeps the slot [lent](Store::lend) as long.
    pub(crate) fn payload(
        &mut self,
        vm: usize,
        slot: SlotId,
        manifest: &Verified<Manifest<'_>>,
    ) -> Result<Verified<Payload<ArtifactBytes>>, Refusal> {
        let name = self.name(vm);
        let bytes = match self.in_place(vm, slot, manifest.payload_size) {
            Some(bytes) => bytes,
            None => self.read_payload(vm, slot, manifest.payload_size)?,
        };
        manifest
            .admit(bytes)
            .map_err(|error| refuse::because(name, &error, Refusal::WrongPayload))
    }

    fn in_place(&self, vm: usize, slot: SlotId, len: u32) -> Option<ArtifactBytes> {
        let range = self.store.payload_range(vm, slot)?;
        let end = range
            .start
            .checked_add(len)
            .filter(|end| *end <= range.end)?;
        self.mapping?.artifact(range.start..end)
    }

    fn read_payload(
        &mut self,
        vm: usize,
        slot: SlotId,
        len: u32,
    ) -> Result<ArtifactBytes, Refusal> {
        let name = self.name(vm);
        let store = &mut self.store;
        ArtifactBytes::read(len, |offset, piece| {
            store.read_payload(vm, slot, offset, piece)
        })
        .map_err(|error| match error {
            ReadError::Source(error) => refuse::store(name, &error),
            // No fault of the payload, which stays where it is.
            ReadError::NoMemory => refuse::because(name, &"no memory", Refusal::Internal),
        })
    }

    /// Reads the head of the envelope in `slot`; nothing of it is verified yet.
    pub(crate) fn head(&mut self, vm: usize, slot: SlotId) -> Result<Vec<u8>, Refusal> {
        let name = self.name(vm);
        let mut buffer = alloc::vec![0; MAX_HEAD];
        let length = self
            .store
            .read_head(vm, slot, &mut buffer)
            .map_err(|error| refuse::store(name, &error))?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Whether what is active in `vm` may be: it was once, and then a trust record
    /// came, or damage to one. The same manifest again, signed by others, does not
    /// help: its number is used up.
    pub(crate) fn still_counts(&mut self, vm: usize) -> bool {
        if vm == N {
            return self.has_trust();
        }
        let name = self.name(vm);
        let Some(active) = self.active(vm) else {
            return false;
        };
        let head = self.head(vm, active.slot);
        head.is_ok_and(|head| {
            let manifest = self.acceptance.manifest(&head, name, Kind::Persistent);
            manifest.is_ok()
        })
    }
}
