//! NOR flash: a part of the PSRAM that behaves as the chip would, and a file
//! of the host that has what is in it, so that killing the emulator is a power
//! cut.
//!
//! It is erased to 0xFF by page, a write only clears bits, and each change is
//! in the file before the next one starts.

use core::fmt;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read,
    check_write,
};
use sealift_core::capsule::Mapping;

use crate::hostfile::{HostError, HostFile};
use crate::psram::Psram;

/// Write word, in bytes.
pub(crate) const WORD: usize = 4;
/// Erase page, in bytes.
pub(crate) const PAGE: usize = 4096;

const ERASED: u8 = 0xff;

/// The flash; there is one.
#[derive(Debug)]
pub(crate) struct BoardFlash {
    memory: Psram,
    file: HostFile,
}

/// Why the flash did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlashError {
    /// An address that is out of bounds or not aligned.
    Address(NorFlashErrorKind),
    /// A write that would have to set bits.
    NotErased,
    /// The host's file failed.
    File,
    /// The host's file is not as long as the flash.
    Length,
}

impl BoardFlash {
    /// Reads what the file has. `memory` is as long as the flash is.
    pub(crate) fn open(path: &str, mut memory: Psram) -> Result<Self, FlashError> {
        let file = HostFile::open_to_write(path)?;
        if file.length()? != memory.len() {
            return Err(FlashError::Length);
        }
        file.read(memory.as_mut_slice())?;
        Ok(Self { memory, file })
    }

    /// Where payloads can run in place.
    pub(crate) fn mapping(&self) -> Mapping {
        self.memory.mapping()
    }

    /// The file first: what the program sees has happened.
    fn put(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let offset = usize::try_from(offset).map_err(|_| FlashError::File)?;
        self.file.seek(offset)?;
        self.file.write(bytes)?;
        let out = FlashError::Address(NorFlashErrorKind::OutOfBounds);
        self.memory.write(offset, bytes).ok_or(out)
    }
}

impl From<HostError> for FlashError {
    fn from(_: HostError) -> Self {
        Self::File
    }
}

impl ErrorType for BoardFlash {
    type Error = FlashError;
}

impl ReadNorFlash for BoardFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len()).map_err(FlashError::Address)?;
        let out = FlashError::Address(NorFlashErrorKind::OutOfBounds);
        let offset = usize::try_from(offset).map_err(|_| out)?;
        self.memory.read(offset, bytes).ok_or(out)
    }

    fn capacity(&self) -> usize {
        self.memory.len()
    }
}

impl NorFlash for BoardFlash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to).map_err(FlashError::Address)?;
        for start in (from..to).step_by(64) {
            self.put(start, &[ERASED; 64])?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len()).map_err(FlashError::Address)?;
        let mut at = offset;
        for new in bytes.chunks(64) {
            let mut old = [0; 64];
            let old = old.get_mut(..new.len()).unwrap_or_default();
            self.read(at, old)?;
            if old.iter().zip(new).any(|(old, new)| new & !*old != 0) {
                return Err(FlashError::NotErased);
            }
            at = at.saturating_add(64);
        }
        self.put(offset, bytes)
    }
}

impl fmt::Display for FlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(kind) => write!(f, "{kind}"),
            Self::NotErased => f.write_str("written to without being erased"),
            Self::File => f.write_str("cannot be read or written"),
            Self::Length => f.write_str("is not as long as the flash"),
        }
    }
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Address(kind) => *kind,
            _ => NorFlashErrorKind::Other,
        }
    }
}
