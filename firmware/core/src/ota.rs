//! Receiving capsules: whose blocks are taken, and in what order. What is done with them
//! is in `install`.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use sealift_manifest::{MAX_HEAD, Scan, scan_head};
use sealift_oscore::server::SessionId;
use sealift_storage::Opened;
use sealift_wire::Refusal;

use crate::block::Piece;
use crate::capsule::Host;
use crate::claim::Claim;
use crate::refuse;
use crate::streams::Streams;
use crate::supervisor::Supervisor;

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
