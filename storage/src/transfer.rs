//! Filling a slot, page by page.

use embedded_storage::nor_flash::NorFlash;
use sealift_manifest::{MAX_HEAD, Manifest, Verified};

use crate::component::Component;
use crate::layout::HEAD_AREA;
use crate::media;
use crate::record::round_up;
use crate::state::{Content, Usage};
use crate::{Error, Opened, SlotId};

const _: () = assert!(MAX_HEAD as u64 == HEAD_AREA as u64, "every head has room");

impl<const W: usize> Component<W> {
    pub(crate) fn open_transfer<F: NorFlash>(
        &mut self,
        flash: &mut F,
        manifest: &Verified<Manifest<'_>>,
        head: &[u8],
    ) -> Result<Opened, Error<F::Error>> {
        if let Some((_, active)) = self.state.active()
            && active.digest == manifest.digest
        {
            return Ok(Opened::AlreadyActive);
        }
        if let Some((_, open, _)) = self.state.transfer()
            && open.digest == manifest.digest
        {
            return Ok(Opened::Resumed {
                received: self.received,
            });
        }
        if self.state.trial().is_some() {
            return Err(Error::TrialPending);
        }
        let head_len = u16::try_from(head.len())
            .ok()
            .filter(|len| (1..=HEAD_AREA).contains(&u32::from(*len)))
            .ok_or(Error::HeadLength)?;
        // The floor is never above the highest number, so this covers it.
        let highest = self.state.highest;
        if manifest.sequence_number <= highest {
            return Err(Error::OldSequence { highest });
        }
        let capacity = self.area.payload_capacity();
        if manifest.payload_size > capacity {
            return Err(Error::TooLarge { capacity });
        }
        let slot = self.target()?;

        // One record takes the slot from whatever it was; only then is
        // anything in it touched.
        let mut state = self.state;
        if let Some((replaced, _, _)) = self.state.transfer() {
            *state.slot_mut(replaced) = Content::FREE;
        }
        *state.slot_mut(slot) = Content {
            usage: Usage::Transfer { pages: 0 },
            head_len,
            size: manifest.payload_size,
            sequence: manifest.sequence_number,
            digest: manifest.digest,
        };
        self.commit(flash, state)?;
        self.received = 0;
        let done = self.program(flash, slot, 0, head);
        self.advance(flash, slot, done)?;
        Ok(Opened::New)
    }

    /// The slot for a new transfer.
    fn target<E>(&self) -> Result<SlotId, Error<E>> {
        match self.state.active {
            Some(active) if self.is_lent(active.other()) => Err(Error::SlotLent),
            Some(active) => Ok(active.other()),
            None => SlotId::BOTH
                .into_iter()
                .find(|slot| !self.is_lent(*slot))
                .ok_or(Error::SlotLent),
        }
    }

    pub(crate) fn write<F: NorFlash>(
        &mut self,
        flash: &mut F,
        offset: u32,
        bytes: &[u8],
    ) -> Result<u32, Error<F::Error>> {
        let (slot, content, _) = self.state.transfer().ok_or(Error::NoTransfer)?;
        if offset != self.received {
            return Err(Error::WrongOffset {
                received: self.received,
            });
        }
        if bytes.len() as u64 > u64::from(content.size.saturating_sub(offset)) {
            return Err(Error::TooLong);
        }
        // What is written below may be erased below: the journal must say so
        // first, should it have failed to.
        if !self.journal.is_settled() {
            self.commit(flash, self.state)?;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = HEAD_AREA.saturating_add(self.received);
            let page_end = round_up(at.saturating_add(1), self.area.erase);
            let room = page_end.saturating_sub(at) as usize;
            let (part, behind) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            let done = self.fill(flash, slot, part);
            self.advance(flash, slot, done)?;
            rest = behind;
        }
        Ok(self.received)
    }

    /// Appends bytes that are all in one page. Whole words go to the flash,
    /// the rest waits for more bytes or the end of the payload.
    fn fill<F: NorFlash>(
        &mut self,
        flash: &mut F,
        slot: SlotId,
        bytes: &[u8],
    ) -> Result<(), Error<F::Error>> {
        let word = F::WRITE_SIZE;
        let size = self.state.slot(slot).size;
        let waiting = (self.received as usize)
            .checked_rem(word)
            .unwrap_or_default();
        let mut at = HEAD_AREA
            .saturating_add(self.received)
            .saturating_sub(media::unit(waiting));
        let mut rest = bytes;
        if waiting != 0 {
            let missing = word.saturating_sub(waiting);
            let (part, behind) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
            self.keep(waiting, part);
            rest = behind;
            if part.len() == missing {
                let full = self.tail;
                let full = full.get(..word).ok_or(Error::OutOfBounds)?;
                self.program(flash, slot, at, full)?;
                at = at.saturating_add(media::unit(word));
            }
        }
        let tail_len = rest.len().checked_rem(word).unwrap_or_default();
        let (words, tail) = rest.split_at(rest.len().saturating_sub(tail_len));
        self.program(flash, slot, at, words)?;
        if !tail.is_empty() {
            self.keep(0, tail);
        }
        self.received = self.received.saturating_add(media::unit(bytes.len()));
        let waiting = (self.received as usize)
            .checked_rem(word)
            .unwrap_or_default();
        if self.received == size && waiting != 0 {
            let at = HEAD_AREA
                .saturating_add(self.received)
                .saturating_sub(media::unit(waiting));
            let tail = self.tail;
            let tail = tail.get(..waiting).ok_or(Error::OutOfBounds)?;
            self.program(flash, slot, at, tail)?;
        }
        Ok(())
    }

    /// Keeps bytes for later, from byte `from` of the unfinished word on.
    fn keep(&mut self, from: usize, bytes: &[u8]) {
        for (to, byte) in self.tail.iter_mut().skip(from).zip(bytes) {
            *to = *byte;
        }
    }

    fn program<F: NorFlash>(
        &mut self,
        flash: &mut F,
        slot: SlotId,
        at: u32,
        bytes: &[u8],
    ) -> Result<(), Error<F::Error>> {
        let area = self.area;
        let token = self.token_mut(slot).as_mut().ok_or(Error::SlotLent)?;
        token.program::<F, W>(flash, &area, at, bytes)
    }

    /// Journals the pages that are whole now, or takes the transfer back if
    /// something failed.
    fn advance<F: NorFlash>(
        &mut self,
        flash: &mut F,
        slot: SlotId,
        done: Result<(), Error<F::Error>>,
    ) -> Result<(), Error<F::Error>> {
        let advanced = done.and_then(|()| {
            let mut state = self.state;
            let content = state.slot_mut(slot);
            let end = HEAD_AREA.saturating_add(self.received);
            let pages = if self.received == content.size {
                end.div_ceil(self.area.erase)
            } else {
                end.checked_div(self.area.erase).unwrap_or_default()
            };
            content.usage = Usage::Transfer {
                pages: u16::try_from(pages).map_err(|_| Error::OutOfBounds)?,
            };
            if state == self.state {
                return Ok(());
            }
            self.commit(flash, state)
        });
        if advanced.is_err() {
            self.rewind();
        }
        advanced
    }
}
