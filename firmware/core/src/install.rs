//! Installing capsules: envelope first, then payload, then activation; and confirm, roll
//! back and removal.

use embedded_storage::nor_flash::NorFlash;
use sealift_manifest::{Kind, Manifest, Verified};
use sealift_storage::{Opened, SlotId, Transfer};
use sealift_wire::Refusal;

use crate::block::Piece;
use crate::capsule::{self, Host};
use crate::ota::Progress;
use crate::refuse;
use crate::supervisor::{Supervisor, TRIES};

impl<F, H, const N: usize, const W: usize> Supervisor<F, H, N, W>
where
    F: NorFlash,
    H: Host,
{
    /// The transfer that is open.
    pub(crate) fn transfer(&self, vm: usize) -> Result<Transfer, Refusal> {
        let status = self.store.status(vm);
        status
            .and_then(|status| status.transfer)
            .ok_or(Refusal::NoTransfer)
    }

    /// Verifies the head of an envelope and opens a transfer for it.
    /// Where somebody else is sending, it has to be the same one.
    pub(crate) fn open(
        &mut self,
        vm: usize,
        head: &[u8],
        elsewhere: bool,
    ) -> Result<Opened, Refusal> {
        let name = self.name(vm);
        let manifest = self.acceptance.manifest(head, name, Kind::Persistent)?;
        if let Ok(open) = self.transfer(vm) {
            // Signed by others, it is another envelope of the same manifest: what
            // counts in the end is the one in the slot.
            let same = open.digest == manifest.digest && self.head(vm, open.slot)? == head;
            if elsewhere && !same {
                return Err(Refusal::OtherTransfer);
            }
            if open.digest == manifest.digest && !same {
                self.store
                    .abort_transfer(vm)
                    .map_err(|error| refuse::store(name, &error))?;
            }
        }
        // A record that cannot be read cannot be confirmed, and would keep newer ones out.
        let newer = Some(manifest.sequence_number) > self.trust_number();
        if vm == N && newer && self.retry_trust_at.is_some() && self.on_trial(N) {
            let _ = self.store.revert(N);
            self.retry_trust_at = None;
        }
        let opened = self
            .store
            .open_transfer(vm, &manifest, head)
            .map_err(|error| refuse::store(name, &error))?;
        if opened == Opened::AlreadyActive && !self.still_counts(vm) {
            let refusal = Refusal::OldSequence;
            return Err(refuse::because(name, &"not trusted any more", refusal));
        }
        let sequence = manifest.sequence_number;
        match opened {
            Opened::AlreadyActive => log::info!("{name}: envelope {sequence} is the active one"),
            Opened::Resumed { received } => {
                log::info!("{name}: envelope {sequence} goes on after {received} bytes");
            }
            Opened::New => log::info!("{name}: envelope {sequence} is new"),
        }
        Ok(opened)
    }

    /// Takes a piece of a payload for `vm`, which this peer has sent; activates
    /// the capsule, or the trust record, with the last.
    ///
    /// Bytes that the store has already are passed over, so a sender may start
    /// over, or go on from a round offset below what was received.
    pub(crate) fn payload_piece(
        &mut self,
        vm: usize,
        peer: usize,
        piece: Piece<'_>,
    ) -> Result<Progress, Refusal> {
        let name = self.name(vm);
        let transfer = self.transfer(vm)?;
        let size = usize::try_from(transfer.size).unwrap_or(usize::MAX);
        let end = piece.offset.saturating_add(piece.bytes.len());
        if end > size || (end == size && piece.more) {
            return Err(refuse::because(name, &Refusal::TooLong, Refusal::TooLong));
        }
        let received = usize::try_from(transfer.received).unwrap_or(usize::MAX);
        let rest = piece.after(received).map_err(|_| Refusal::WrongOffset)?;
        if !rest.bytes.is_empty() {
            self.store
                .write(vm, transfer.received, rest.bytes)
                .map_err(|error| refuse::store(name, &error))?;
        }
        if piece.more {
            return Ok(Progress::Continue);
        }
        if end < size {
            return Err(refuse::because(
                name,
                &Refusal::Truncated,
                Refusal::Truncated,
            ));
        }
        self.activate(vm, peer)
    }

    /// Checks the capsule, all from flash, and gives it its trial.
    fn activate(&mut self, vm: usize, peer: usize) -> Result<Progress, Refusal> {
        let name = self.name(vm);
        let transfer = self.transfer(vm)?;
        let is_trust = vm == N;
        let begun = match is_trust {
            true => self.take_trust(transfer.slot, peer),
            false => self.begin_trial(vm, transfer.slot),
        };
        if let Err(refusal) = begun {
            let open = self.transfer(vm);
            // These bytes will not become better, unless it was the flash
            // that could not be read.
            if refusal != Refusal::Internal
                && open.is_ok()
                && let Err(error) = self.store.abort_transfer(vm)
            {
                log::error!("{name}: {error}");
            }
            return Err(refusal);
        }
        if is_trust {
            return Ok(Progress::Trusted);
        }
        self.start(vm);
        Ok(Progress::Activated(transfer.digest))
    }

    /// What came of the activation of the manifest with this digest, once the
    /// capsule was started.
    pub(crate) fn activated(&self, vm: usize, digest: &[u8; 32]) -> Result<(), Refusal> {
        let active = self.active(vm);
        if active.is_none_or(|active| active.digest != *digest) {
            Err(Refusal::InitFailed)
        } else if !self.is_running(vm) {
            // The flash failed; the log says where.
            Err(Refusal::Internal)
        } else {
            Ok(())
        }
    }

    fn begin_trial(&mut self, vm: usize, slot: SlotId) -> Result<(), Refusal> {
        let name = self.name(vm);
        let head = self.head(vm, slot)?;
        let manifest = self.acceptance.manifest(&head, name, Kind::Persistent)?;
        self.prove(vm, slot, &manifest)?;
        let activated = self.store.activate(vm, &manifest, TRIES);
        activated.map_err(|error| {
            self.resume(vm);
            refuse::store(name, &error)
        })
    }

    /// Checks that the payload in `slot` is what the manifest says, and a
    /// capsule that could be started; runs nothing of it. Where there is no room for
    /// both, the capsule that runs is stopped, unless the check fails.
    fn prove(
        &mut self,
        vm: usize,
        slot: SlotId,
        manifest: &Verified<Manifest<'_>>,
    ) -> Result<(), Refusal> {
        let name = self.name(vm);
        let copied = self.mapping.is_none();
        if !self.beside && copied {
            // The copy needs the room, too.
            self.store
                .check_payload(vm, slot, manifest)
                .map_err(|error| refuse::store(name, &error))?;
            self.stop(vm);
        }
        let checked = self.payload(vm, slot, manifest).and_then(|payload| {
            if !self.beside {
                self.stop(vm);
            }
            capsule::check(manifest, &payload)
                .map_err(|fault| refuse::because(name, &fault, fault.refusal()))
        });
        if checked.is_err() {
            self.resume(vm);
        }
        checked
    }

    /// Starts what was stopped for a check.
    fn resume(&mut self, vm: usize) {
        if !self.beside && !self.is_running(vm) && !self.is_starting(vm) {
            self.start(vm);
        }
    }

    /// Confirms the trial of `vm`, once it runs: what fails to start has to be on
    /// trial then.
    pub(crate) fn confirm(&mut self, vm: usize) -> Result<(), Refusal> {
        let name = self.name(vm);
        let active = self.active(vm).ok_or(Refusal::NoTrial)?;
        if self.on_trial(vm) && !self.is_running(vm) {
            // The flash, or the heap, may have failed for a moment.
            if !self.is_starting(vm) {
                self.start(vm);
            }
            let why = "the trial does not run yet";
            return Err(refuse::because(name, &why, Refusal::Busy));
        }
        let head = self.head(vm, active.slot)?;
        let manifest = self.acceptance.manifest(&head, name, Kind::Persistent)?;
        self.store
            .confirm(vm, &manifest)
            .map_err(|error| refuse::store(name, &error))?;
        log::info!("{name}: confirmed, sequence number {}", active.sequence);
        Ok(())
    }

    /// Puts the previous confirmed capsule of `vm` back.
    pub(crate) fn rollback(&mut self, vm: usize) -> Result<(), Refusal> {
        let name = self.name(vm);
        let previous = self.previous(vm);
        // Damaged, it would be no improvement. Where there is none, the store
        // says why.
        if let Some(previous) = previous {
            let head = self.head(vm, previous.slot)?;
            let manifest = self.acceptance.manifest(&head, name, Kind::Persistent)?;
            self.prove(vm, previous.slot, &manifest)?;
        }
        let rolled_back = self.store.rollback(vm);
        rolled_back.map_err(|error| {
            self.resume(vm);
            refuse::store(name, &error)
        })?;
        log::info!("{name}: rolled back by request");
        self.start(vm);
        Ok(())
    }

    /// Stops the capsule of `vm` and empties its slots.
    pub(crate) fn remove(&mut self, vm: usize) -> Result<(), Refusal> {
        let name = self.name(vm);
        self.stop(vm);
        self.forget(vm);
        self.store
            .remove(vm)
            .map_err(|error| refuse::store(name, &error))?;
        log::info!("{name}: removed");
        Ok(())
    }
}
