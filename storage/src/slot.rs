//! Slots as values: who holds the token may erase.

use embedded_storage::nor_flash::NorFlash;

use crate::layout::Area;
use crate::{Error, SlotId, media};

/// The right to erase and program one slot.
///
/// There is exactly one for each slot of a mounted store, it cannot be cloned
/// or made outside of the store, and every function that erases or programs a
/// slot asks for it. While it is lent out inside a [`Lease`] no such call can
/// be written.
///
/// ```compile_fail
/// # use sealift_storage::Slot;
/// fn two(slot: &Slot) -> Slot {
///     slot.clone() // no: it is the only one
/// }
/// ```
#[derive(Debug)]
pub struct Slot {
    component: usize,
    id: SlotId,
}

impl Slot {
    pub(crate) const fn new(component: usize, id: SlotId) -> Self {
        Self { component, id }
    }

    /// The number of the component.
    #[must_use]
    pub const fn component(&self) -> usize {
        self.component
    }

    /// Which of its two slots.
    #[must_use]
    pub const fn id(&self) -> SlotId {
        self.id
    }

    /// Programs `bytes` from byte `at` of the slot on, which must be the
    /// start of a word, and erases each page right before its first byte.
    pub(crate) fn program<F: NorFlash, const W: usize>(
        &mut self,
        flash: &mut F,
        area: &Area,
        at: u32,
        bytes: &[u8],
    ) -> Result<(), Error<F::Error>> {
        let mut at = at;
        let mut rest = bytes;
        while !rest.is_empty() {
            let in_page = at.checked_rem(area.erase).unwrap_or_default();
            let offset = area.slot(self.id).saturating_add(at);
            if in_page == 0 {
                media::erase(flash, offset, area.erase)?;
            }
            let room = area.erase.saturating_sub(in_page) as usize;
            let (part, behind) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            media::program::<F, W>(flash, offset, part)?;
            at = at.saturating_add(media::unit(part.len()));
            rest = behind;
        }
        Ok(())
    }
}

/// A slot lent to a running capsule, which uses its bytes in place.
///
/// Keep it as long as the capsule's code may be read, then hand it back with
/// [`crate::Store::give_back`]. A lease that is dropped instead leaves the
/// slot lent until the next mount: safe, but no update can go there.
#[derive(Debug)]
#[must_use = "a lease that is dropped leaves the slot lent"]
pub struct Lease {
    slot: Slot,
}

impl Lease {
    pub(crate) const fn new(slot: Slot) -> Self {
        Self { slot }
    }

    pub(crate) fn into_slot(self) -> Slot {
        self.slot
    }

    /// The slot that is lent.
    #[must_use]
    pub const fn slot(&self) -> &Slot {
        &self.slot
    }
}
