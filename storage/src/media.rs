//! Reads of any alignment, and writes that are checked.

use embedded_storage::nor_flash::NorFlash;

use crate::Error;

/// Bytes that are read at once for comparing and hashing.
pub(crate) const CHUNK: usize = 256;

/// The size of a flash unit as the 32 bits that flash offsets have.
/// [`crate::Layout::check`] refuses flashes where it does not fit.
pub(crate) const fn unit(size: usize) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "checked at mount")]
    let unit = size as u32;
    unit
}

/// Reads at any offset, whatever the flash's read size.
pub(crate) fn read<F: NorFlash>(
    flash: &mut F,
    offset: u32,
    buffer: &mut [u8],
) -> Result<(), Error<F::Error>> {
    if F::READ_SIZE == 1 {
        return flash.read(offset, buffer).map_err(Error::Flash);
    }
    let mut bounce = [0; CHUNK];
    let mut at = offset;
    let mut rest = buffer;
    while !rest.is_empty() {
        let skip = at.checked_rem(unit(F::READ_SIZE)).unwrap_or_default();
        let skip_len = skip as usize;
        let wanted = skip_len
            .saturating_add(rest.len())
            .checked_next_multiple_of(F::READ_SIZE)
            .map_or(CHUNK, |wanted| wanted.min(CHUNK));
        let chunk = bounce.get_mut(..wanted).ok_or(Error::OutOfBounds)?;
        flash
            .read(at.saturating_sub(skip), chunk)
            .map_err(Error::Flash)?;
        let mut copied = 0_u32;
        let mut target = rest.iter_mut();
        for (from, to) in chunk.iter().skip(skip_len).zip(target.by_ref()) {
            *to = *from;
            copied = copied.saturating_add(1);
        }
        rest = target.into_slice();
        at = at.saturating_add(copied);
    }
    Ok(())
}

/// Programs `bytes` from the start of a word on, the last word filled up with
/// 0xFF, and reads them back.
pub(crate) fn program<F: NorFlash, const W: usize>(
    flash: &mut F,
    offset: u32,
    bytes: &[u8],
) -> Result<(), Error<F::Error>> {
    const {
        assert!(
            F::WRITE_SIZE <= W,
            "W must be at least the flash's WRITE_SIZE"
        )
    };
    let tail_len = bytes.len().checked_rem(F::WRITE_SIZE).unwrap_or_default();
    let (words, tail) = bytes.split_at(bytes.len().saturating_sub(tail_len));
    if !words.is_empty() {
        flash.write(offset, words).map_err(Error::Flash)?;
    }
    if !tail.is_empty() {
        let mut word = [0xFF; W];
        for (to, from) in word.iter_mut().zip(tail) {
            *to = *from;
        }
        let word = word.get(..F::WRITE_SIZE).ok_or(Error::OutOfBounds)?;
        flash
            .write(offset.saturating_add(unit(words.len())), word)
            .map_err(Error::Flash)?;
    }
    verify(flash, offset, bytes)
}

fn verify<F: NorFlash>(flash: &mut F, offset: u32, bytes: &[u8]) -> Result<(), Error<F::Error>> {
    let mut buffer = [0; CHUNK];
    let mut at = offset;
    for expected in bytes.chunks(CHUNK) {
        let found = buffer.get_mut(..expected.len()).ok_or(Error::OutOfBounds)?;
        read(flash, at, found)?;
        if found != expected {
            return Err(Error::Worn { offset: at });
        }
        at = at.saturating_add(unit(expected.len()));
    }
    Ok(())
}

/// Erases the page of `erase` bytes that starts at `offset`.
pub(crate) fn erase<F: NorFlash>(
    flash: &mut F,
    offset: u32,
    erase: u32,
) -> Result<(), Error<F::Error>> {
    flash
        .erase(offset, offset.saturating_add(erase))
        .map_err(Error::Flash)
}

/// Whether a range reads as erased.
pub(crate) fn is_erased<F: NorFlash>(
    flash: &mut F,
    offset: u32,
    len: u32,
) -> Result<bool, Error<F::Error>> {
    let mut buffer = [0; CHUNK];
    let mut at = offset;
    let end = offset.saturating_add(len);
    while at < end {
        let len = (end.saturating_sub(at) as usize).min(CHUNK);
        let chunk = buffer.get_mut(..len).ok_or(Error::OutOfBounds)?;
        read(flash, at, chunk)?;
        if chunk.iter().any(|byte| *byte != 0xFF) {
            return Ok(false);
        }
        at = at.saturating_add(unit(len));
    }
    Ok(true)
}
