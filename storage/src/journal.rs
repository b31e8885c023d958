//! The journal: whole-state records, appended to one of two pages.

use embedded_storage::nor_flash::NorFlash;

use crate::Error;
use crate::layout::{Area, JournalPage};
use crate::media;
use crate::record::{Place, RECORD_LEN, Record};
use crate::state::State;

/// What programs the word or words of a seal, or an opening.
const SEAL: [u8; 4] = [0; 4];

/// Where the journal of a component stands.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The page with the record that must not be lost; `None` if there is none.
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
    /// A journal without a record: the first one has number 2. Should one have
    /// been tried and be torn, it is in the page that is erased for that.
    pub(crate) const NEW: Self = Self {
        page: None,
        next: None,
        attempted: 1,
        settled: true,
    };

    /// A journal whose next record has this number.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) const fn before(number: u32) -> Self {
        Self {
            attempted: number.saturating_sub(1),
            ..Self::NEW
        }
    }

    /// Reads both pages and chooses the valid record of the highest number.
    pub(crate) fn mount<F: NorFlash>(flash: &mut F, area: &Area) -> Result<Found, Error<F::Error>> {
        let first = scan(flash, area, JournalPage::First)?;
        let second = scan(flash, area, JournalPage::Second)?;
        let best = |scan: &Scan| scan.best.map(|best| best.number);
        let (newest, chosen, other) = if best(&second) > best(&first) {
            (JournalPage::Second, &second, &first)
        } else {
            (JournalPage::First, &first, &second)
        };
        let Some(best) = chosen.best else {
            return Ok(Found {
                journal: Self::NEW,
                state: None,
            });
        };
        // A sealed record is there to stay, an unsealed one may be gone at the
        // next mount. So the best sealed one must outlive whatever is written
        // next. If there is none, nobody ever relied on another record.
        let page = match (first.best_sealed, second.best_sealed) {
            (None, None) => newest,
            (first, second) if second > first => JournalPage::Second,
            _ => JournalPage::First,
        };
        // If the other page starts with a record, then it is older, nothing
        // was tried there since, and it holds nothing that could come to count
        // later. If not, there may have been a cut in its erase or in its
        // first write, even if it looks erased now.
        let other_is_past = other.starts_with_record;
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
        let start = Place::record_offset(word);
        if start != 0 {
            media::program::<F, W>(flash, offset, &SEAL)?;
        }
        let start = offset.saturating_add(start);
        media::program::<F, W>(flash, start, &record.encode(area.tag))?;
        for seal in Place::seal_offsets(word) {
            media::program::<F, W>(flash, offset.saturating_add(seal), &SEAL)?;
        }
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
    /// There is a record in the first place.
    starts_with_record: bool,
    /// The record of the highest number.
    best: Option<Record>,
    /// The highest number of a record whose first seal is there.
    best_sealed: Option<u32>,
    /// The best record has both seals, and only erased places follow.
    ends_clean: bool,
}

fn scan<F: NorFlash>(
    flash: &mut F,
    area: &Area,
    page: JournalPage,
) -> Result<Scan, Error<F::Error>> {
    let word = media::unit(F::WRITE_SIZE);
    let mut scan = Scan {
        starts_with_record: false,
        best: None,
        best_sealed: None,
        ends_clean: false,
    };
    let mut place = Some(0);
    // The last sealed record that cannot be read, if no sealed one that can
    // follows.
    let mut rotten = None;
    while let Some(at) = place {
        place = next_place(area, word, at);
        let offset = area.journal_page(page).saturating_add(at);
        let bytes = read_record(flash, word, offset)?;
        if bytes.iter().all(|byte| *byte == 0xFF)
            && media::is_erased(flash, offset, Place::size(word))?
        {
            continue;
        }
        let record = Record::decode(area.tag, &bytes);
        if at == 0 {
            scan.starts_with_record = record.is_some();
        }
        let seals = read_seals(flash, word, offset)?;
        scan.ends_clean = false;
        match record {
            Some(record) => {
                // One without its first seal may be gone at the next mount, so
                // it is no reason to do without the one before.
                let [first, _] = seals;
                if first.is_there() {
                    rotten = None;
                }
                scan.add(record, seals);
            }
            None if seals.iter().all(|seal| seal.is_there()) => rotten = Some(offset),
            None => {}
        }
    }
    // The newest record that is certain to stay is the last sealed one of its
    // page: one flipped bit in it must not take the state back, be it now or
    // when an unsealed one behind it is gone. Bits that differ in more than one
    // place are a cut in an erase, of older records.
    if let Some(offset) = rotten {
        let bytes = read_record(flash, word, offset)?;
        if let Some(record) = Record::repair(area.tag, &bytes) {
            scan.add(record, [Seal::Damaged; 2]);
        }
    }
    Ok(scan)
}

impl Scan {
    /// Takes a record in.
    fn add(&mut self, record: Record, seals: [Seal; 2]) {
        let [first, _] = seals;
        if first.is_there() {
            self.best_sealed = self.best_sealed.max(Some(record.number));
        }
        if self.best.is_none_or(|best| best.number < record.number) {
            self.best = Some(record);
            self.ends_clean = seals == [Seal::Whole; 2];
        }
    }
}

/// What is where a seal belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seal {
    Absent,
    /// All but one bit: it was there, and that bit flipped, or it was cut.
    Damaged,
    Whole,
}

impl Seal {
    const fn is_there(self) -> bool {
        matches!(self, Self::Damaged | Self::Whole)
    }
}

fn read_record<F: NorFlash>(
    flash: &mut F,
    word: u32,
    place: u32,
) -> Result<[u8; RECORD_LEN], Error<F::Error>> {
    let mut bytes = [0; RECORD_LEN];
    let start = place.saturating_add(Place::record_offset(word));
    media::read(flash, start, &mut bytes)?;
    Ok(bytes)
}

fn read_seals<F: NorFlash>(
    flash: &mut F,
    word: u32,
    place: u32,
) -> Result<[Seal; 2], Error<F::Error>> {
    let mut seals = [Seal::Absent; 2];
    for (seal, at) in seals.iter_mut().zip(Place::seal_offsets(word)) {
        let mut found = [0xFF; SEAL.len()];
        media::read(flash, place.saturating_add(at), &mut found)?;
        *seal = match u32::from_ne_bytes(found).count_ones() {
            0 => Seal::Whole,
            1 => Seal::Damaged,
            _ => Seal::Absent,
        };
    }
    Ok(seals)
}

#[cfg(test)]
mod tests {
    use super::{Journal, State};
    use crate::sim::MockFlash;
    use crate::{Error, Layout};

    #[test]
    fn no_number_comes_twice() {
        let mut flash = MockFlash::<4, 512>::new(6);
        let [area] = Layout::new(0, 2, ["a"]).areas(512).components;
        let mut journal = Journal::before(u32::MAX);
        let state = State::EMPTY;
        assert_eq!(
            journal.append::<_, 4>(&mut flash, &area, &state),
            Ok(()),
            "the last number"
        );
        let before = flash.bytes().to_vec();
        let exhausted = journal.append::<_, 4>(&mut flash, &area, &state);
        assert_eq!(exhausted, Err(Error::JournalExhausted));
        assert_eq!(flash.bytes(), before);
        let mut found = Journal::mount(&mut flash, &area).expect("reads").journal;
        let exhausted = found.append::<_, 4>(&mut flash, &area, &state);
        assert_eq!(exhausted, Err(Error::JournalExhausted));
    }
}
