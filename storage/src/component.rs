//! One component: its state in RAM, kept equal to its journal.

use embedded_storage::nor_flash::NorFlash;

use crate::journal::Journal;
use crate::layout::{Area, HEAD_AREA};
use crate::media;
use crate::slot::Slot;
use crate::state::{Content, State, Usage};
use crate::{ComponentStatus, Error, SlotId, SlotInfo, Transfer};

#[derive(Debug)]
pub(crate) struct Component<const W: usize> {
    pub(crate) area: Area,
    pub(crate) journal: Journal,
    pub(crate) state: State,
    /// The tokens of the slots that are not lent.
    pub(crate) slots: [Option<Slot>; 2],
    /// Payload bytes received by the open transfer.
    pub(crate) received: u32,
    /// Those of them that do not fill a word yet and are not in flash.
    pub(crate) tail: [u8; W],
}

impl<const W: usize> Component<W> {
    /// A component whose journal was not read yet.
    pub(crate) const fn unread(number: usize, area: Area) -> Self {
        Self {
            area,
            journal: Journal::NEW,
            state: State::EMPTY,
            slots: [
                Some(Slot::new(number, SlotId::A)),
                Some(Slot::new(number, SlotId::B)),
            ],
            received: 0,
            tail: [0xFF; W],
        }
    }

    /// Reads the journal, and writes the state again if there are traces of a
    /// cut.
    pub(crate) fn read_journal<F: NorFlash>(
        &mut self,
        flash: &mut F,
    ) -> Result<(), Error<F::Error>> {
        let found = Journal::mount(flash, &self.area)?;
        self.journal = found.journal;
        self.state = found.state.unwrap_or(State::EMPTY);
        self.rewind();
        if !self.journal.is_settled() {
            // Should this fail, the state is in force all the same, and stays
            // unsettled until something can be written.
            let _ = self.commit(flash, self.state);
        }
        Ok(())
    }

    /// Makes `state` the one in force, by one record.
    pub(crate) fn commit<F: NorFlash>(
        &mut self,
        flash: &mut F,
        state: State,
    ) -> Result<(), Error<F::Error>> {
        self.journal.append::<F, W>(flash, &self.area, &state)?;
        self.state = state;
        Ok(())
    }

    /// Takes the open transfer back to the last whole page, or gives it up if
    /// there is none: nothing else in the slot can be relied on.
    pub(crate) fn rewind(&mut self) {
        self.received = 0;
        if let Some((id, content, pages)) = self.state.transfer() {
            if pages == 0 {
                *self.state.slot_mut(id) = Content::FREE;
            } else {
                self.received = u32::from(pages)
                    .saturating_mul(self.area.erase)
                    .saturating_sub(HEAD_AREA)
                    .min(content.size);
            }
        }
    }

    /// The content of a slot that holds a capsule, or a transfer.
    pub(crate) fn content<E>(&self, slot: SlotId) -> Result<&Content, Error<E>> {
        let content = self.state.slot(slot);
        if content.usage == Usage::Free {
            return Err(Error::NoCapsule);
        }
        Ok(content)
    }

    /// The same, but only whole.
    pub(crate) fn whole_content<E>(&self, slot: SlotId) -> Result<&Content, Error<E>> {
        let content = self.content(slot)?;
        if matches!(content.usage, Usage::Transfer { .. }) && self.received != content.size {
            return Err(Error::Incomplete {
                received: self.received,
            });
        }
        Ok(content)
    }

    /// Flash offset of the payload in a slot.
    pub(crate) fn payload(&self, slot: SlotId) -> u32 {
        self.area.slot(slot).saturating_add(HEAD_AREA)
    }

    /// Whether the payload in `slot` is that of `check`.
    pub(crate) fn check_payload<F: NorFlash>(
        &self,
        flash: &mut F,
        slot: SlotId,
        mut check: sealift_manifest::PayloadCheck,
    ) -> Result<(), Error<F::Error>> {
        let mut left = self.whole_content(slot)?.size;
        let mut at = self.payload(slot);
        let mut buffer = [0; media::CHUNK];
        while left != 0 {
            let len = media::unit(media::CHUNK).min(left);
            let chunk = buffer.get_mut(..len as usize).ok_or(Error::OutOfBounds)?;
            media::read(flash, at, chunk)?;
            check.update(chunk);
            at = at.saturating_add(len);
            left = left.saturating_sub(len);
        }
        check.finish().map_err(|_| Error::WrongPayload)
    }

    pub(crate) fn status(&self) -> ComponentStatus {
        let info = |(slot, content): (SlotId, &Content)| {
            Some(SlotInfo {
                slot,
                sequence: content.sequence,
                phase: content.phase()?,
                digest: content.digest,
                head_len: content.head_len,
                payload_len: content.size,
            })
        };
        ComponentStatus {
            active: self.state.active().and_then(info),
            previous: self.state.rollback_target().and_then(info),
            highest: self.state.highest,
            floor: self.state.floor,
            transfer: self.state.transfer().map(|(slot, content, _)| Transfer {
                slot,
                received: self.received,
                size: content.size,
                sequence: content.sequence,
                digest: content.digest,
                head_len: content.head_len,
            }),
        }
    }

    /// Lends the token of a slot with a capsule.
    pub(crate) fn lend<E>(&mut self, slot: SlotId) -> Result<Slot, Error<E>> {
        if self.state.slot(slot).phase().is_none() {
            return Err(Error::NoCapsule);
        }
        self.token_mut(slot).take().ok_or(Error::SlotLent)
    }

    pub(crate) const fn token_mut(&mut self, slot: SlotId) -> &mut Option<Slot> {
        let [a, b] = &mut self.slots;
        match slot {
            SlotId::A => a,
            SlotId::B => b,
        }
    }

    pub(crate) const fn is_lent(&self, slot: SlotId) -> bool {
        let [a, b] = &self.slots;
        match slot {
            SlotId::A => a.is_none(),
            SlotId::B => b.is_none(),
        }
    }
}

/// What changes which capsule runs: one record each.
impl<const W: usize> Component<W> {
    pub(crate) fn activate<F: NorFlash>(
        &mut self,
        flash: &mut F,
        slot: SlotId,
        tries: u8,
    ) -> Result<(), Error<F::Error>> {
        let mut state = self.state;
        let content = state.slot_mut(slot);
        content.usage = Usage::Trial { tries };
        let sequence = content.sequence;
        state.active = Some(slot);
        state.highest = state.highest.max(sequence);
        self.commit(flash, state)
    }

    pub(crate) fn abort_transfer<F: NorFlash>(
        &mut self,
        flash: &mut F,
    ) -> Result<(), Error<F::Error>> {
        let (slot, _, _) = self.state.transfer().ok_or(Error::NoTransfer)?;
        let mut state = self.state;
        *state.slot_mut(slot) = Content::FREE;
        self.commit(flash, state)
    }

    pub(crate) fn begin_attempt<F: NorFlash>(
        &mut self,
        flash: &mut F,
    ) -> Result<u8, Error<F::Error>> {
        let (slot, tries) = self.state.trial().ok_or(Error::NoTrial)?;
        let left = tries.checked_sub(1).ok_or(Error::NoTriesLeft)?;
        let mut state = self.state;
        state.slot_mut(slot).usage = Usage::Trial { tries: left };
        self.commit(flash, state)?;
        Ok(left)
    }

    pub(crate) fn confirm<F: NorFlash>(
        &mut self,
        flash: &mut F,
        digest: &[u8; 32],
        floor: u64,
    ) -> Result<(), Error<F::Error>> {
        let (slot, _) = self.state.trial().ok_or(Error::NoTrial)?;
        let mut state = self.state;
        let content = state.slot_mut(slot);
        if content.digest != *digest {
            return Err(Error::OtherManifest);
        }
        content.usage = Usage::Confirmed;
        // Not above the capsule's own number: no such manifest verifies.
        state.floor = state.floor.max(floor);
        self.commit(flash, state)
    }

    pub(crate) fn rollback<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), Error<F::Error>> {
        let mut state = self.state;
        let (previous, content) = self.state.previous().ok_or(Error::NoPrevious)?;
        if content.sequence < state.floor {
            return Err(Error::BelowFloor { floor: state.floor });
        }
        if let Some((trial, _)) = self.state.trial() {
            *state.slot_mut(trial) = Content::FREE;
        }
        state.active = Some(previous);
        self.commit(flash, state)
    }

    pub(crate) fn revert<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), Error<F::Error>> {
        let (trial, _) = self.state.trial().ok_or(Error::NoTrial)?;
        let mut state = self.state;
        // It was active and confirmed, and the floor did not rise since.
        state.active = self.state.previous().map(|(slot, _)| slot);
        *state.slot_mut(trial) = Content::FREE;
        self.commit(flash, state)
    }

    pub(crate) fn remove<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), Error<F::Error>> {
        let mut state = self.state;
        state.active = None;
        state.slots = [Content::FREE; 2];
        if state == self.state {
            return Ok(());
        }
        self.commit(flash, state)
    }
}
