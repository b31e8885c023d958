//! The journal: whole-state records, appended to one of two pages.

use embedded_storage::nor_flash::NorFlash;

use crate::Error;
use crate::layout::{Area, JournalPage};
use crate::media;
use crate::record::{Place, RECORD_LEN, Record};
use crate::state::State;

/// What programs the seal's word or words.
const SEAL: [u8; 4] = [0; 4];

/// Where the journal of a component stands.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The page with the record in force; `None` if there is none.
    page: Option<JournalPage>,
    /// The next free place in `page`, if this session erased that page.
    next: Option<u32>,
    /// The highest number that any record can have, torn ones included.
    attempted: u32,
    /// Whether the flash is certain to hold the state that is in force.
    settled: bool,
}

/// What a mount found.
pub(crate) struct Found {
    pub(crate) journal: Journal,
    /// The state of the record in force.
    pub(crate) state: Option<State>,
}

impl Journal {
    /// A journal without a record. Should one have been tried and be torn, its
    /// number is 1.
    pub(crate) const NEW: Self = Self {
        page: None,
        next: None,
        attempted: 1,
        settled: true,
    };

    /// Reads both pages and chooses the valid record of the highest number.
    pub(crate) fn mount<F: NorFlash>(flash: &mut F, area: &Area) -> Result<Found, Error<F::Error>> {
        let first = scan(flash, area, JournalPage::First)?;
        let second = scan(flash, area, JournalPage::Second)?;
        let number = |scan: &Scan| scan.best.map(|best| best.number);
        let (page, chosen, other) = if number(&second) > number(&first) {
            (JournalPage::Second, second, first)
        } else {
            (JournalPage::First, first, second)
        };
        let Some(best) = chosen.best else {
            return Ok(Found {
                journal: Self::NEW,
                state: None,
            });
        };
        // The other page holds nothing that could come to count later if it
        // was last erased before this one (it starts with a record of a lower
        // number) or if it is erased.
        let other_is_past = match other.first {
            Some(first) => first.number < best.number,
            None => other.is_erased,
        };
        Ok(Found {
            journal: Self {
                page: Some(page),
                next: None,
                attempted: best.number.saturating_add(1),
                settled: chosen.ends_clean && other_is_past,
            },
            state: Some(best.state),
        })
    }

    /// Whether the flash is certain to hold the state in force: false after a
    /// failed append, and after a mount that found traces of a cut.
    pub(crate) const fn is_settled(&self) -> bool {
        self.settled
    }

    /// Makes `state` the one in force. On an error it is unsettled which one
    /// the next mount finds, until an append succeeds.
    pub(crate) fn append<F: NorFlash, const W: usize>(
        &mut self,
        flash: &mut F,
        area: &Area,
        state: &State,
    ) -> Result<(), Error<F::Error>> {
        let number = self
            .attempted
            .checked_add(1)
            .ok_or(Error::JournalExhausted)?;
        let word = media::unit(F::WRITE_SIZE);
        // Only one attempt for each place, and the place counts as used up
        // until the attempt is known to have succeeded.
        self.settled = false;
        let (page, place) = match (self.page, self.next.take()) {
            (Some(page), Some(place)) => (page, place),
            (page, _) => {
                let page = page.map_or(JournalPage::First, JournalPage::other);
                media::erase(flash, area.journal_page(page), area.erase)?;
                (page, 0)
            }
        };
        self.attempted = number;
        let offset = area.journal_page(page).saturating_add(place);
        let record = Record {
            number,
            state: *state,
        };
        media::program::<F, W>(flash, offset, &record.encode(area.tag))?;
        let seal = offset.saturating_add(Place::seal_offset(word));
        media::program::<F, W>(flash, seal, &SEAL)?;
        self.page = Some(page);
        self.next = next_place(area, word, place);
        self.settled = true;
        Ok(())
    }
}

/// The place behind `place`, if the page has room for it.
fn next_place(area: &Area, word: u32, place: u32) -> Option<u32> {
    let next = place.checked_add(Place::size(word))?;
    let end = next.checked_add(Place::size(word))?;
    (end <= area.erase).then_some(next)
}

/// What one page holds.
struct Scan {
    /// The record in the first place.
    first: Option<Record>,
    /// The record of the highest number.
    best: Option<Record>,
    /// The best record is sealed, and only erased places follow.
    ends_clean: bool,
    /// There is nothing in any place.
    is_erased: bool,
}

fn scan<F: NorFlash>(
    flash: &mut F,
    area: &Area,
    page: JournalPage,
) -> Result<Scan, Error<F::Error>> {
    let word = media::unit(F::WRITE_SIZE);
    let mut scan = Scan {
        first: None,
        best: None,
        ends_clean: false,
        is_erased: true,
    };
    let mut place = Some(0);
    while let Some(at) = place {
        let offset = area.journal_page(page).saturating_add(at);
        let mut bytes = [0; RECORD_LEN];
        media::read(flash, offset, &mut bytes)?;
        if bytes.iter().all(|byte| *byte == 0xFF)
            && media::is_erased(flash, offset, Place::size(word))?
        {
            place = next_place(area, word, at);
            continue;
        }
        scan.is_erased = false;
        let record = Record::decode(area.tag, &bytes);
        if at == 0 {
            scan.first = record;
        }
        match (record, scan.best) {
            (Some(record), best) if best.is_none_or(|best| best.number < record.number) => {
                let seal = offset.saturating_add(Place::seal_offset(word));
                let mut found = [0xFF; SEAL.len()];
                media::read(flash, seal, &mut found)?;
                scan.best = Some(record);
                scan.ends_clean = found == SEAL;
            }
            _ => scan.ends_clean = false,
        }
        place = next_place(area, word, at);
    }
    Ok(scan)
}
