//! A store that was in use for long.

use super::{MockError, MockFlash};
use crate::journal::Journal;
use crate::state::State;
use crate::{Error, Layout, media};

/// Writes journals of empty components whose newest record has this number,
/// at least 4, onto a flash.
///
/// # Errors
/// If the flash fails or `number` is the last one or above.
pub fn age<const WORD: usize, const PAGE: usize, const N: usize>(
    flash: &mut MockFlash<WORD, PAGE>,
    layout: &Layout<N>,
    number: u32,
) -> Result<(), Error<MockError>> {
    for area in layout.areas(media::unit(PAGE)).components {
        // One record in each page, as in a store that was restarted.
        let mut journal = Journal::before(number - 2);
        journal.append::<_, WORD>(flash, &area, &State::EMPTY)?;
        let mut journal = Journal::mount(flash, &area)?.journal;
        journal.append::<_, WORD>(flash, &area, &State::EMPTY)?;
    }
    flash.begin();
    Ok(())
}
