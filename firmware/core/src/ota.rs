//! Installing capsules: envelope first, then payload, then activation.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use sealift_manifest::{Kind, MAX_HEAD, Manifest, Scan, Verified, scan_head};
use sealift_oscore::server::SessionId;
use sealift_storage::{Opened, SlotId, Transfer};
use sealift_wire::Refusal;

use crate::block::Piece;
use crate::capsule::{self, Host};
use crate::claim::Claim;
use crate::refuse;
use crate::streams::Streams;
use crate::supervisor::{Supervisor, TRIES};

/// The envelope that is being received.
///
/// One at a time, and one transfer for each component: [`Claim`] says whose.
/// What the same peer starts anew takes the place of what it has not finished;
/// payload bytes are in the store and are not lost by that.
#[derive(Debug)]
pub(crate) struct Ota<const N: usize> {
    upload: Option<Upload>,
    uploading: Claim,
    /// Who sends to which component; the last place is that of the trust record.
    sending: Vec<Claim>,
    streams: Streams,
}

/// Who sends a piece, and when it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    pub(crate) peer: usize,
    pub(crate) session: SessionId,
    pub(crate) now: u64,
}

#[derive(Debug)]
struct Upload {
    sender: Sender,
    vm: usize,
    /// Bytes of the envelope that were taken.
    taken: usize,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Collecting the head; nothing of it is believed yet.
    Head(Vec<u8>),
    /// The head was verified and has this length; payload follows.
    Payload(usize),
    /// The capsule is active already. Whatever follows is passed over: to a
    /// sender by the book, success before the last block means to go on.
    AlreadyActive,
}

/// How far a request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More blocks are needed.
    Continue,
    /// A transfer is open; the payload comes separately.
    Accepted,
    /// The same envelope is active already.
    AlreadyActive,
    /// The capsule with this digest was activated, and is being started.
    Activated([u8; 32]),
    /// The trust record is in force.
    Trusted,
}

impl<const N: usize> Ota<N> {
    pub(crate) fn new() -> Self {
        Self {
            upload: None,
            uploading: Claim::default(),
            sending: alloc::vec![Claim::default(); N.saturating_add(1)],
            streams: Streams::default(),
        }
    }

    /// Takes a piece of an envelope for `vm`.
    pub(crate) fn envelope<F, H, const W: usize>(
        &mut self,
        vms: &mut Supervisor<F, H, N, W>,
        sender: Sender,
        vm: usize,
        piece: Piece<'_>,
    ) -> Result<Progress, Refusal>
    where
        F: NorFlash,
        H: Host,
    {
        let Sender { peer, session, now } = sender;
        if piece.offset == 0 {
            if self.uploading.excludes(peer, now) {
                return Err(Refusal::OtherTransfer);
            }
            self.upload = Some(Upload {
                sender,
                vm,
                taken: 0,
                stage: Stage::Head(Vec::new()),
            });
        }
        let mut upload = match self.upload.take() {
            Some(upload) if upload.sender.session == session && upload.vm == vm => upload,
            other => {
                self.upload = other;
                return Err(Refusal::BlockOutOfOrder);
            }
        };
        let more = piece.more;
        let place = self.sending.get_mut(vm);
        let sending = place.ok_or(Refusal::UnknownComponent)?;
        self.uploading.free();
        let progress = match piece.after(upload.taken) {
            Ok(rest) => {
                upload.sender = sender;
                upload.take(vms, sending, rest)?
            }
            Err(refusal) => {
                self.upload = Some(upload);
                self.uploading.hold(peer, now);
                return Err(refusal);
            }
        };
        match progress {
            Progress::Continue => {
                self.upload = Some(upload);
                self.uploading.hold(peer, now);
            }
            Progress::Accepted => {
                sending.hold(peer, now);
                self.streams.forget(session, vm);
                self.streams
                    .belongs(session, vm, vms.transfer(vm)?.digest)?;
            }
            Progress::AlreadyActive if more => self.upload = Some(upload),
            Progress::AlreadyActive | Progress::Activated(_) | Progress::Trusted => {}
        }
        Ok(progress)
    }

    /// Takes a piece of a detached payload for `vm`.
    pub(crate) fn payload<F, H, const W: usize>(
        &mut self,
        vms: &mut Supervisor<F, H, N, W>,
        sender: Sender,
        vm: usize,
        piece: Piece<'_>,
    ) -> Result<Progress, Refusal>
    where
        F: NorFlash,
        H: Host,
    {
        let Sender { peer, session, now } = sender;
        self.streams
            .belongs(session, vm, vms.transfer(vm)?.digest)?;
        let place = self.sending.get_mut(vm);
        let sending = place.ok_or(Refusal::UnknownComponent)?;
        sending.keep(peer, now);
        let progress = vms.payload_piece(vm, peer, piece)?;
        if progress != Progress::Continue {
            sending.free();
            self.streams.forget(session, vm);
        }
        Ok(progress)
    }

    /// Peers are counted anew, so that nobody knows whose a place was.
    pub(crate) fn free_places(&mut self) {
        self.uploading.free();
        self.sending.fill(Claim::default());
    }
}

impl Upload {
    fn take<F, H, const N: usize, const W: usize>(
        &mut self,
        vms: &mut Supervisor<F, H, N, W>,
        sending: &mut Claim,
        piece: Piece<'_>,
    ) -> Result<Progress, Refusal>
    where
        F: NorFlash,
        H: Host,
    {
        let Sender { peer, now, .. } = self.sender;
        self.taken = self.taken.saturating_add(piece.bytes.len());
        let head = match &mut self.stage {
            Stage::Payload(head) => {
                let piece = Piece {
                    offset: piece.offset.saturating_sub(*head),
                    ..piece
                };
                sending.keep(peer, now);
                let progress = vms.payload_piece(self.vm, peer, piece)?;
                if progress != Progress::Continue {
                    sending.free();
                }
                return Ok(progress);
            }
            Stage::AlreadyActive => return Ok(Progress::AlreadyActive),
            Stage::Head(head) => head,
        };
        // Bytes that do not fit any more belong to the payload, or the head
        // is too long, which the scan says.
        let room = MAX_HEAD.saturating_sub(head.len()).min(piece.bytes.len());
        let (first, beyond) = piece.bytes.split_at_checked(room).unwrap_or_default();
        head.extend_from_slice(first);
        let name = vms.name(self.vm);
        match scan_head(head).map_err(|error| refuse::envelope(name, error))? {
            Scan::NeedMore if piece.more => Ok(Progress::Continue),
            Scan::NeedMore => Err(refuse::envelope(name, sealift_manifest::Error::Truncated)),
            Scan::Complete {
                head_len,
                integrated,
            } => {
                let (head, start) = head.split_at_checked(head_len).unwrap_or_default();
                let begins = [start, beyond].concat();
                let elsewhere = sending.excludes(peer, now);
                let opened = vms.open(self.vm, head, elsewhere)?;
                if opened == Opened::AlreadyActive {
                    self.stage = Stage::AlreadyActive;
                    return Ok(Progress::AlreadyActive);
                }
                if integrated.is_none() {
                    return if begins.is_empty() && !piece.more {
                        Ok(Progress::Accepted)
                    } else {
                        let trailing = sealift_manifest::Error::TrailingBytes;
                        Err(refuse::envelope(name, trailing))
                    };
                }
                self.stage = Stage::Payload(head_len);
                let piece = Piece {
                    offset: 0,
                    bytes: &begins,
                    more: piece.more,
                };
                vms.payload_piece(self.vm, peer, piece)
            }
        }
    }
}

impl<F, H, const N: usize, const W: usize> Supervisor<F, H, N, W>
where
    F: NorFlash,
    H: Host,
{
    /// The transfer that is open.
    fn transfer(&self, vm: usize) -> Result<Transfer, Refusal> {
        let status = self.store.status(vm);
        status
            .and_then(|status| status.transfer)
            .ok_or(Refusal::NoTransfer)
    }

    /// Verifies the head of an envelope and opens a transfer for it.
    /// Where somebody else is sending, it has to be the same one.
    fn open(&mut self, vm: usize, head: &[u8], elsewhere: bool) -> Result<Opened, Refusal> {
        let name = self.name(vm);
        let manifest = self.acceptance.manifest(head, name, Kind::Persistent)?;
        let other = |open: Transfer| open.digest != manifest.digest;
        if elsewhere && self.transfer(vm).is_ok_and(other) {
            return Err(Refusal::OtherTransfer);
        }
        let opened = self
            .store
            .open_transfer(vm, &manifest, head)
            .map_err(|error| refuse::store(name, &error))?;
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
            // that could not be read. The running capsule goes on.
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
        self.store
            .activate(vm, &manifest, TRIES)
            .map_err(|error| refuse::store(name, &error))
    }

    /// Checks that the payload in `slot` is what the manifest says, and a
    /// capsule that could be started; runs nothing of it.
    fn prove(
        &mut self,
        vm: usize,
        slot: SlotId,
        manifest: &Verified<Manifest<'_>>,
    ) -> Result<(), Refusal> {
        let payload = self.payload(vm, slot, manifest)?;
        if !self.beside {
            self.stop(vm);
        }
        let checked = capsule::check(manifest, &payload);
        drop(payload);
        checked.map_err(|fault| {
            if !self.beside {
                self.start(vm);
            }
            refuse::because(self.name(vm), &fault, fault.refusal())
        })
    }

    /// Confirms the trial of `vm`.
    pub(crate) fn confirm(&mut self, vm: usize) -> Result<(), Refusal> {
        let name = self.name(vm);
        let active = self.active(vm).ok_or(Refusal::NoTrial)?;
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
        self.store
            .rollback(vm)
            .map_err(|error| refuse::store(name, &error))?;
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
