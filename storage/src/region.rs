//! A window onto a part of a flash.

use core::fmt;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// A part of a flash that is a flash of its own: what is outside cannot be
/// reached through it. Offsets count from its start.
#[derive(Clone, Debug)]
pub struct Region<F> {
    flash: F,
    start: u32,
    len: u32,
}

impl<F: NorFlash> Region<F> {
    /// The `len` bytes from `start` on; `None` if that is not whole erase
    /// pages or not on the flash.
    pub fn new(flash: F, start: u32, len: u32) -> Option<Self> {
        let end = start.checked_add(len)?;
        let fits = end as usize <= flash.capacity();
        let aligned = [start, len]
            .into_iter()
            .all(|at| (at as usize).checked_rem(F::ERASE_SIZE) == Some(0));
        (fits && aligned).then_some(Self { flash, start, len })
    }

    /// Gives the flash back.
    pub fn into_inner(self) -> F {
        self.flash
    }

    /// The offset on the flash beneath.
    fn translate(&self, offset: u32, len: usize) -> Result<u32, RegionError<F::Error>> {
        let end = u64::from(offset).saturating_add(len as u64);
        if end > u64::from(self.len) {
            return Err(RegionError::OutOfBounds);
        }
        self.start
            .checked_add(offset)
            .ok_or(RegionError::OutOfBounds)
    }
}

/// A failure of a [`Region`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionError<E> {
    /// The range is not inside of the region.
    OutOfBounds,
    /// The flash beneath reported an error.
    Flash(E),
}

impl<E> RegionError<E> {
    /// The stable number of this error.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::OutOfBounds => 1,
            Self::Flash(_) => 2,
        }
    }
}

impl<E: NorFlashError> fmt::Display for RegionError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds => f.write_str("outside of the flash region"),
            Self::Flash(error) => write!(f, "the flash failed: {}", error.kind()),
        }
    }
}

impl<E: NorFlashError> core::error::Error for RegionError<E> {}

impl<E: NorFlashError> NorFlashError for RegionError<E> {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::Flash(error) => error.kind(),
        }
    }
}

impl<F: ErrorType> ErrorType for Region<F> {
    type Error = RegionError<F::Error>;
}

impl<F: NorFlash> ReadNorFlash for Region<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let at = self.translate(offset, bytes.len())?;
        self.flash.read(at, bytes).map_err(RegionError::Flash)
    }

    fn capacity(&self) -> usize {
        self.len as usize
    }
}

impl<F: NorFlash> NorFlash for Region<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let len = to.checked_sub(from).ok_or(RegionError::OutOfBounds)?;
        let at = self.translate(from, len as usize)?;
        self.flash
            .erase(at, at.saturating_add(len))
            .map_err(RegionError::Flash)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        let at = self.translate(offset, bytes.len())?;
        self.flash.write(at, bytes).map_err(RegionError::Flash)
    }
}
