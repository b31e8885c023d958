//! A part of a flash chip, as a flash of its own.
//!
//! Where a program and its device's pages are on one chip, a [`Partition`] is all
//! that the device gets to see of it: no mistake in an address can reach the
//! program. It has the words that the board wants, too, which may be longer than
//! the driver's.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unreachable,
        clippy::todo
    )
)]

use core::ops::Range;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read,
    check_write,
};

/// The bytes from `start` on of a flash `F`, with words of `W` bytes.
#[derive(Debug)]
pub struct Partition<F, const W: usize> {
    flash: F,
    start: u32,
    len: u32,
}

/// Why a partition did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionError<E> {
    /// An address outside of it, or not aligned.
    Address(NorFlashErrorKind),
    /// The flash failed.
    Flash(E),
}

impl<F: NorFlash, const W: usize> Partition<F, W> {
    /// Words are whole words of the flash, and pages whole words.
    const WORDS_FIT: () = assert!(
        W > 0 && W.is_multiple_of(F::WRITE_SIZE) && F::ERASE_SIZE.is_multiple_of(W),
        "words of a partition that do not fit those of its flash"
    );

    /// This range of a flash; `None` where that is not whole pages of it.
    pub fn new(flash: F, range: Range<u32>) -> Option<Self> {
        let () = Self::WORDS_FIT;
        let page = u32::try_from(F::ERASE_SIZE).ok()?;
        let capacity = u32::try_from(flash.capacity()).unwrap_or(u32::MAX);
        let len = range.end.checked_sub(range.start)?;
        let whole = range.start.checked_rem(page)? == 0 && len.checked_rem(page)? == 0;
        (whole && range.end <= capacity).then_some(Self {
            flash,
            start: range.start,
            len,
        })
    }

    /// Where this is on the flash; checked to be inside of the partition.
    fn place(&self, offset: u32) -> Result<u32, PartitionError<F::Error>> {
        let out = PartitionError::Address(NorFlashErrorKind::OutOfBounds);
        self.start.checked_add(offset).ok_or(out)
    }
}

impl<F: NorFlash, const W: usize> ErrorType for Partition<F, W> {
    type Error = PartitionError<F::Error>;
}

impl<E: NorFlashError> NorFlashError for PartitionError<E> {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Address(kind) => *kind,
            Self::Flash(error) => error.kind(),
        }
    }
}

impl<F: NorFlash, const W: usize> ReadNorFlash for Partition<F, W> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len()).map_err(PartitionError::Address)?;
        let place = self.place(offset)?;
        self.flash.read(place, bytes).map_err(PartitionError::Flash)
    }

    fn capacity(&self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }
}

impl<F: NorFlash, const W: usize> NorFlash for Partition<F, W> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to).map_err(PartitionError::Address)?;
        let (from, to) = (self.place(from)?, self.place(to)?);
        self.flash.erase(from, to).map_err(PartitionError::Flash)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len()).map_err(PartitionError::Address)?;
        let place = self.place(offset)?;
        self.flash
            .write(place, bytes)
            .map_err(PartitionError::Flash)
    }
}

#[cfg(test)]
mod tests {
    use sealift_storage::sim::MockFlash;

    use super::*;

    type Chip = MockFlash<1, 4096>;
    type Part = Partition<Chip, 256>;

    fn part() -> Part {
        Partition::new(Chip::new(4), 4096..3 * 4096).unwrap()
    }

    #[test]
    fn it_reads_and_writes_where_it_is_and_nowhere_else() {
        let mut part = part();
        assert_eq!(part.capacity(), 2 * 4096);
        part.erase(0, 2 * 4096).unwrap();
        part.write(256, &[7; 256]).unwrap();
        let mut bytes = [0; 256];
        part.read(256, &mut bytes).unwrap();
        assert_eq!(bytes, [7; 256]);
        for (page, offset, expected) in [(0, 256, 0xff), (1, 256, 7), (2, 0, 0xff), (3, 0, 0xff)] {
            part.flash.read(page * 4096 + offset, &mut bytes).unwrap();
            assert_eq!(bytes, [expected; 256], "page {page}");
        }
    }

    #[test]
    fn nothing_outside_of_it_is_reached() {
        let mut part = part();
        let out = Err(PartitionError::Address(NorFlashErrorKind::OutOfBounds));
        let end = 2 * 4096;
        assert_eq!(part.erase(0, end + 4096), out);
        assert_eq!(part.erase(end, end + 4096), out);
        assert_eq!(part.write(end, &[0; 256]), out);
        assert_eq!(part.write(end - 256, &[0; 512]), out);
        assert_eq!(part.write(u32::MAX - 255, &[0; 256]), out);
        assert_eq!(part.read(end, &mut [0]), out);
        assert_eq!(part.read(u32::MAX, &mut [0]), out);
    }

    #[test]
    fn its_words_are_its_own() {
        let mut part = part();
        let skew = Err(PartitionError::Address(NorFlashErrorKind::NotAligned));
        assert_eq!(part.write(1, &[0; 256]), skew);
        assert_eq!(part.write(0, &[0; 16]), skew);
        assert_eq!(part.erase(256, 4096), skew);
    }

    #[test]
    fn only_whole_pages_of_the_flash_are_a_partition() {
        let made = |range| Part::new(Chip::new(4), range).is_some();
        assert!(made(0..4 * 4096));
        assert!(!made(0..5 * 4096));
        assert!(!made(256..4096));
        assert!(!made(0..256));
        assert!(!made(Range {
            start: 8192,
            end: 4096
        }));
    }
}
