//! The store: its functions, for all components of a board.

use core::cmp::Ordering;
use core::convert::Infallible;
use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;
use sealift_manifest::{Manifest, Verified};

use crate::component::Component;
use crate::media;
use crate::{ComponentStatus, Error, Layout, Lease, Opened, SlotId};

/// The store of `N` components on flash `F`.
///
/// `W` is the length of the buffers for the unfinished last word of a
/// transfer, one for each component: at least the flash's `WRITE_SIZE`, which
/// is checked when it is compiled.
///
/// Components are numbered as in the layout. A function that fails leaves the
/// state that [`Store::status`] reports as it was, with three exceptions that
/// are stated there: a failed write takes the transfer back to the last whole
/// page, a payload that does not match ends its transfer, and where the head of
/// a new transfer cannot be written, what its slot held is gone all the same.
#[derive(Debug)]
pub struct Store<F, const N: usize, const W: usize = 8> {
    flash: F,
    layout: Layout<N>,
    components: [Component<W>; N],
    /// A component without slots, of which only the number counts.
    counter: Option<Component<W>>,
    /// The component of the trust record: number `N`.
    trust: Option<Component<W>>,
}

impl<F: NorFlash, const N: usize, const W: usize> Store<F, N, W> {
    /// Reads the state of all components.
    ///
    /// Whatever is on the flash, even nothing or garbage, is a state: what
    /// cannot be read as a record does not count. Where a power cut left its
    /// traces, the state that was chosen is written again.
    ///
    /// # Errors
    /// [`Error::Layout`] and [`Error::Flash`] only.
    pub fn mount(flash: F, layout: Layout<N>) -> Result<Self, Error<F::Error>> {
        layout.check::<F>(flash.capacity()).map_err(Error::Layout)?;
        let mut number = 0_usize;
        let areas = layout.areas(media::unit(F::ERASE_SIZE));
        let components = areas.components.map(|area| {
            let component = Component::unread(number, area);
            number = number.saturating_add(1);
            component
        });
        let counter = areas.counter.map(|area| Component::unread(N, area));
        let trust = areas.trust.map(|area| Component::unread(N, area));
        let mut store = Self {
            flash,
            layout,
            components,
            counter,
            trust,
        };
        let components = store.components.iter_mut();
        for component in components.chain(&mut store.counter).chain(&mut store.trust) {
            component.read_journal(&mut store.flash)?;
        }
        Ok(store)
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.flash
    }

    /// The flash, to be looked at.
    pub fn flash(&self) -> &F {
        &self.flash
    }

    #[cfg(feature = "sim")]
    pub(crate) fn flash_mut(&mut self) -> &mut F {
        &mut self.flash
    }

    /// The layout.
    pub fn layout(&self) -> &Layout<N> {
        &self.layout
    }

    /// The largest payload that a slot of component `c` takes, in bytes.
    pub fn payload_capacity(&self, c: usize) -> u32 {
        self.numbered(c)
            .map_or(0, |component| component.area.payload_capacity())
    }

    /// The state of component `c`; `None` if there is no such component.
    pub fn status(&self, c: usize) -> Option<ComponentStatus> {
        self.numbered(c).map(Component::status)
    }

    /// Opens, resumes or recognises the transfer of a capsule whose manifest
    /// was verified, with the head of its envelope.
    ///
    /// A different transfer that is open is given up for the new one. From
    /// here on there is no capsule to roll back to until the next confirm.
    ///
    /// # Errors
    /// [`Error::UnknownComponent`], [`Error::WrongComponent`],
    /// [`Error::TrialPending`], [`Error::HeadLength`],
    /// [`Error::OldSequence`],
    /// [`Error::TooLarge`], [`Error::SlotLent`]: nothing changed. Nor did it
    /// if the flash failed in the journal. If it failed in the slot, no
    /// transfer is open, not the one before either, and there is no capsule to
    /// roll back to: the record that gives the slot up has to come first.
    pub fn open_transfer(
        &mut self,
        c: usize,
        manifest: &Verified<Manifest<'_>>,
        head: &[u8],
    ) -> Result<Opened, Error<F::Error>> {
        let name = self.layout.name(c);
        if name.is_some_and(|name| name != manifest.component) {
            return Err(Error::WrongComponent);
        }
        let (flash, component) = self.parts(c)?;
        component.open_transfer(flash, manifest, head)
    }

    /// Appends payload bytes to the open transfer; `offset` must be what was
    /// received so far. Returns what is received now.
    ///
    /// # Errors
    /// [`Error::NoTransfer`], [`Error::WrongOffset`], [`Error::TooLong`],
    /// [`Error::SlotLent`]: nothing changed. When the flash failed, the
    /// transfer stands where [`Store::status`] says, at a page boundary, or
    /// is given up.
    pub fn write(&mut self, c: usize, offset: u32, bytes: &[u8]) -> Result<u32, Error<F::Error>> {
        let (flash, component) = self.parts(c)?;
        component.write(flash, offset, bytes)
    }

    /// Gives the open transfer up.
    ///
    /// # Errors
    /// [`Error::NoTransfer`], or the flash failed.
    pub fn abort_transfer(&mut self, c: usize) -> Result<(), Error<F::Error>> {
        let (flash, component) = self.parts(c)?;
        component.abort_transfer(flash)
    }

    /// Reads the head of the envelope in a slot, of a capsule or of an open
    /// transfer, into the start of `buffer`, and returns it.
    ///
    /// # Errors
    /// [`Error::NoCapsule`], [`Error::BufferTooSmall`] (1024 bytes always
    /// suffice), or the flash failed.
    pub fn read_head<'b>(
        &mut self,
        c: usize,
        slot: SlotId,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], Error<F::Error>> {
        let (flash, component) = self.parts(c)?;
        let needed = usize::from(component.content(slot)?.head_len);
        let head = buffer
            .get_mut(..needed)
            .ok_or(Error::BufferTooSmall { needed })?;
        media::read(flash, component.area.slot(slot), head)?;
        Ok(head)
    }

    /// Reads payload bytes of a slot, of a capsule or of a complete transfer.
    ///
    /// # Errors
    /// [`Error::NoCapsule`], [`Error::Incomplete`], [`Error::OutOfBounds`],
    /// or the flash failed.
    pub fn read_payload(
        &mut self,
        c: usize,
        slot: SlotId,
        offset: u32,
        buffer: &mut [u8],
    ) -> Result<(), Error<F::Error>> {
        let (flash, component) = self.parts(c)?;
        let size = component.whole_content(slot)?.size;
        let end = u64::from(offset).saturating_add(buffer.len() as u64);
        if end > u64::from(size) {
            return Err(Error::OutOfBounds);
        }
        media::read(
            flash,
            component.payload(slot).saturating_add(offset),
            buffer,
        )
    }

    /// Where on the flash the payload of a slot is, of a capsule or of a complete
    /// transfer, for use in place; `None` if there is neither. Nothing vouches
    /// for the bytes but [`Store::check_payload`], and only a [`Lease`] keeps
    /// them there.
    pub fn payload_range(&self, c: usize, slot: SlotId) -> Option<Range<u32>> {
        let component = self.numbered(c)?;
        let content = component.whole_content::<Infallible>(slot).ok()?;
        let start = component.payload(slot);
        Some(start..start.saturating_add(content.size))
    }

    /// Hashes the payload in flash, in small pieces, and compares it with the
    /// manifest.
    ///
    /// # Errors
    /// [`Error::NoCapsule`], [`Error::Incomplete`], [`Error::OtherManifest`],
    /// [`Error::WrongPayload`], or the flash failed.
    pub fn check_payload(
        &mut self,
        c: usize,
        slot: SlotId,
        manifest: &Verified<Manifest<'_>>,
    ) -> Result<(), Error<F::Error>> {
        let (flash, component) = self.parts(c)?;
        if component.content(slot)?.digest != manifest.digest {
            return Err(Error::OtherManifest);
        }
        component.check_payload(flash, slot, manifest.payload_check())
    }

    /// Makes the complete transfer the active capsule, on trial with `tries`
    /// attempts, after its payload was hashed from flash.
    ///
    /// # Errors
    /// [`Error::NoTransfer`], [`Error::OtherManifest`],
    /// [`Error::Incomplete`], or the flash failed: nothing changed.
    /// [`Error::WrongPayload`]: the transfer is given up. If the flash fails in
    /// that, its error is returned, and the transfer is still open.
    pub fn activate(
        &mut self,
        c: usize,
        manifest: &Verified<Manifest<'_>>,
        tries: u8,
    ) -> Result<(), Error<F::Error>> {
        let (_, component) = self.parts(c)?;
        let (slot, _, _) = component.state.transfer().ok_or(Error::NoTransfer)?;
        let checked = self.check_payload(c, slot, manifest);
        let (flash, component) = self.parts(c)?;
        if let Err(Error::WrongPayload) = checked {
            component.abort_transfer(flash)?;
        }
        checked?;
        component.activate(flash, slot, tries)
    }

    /// Spends one try of the trial; to be called before each attempt to run
    /// it. Returns the tries left after this one.
    ///
    /// # Errors
    /// [`Error::NoTrial`], [`Error::NoTriesLeft`] (the caller reverts), or
    /// the flash failed.
    pub fn begin_attempt(&mut self, c: usize) -> Result<u8, Error<F::Error>> {
        let (flash, component) = self.parts(c)?;
        component.begin_attempt(flash)
    }

    /// Confirms the trial and raises the floor to what its manifest says.
    ///
    /// # Errors
    /// [`Error::NoTrial`], [`Error::OtherManifest`], or the flash failed.
    pub fn confirm(
        &mut self,
        c: usize,
        manifest: &Verified<Manifest<'_>>,
    ) -> Result<(), Error<F::Error>> {
        let (flash, component) = self.parts(c)?;
        component.confirm(flash, &manifest.digest, manifest.invoke.floor)
    }

    /// Puts the previous confirmed capsule back, by request. From a trial,
    /// the trial is gone; from a confirmed capsule the two change places.
    ///
    /// # Errors
    /// [`Error::NoPrevious`], [`Error::BelowFloor`], or the flash failed.
    pub fn rollback(&mut self, c: usize) -> Result<(), Error<F::Error>> {
        let (flash, component) = self.parts(c)?;
        component.rollback(flash)
    }

    /// Ends a failed trial: the previous confirmed capsule is put back, or
    /// the component becomes empty if there is none.
    ///
    /// # Errors
    /// [`Error::NoTrial`], or the flash failed.
    pub fn revert(&mut self, c: usize) -> Result<(), Error<F::Error>> {
        let (flash, component) = self.parts(c)?;
        component.revert(flash)
    }

    /// Removes the capsules and the open transfer. Floor and highest sequence
    /// number stay.
    ///
    /// # Errors
    /// The flash failed.
    pub fn remove(&mut self, c: usize) -> Result<(), Error<F::Error>> {
        let (flash, component) = self.parts(c)?;
        component.remove(flash)
    }

    /// Lends a slot with a capsule to the instance that runs it.
    ///
    /// # Errors
    /// [`Error::NoCapsule`], [`Error::SlotLent`].
    pub fn lend(&mut self, c: usize, slot: SlotId) -> Result<Lease, Error<F::Error>> {
        let (_, component) = self.parts(c)?;
        component.lend(slot).map(Lease::new)
    }

    /// Takes a slot back that is not in use any more.
    ///
    /// # Errors
    /// [`Error::ForeignLease`], for a slot that was not lent by this store.
    pub fn give_back(&mut self, lease: Lease) -> Result<(), Error<F::Error>> {
        let slot = lease.into_slot();
        let (_, component) = self
            .parts(slot.component())
            .map_err(|_| Error::ForeignLease)?;
        let place = component.token_mut(slot.id());
        if place.is_some() {
            return Err(Error::ForeignLease);
        }
        *place = Some(slot);
        Ok(())
    }

    /// The number that [`Store::raise_counter`] wrote last, 0 if it never did;
    /// `None` where the layout has no counter.
    pub fn counter(&self) -> Option<u64> {
        Some(self.counter.as_ref()?.state.highest)
    }

    /// Raises the counter to `number`, which survives a power cut at any place
    /// like every other state. Nothing is written where it is there already.
    ///
    /// # Errors
    /// [`Error::OldSequence`] for a number under the counter,
    /// [`Error::UnknownComponent`] where the layout has no counter, or the
    /// flash failed: nothing changed.
    pub fn raise_counter(&mut self, number: u64) -> Result<(), Error<F::Error>> {
        let counter = self.counter.as_mut().ok_or(Error::UnknownComponent)?;
        let mut state = counter.state;
        match number.cmp(&state.highest) {
            Ordering::Less => Err(Error::OldSequence {
                highest: state.highest,
            }),
            Ordering::Equal => Ok(()),
            Ordering::Greater => {
                state.highest = number;
                counter.commit(&mut self.flash, state)
            }
        }
    }

    fn numbered(&self, c: usize) -> Option<&Component<W>> {
        match c == N {
            true => self.trust.as_ref(),
            false => self.components.get(c),
        }
    }

    fn parts(&mut self, c: usize) -> Result<(&mut F, &mut Component<W>), Error<F::Error>> {
        let component = match c == N {
            true => self.trust.as_mut(),
            false => self.components.get_mut(c),
        };
        Ok((&mut self.flash, component.ok_or(Error::UnknownComponent)?))
    }
}
