//! Where things are on the flash.

use core::fmt;

use embedded_storage::nor_flash::NorFlash;

use sealift_manifest::{MAX_TRUST, TRUST};

use crate::SlotId;
use crate::record::{Place, Tag};

/// Bytes at the start of a slot that are set aside for the head of the
/// envelope. The payload starts right behind, so that it is 16-byte aligned
/// for use in place.
pub const HEAD_AREA: u32 = 1024;

/// Erase pages of one component's journal.
const JOURNAL_PAGES: u32 = 2;

/// What the journal of the counter is marked with instead of a name.
const COUNTER: &str = "";

/// The place of every component's journal and slots; a board's constant.
///
/// Components follow one another from `base`, each as journal page 0, journal
/// page 1, slot A, slot B; behind them, if there is one, the two journal pages
/// of the counter; and behind that, if there is one, the component of the trust
/// record, with slots that are only as large as it needs. The layout is part of
/// the stored format: records written under another layout are not read (see
/// [`crate`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout<const N: usize> {
    base: u32,
    slot_pages: u16,
    names: [&'static str; N],
    counter: bool,
    trust: bool,
}

impl<const N: usize> Layout<N> {
    /// A layout of `N` components from byte `base` of the flash on, with
    /// slots of `slot_pages` erase pages each.
    ///
    /// Checked against the flash by [`Layout::check`], at mount.
    #[must_use]
    pub const fn new(base: u32, slot_pages: u16, names: [&'static str; N]) -> Self {
        Self {
            base,
            slot_pages,
            names,
            counter: false,
            trust: false,
        }
    }

    /// The same with a counter behind the components: see
    /// [`Store::raise_counter`](crate::Store::raise_counter).
    #[must_use]
    pub const fn with_counter(self) -> Self {
        Self {
            counter: true,
            ..self
        }
    }

    /// The same with a component for the trust record, [`TRUST`], behind all
    /// that. Its number is `N`; see [`Layout::name`].
    #[must_use]
    pub const fn with_trust(self) -> Self {
        Self {
            trust: true,
            ..self
        }
    }

    /// The name of component `c`, that of the trust record included.
    #[must_use]
    pub fn name(&self, c: usize) -> Option<&'static str> {
        if self.trust && c == N {
            return Some(TRUST);
        }
        self.names.get(c).copied()
    }

    /// The names of the components, in order of their numbers.
    #[must_use]
    pub const fn names(&self) -> &[&'static str; N] {
        &self.names
    }

    /// Flash bytes that the layout takes up with erase pages of `erase_size`
    /// bytes; `None` if that is beyond 32 bits.
    #[must_use]
    pub const fn size(&self, erase_size: u32) -> Option<u32> {
        let pages = component_pages(self.slot_pages) as u64;
        let counter = if self.counter {
            JOURNAL_PAGES as u64
        } else {
            0
        };
        let trust = if self.trust {
            component_pages(trust_pages(erase_size)) as u64
        } else {
            0
        };
        let size = pages
            .saturating_mul(N as u64)
            .saturating_add(counter)
            .saturating_add(trust)
            .saturating_mul(erase_size as u64);
        if size > u32::MAX as u64 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "just compared")]
        Some(size as u32)
    }

    /// Whether the layout suits this kind of flash with this capacity.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn check<F: NorFlash>(&self, capacity: usize) -> Result<(), LayoutError> {
        let word = size_of_flash_unit(F::WRITE_SIZE)?;
        let erase = size_of_flash_unit(F::ERASE_SIZE)?;
        let read = size_of_flash_unit(F::READ_SIZE)?;
        if HEAD_AREA.checked_rem(word) != Some(0) || erase.checked_rem(word) != Some(0) {
            return Err(LayoutError::WordSize);
        }
        if word.checked_rem(read) != Some(0) && read.checked_rem(word) != Some(0)
            || crate::media::CHUNK.checked_rem(F::READ_SIZE) != Some(0)
        {
            return Err(LayoutError::ReadSize);
        }
        if HEAD_AREA.checked_rem(erase) != Some(0) && erase.checked_rem(HEAD_AREA) != Some(0)
            || erase < Place::size(word)
        {
            return Err(LayoutError::PageSize);
        }
        if self.base.checked_rem(erase) != Some(0) {
            return Err(LayoutError::BaseUnaligned);
        }
        if u32::from(self.slot_pages).saturating_mul(erase) <= HEAD_AREA {
            return Err(LayoutError::SlotTooSmall);
        }
        let end = self
            .size(erase)
            .and_then(|size| self.base.checked_add(size))
            .ok_or(LayoutError::TooLarge)?;
        if u64::from(end) > capacity as u64 {
            return Err(LayoutError::TooLarge);
        }
        for (i, name) in self.names.iter().enumerate() {
            if self
                .names
                .iter()
                .skip(i.saturating_add(1))
                .any(|n| n == name)
            {
                return Err(LayoutError::DuplicateName);
            }
        }
        if self.trust && self.names.contains(&TRUST) {
            return Err(LayoutError::DuplicateName);
        }
        Ok(())
    }

    /// The areas of the components, on a flash with pages of `erase` bytes.
    /// Only for a layout that was checked: what does not fit saturates.
    pub(crate) fn areas(&self, erase: u32) -> Areas<N> {
        let mut journal = self.base;
        let size = component_pages(self.slot_pages).saturating_mul(erase);
        let areas = self.names.map(|name| {
            let area = Area::new(name, journal, erase, self.slot_pages);
            journal = journal.saturating_add(size);
            area
        });
        let counter = self.counter.then(|| Area::new(COUNTER, journal, erase, 0));
        if self.counter {
            journal = journal.saturating_add(JOURNAL_PAGES.saturating_mul(erase));
        }
        let trust = self
            .trust
            .then(|| Area::new(TRUST, journal, erase, trust_pages(erase)));
        Areas {
            components: areas,
            counter,
            trust,
        }
    }
}

/// What is where.
pub(crate) struct Areas<const N: usize> {
    pub(crate) components: [Area; N],
    pub(crate) counter: Option<Area>,
    pub(crate) trust: Option<Area>,
}

/// Erase pages of a slot for the trust record.
const fn trust_pages(erase_size: u32) -> u16 {
    #[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
    let bytes = HEAD_AREA.saturating_add(MAX_TRUST as u32);
    let pages = match erase_size {
        0 => 0,
        erase_size => bytes.div_ceil(erase_size),
    };
    #[expect(clippy::cast_possible_truncation, reason = "at most 3072")]
    let pages = pages as u16;
    pages
}

const fn component_pages(slot_pages: u16) -> u32 {
    JOURNAL_PAGES.saturating_add((slot_pages as u32).saturating_mul(2))
}

fn size_of_flash_unit(size: usize) -> Result<u32, LayoutError> {
    match u32::try_from(size) {
        Ok(size) if size != 0 => Ok(size),
        _ => Err(LayoutError::WordSize),
    }
}

/// The flash area of one component.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    journal: u32,
    pub(crate) erase: u32,
    slot_pages: u16,
    pub(crate) tag: Tag,
}

impl Area {
    fn new(name: &str, journal: u32, erase: u32, slot_pages: u16) -> Self {
        Self {
            journal,
            erase,
            slot_pages,
            tag: Tag::new(name, journal, erase, slot_pages),
        }
    }

    /// Start of journal page 0 or 1.
    pub(crate) fn journal_page(&self, page: JournalPage) -> u32 {
        match page {
            JournalPage::First => self.journal,
            JournalPage::Second => self.journal.saturating_add(self.erase),
        }
    }

    /// Start of a slot: of the head of its envelope.
    pub(crate) fn slot(&self, slot: SlotId) -> u32 {
        let a = self
            .journal
            .saturating_add(self.erase.saturating_mul(JOURNAL_PAGES));
        match slot {
            SlotId::A => a,
            SlotId::B => a.saturating_add(self.slot_size()),
        }
    }

    fn slot_size(&self) -> u32 {
        self.erase.saturating_mul(u32::from(self.slot_pages))
    }

    /// The largest payload that a slot takes, bytes.
    pub(crate) fn payload_capacity(&self) -> u32 {
        self.slot_size().saturating_sub(HEAD_AREA)
    }
}

/// One of the two pages of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JournalPage {
    First,
    Second,
}

impl JournalPage {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// Why a layout does not suit a flash: a mistake in the board's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LayoutError {
    /// The word size is zero, or does not divide the page and 1024.
    WordSize = 1,
    /// The read size is not a divisor or a multiple of the word size, or
    /// does not divide 256.
    ReadSize = 2,
    /// An erase page neither divides nor is a multiple of 1024 bytes, or is
    /// too small for a record.
    PageSize = 3,
    /// The base is not at the start of an erase page.
    BaseUnaligned = 4,
    /// A slot has no room for a payload.
    SlotTooSmall = 5,
    /// The layout reaches beyond the end of the flash.
    TooLarge = 6,
    /// Two components have the same name.
    DuplicateName = 7,
}

impl LayoutError {
    /// The stable number of this error.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WordSize => "the flash's word size does not suit the store",
            Self::ReadSize => "the flash's read size does not suit the store",
            Self::PageSize => "the flash's erase page size does not suit the store",
            Self::BaseUnaligned => "the store does not start at an erase page",
            Self::SlotTooSmall => "the slots have no room for a payload",
            Self::TooLarge => "the store reaches beyond the end of the flash",
            Self::DuplicateName => "two components have the same name",
        })
    }
}

impl core::error::Error for LayoutError {}
