//! NOR flash with the Intel command set: two chips of 16 bits side by side,
//! which take each command at once, in both halves of a word (JEDEC JESD68.01,
//! Common Flash Interface; command set 1).
//!
//! A bank either reads as memory or has a command under way, and then it reads
//! as status everywhere. No method leaves it like that.

use core::fmt;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read,
    check_write,
};
use sealift_core::capsule::Mapping;

use crate::nor::{self, Bank};

/// Write word, in bytes: two of each chip.
pub(crate) const WORD: usize = 4;
/// Erase block, in bytes: 128 KiB of each chip.
const BLOCK: usize = 256 * 1024;

const READ_ARRAY: u32 = both(0xff);
const QUERY: u32 = both(0x98);
const PROGRAM: u32 = both(0x40);
const ERASE: u32 = both(0x20);
const CONFIRM: u32 = both(0xd0);
const CLEAR_STATUS: u32 = both(0x50);

const READY: u32 = both(1 << 7);
/// Failed to erase or to program, voltage too low, or the block is locked.
const FAILED: u32 = both(0b11_1010);

/// The same for both chips.
const fn both(chip: u16) -> u32 {
    (chip as u32) << 16 | chip as u32
}

/// The flash; there is one.
#[derive(Debug)]
pub(crate) struct BoardFlash {
    bank: Bank,
}

/// Why the flash did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlashError {
    /// An address that is out of bounds or not aligned.
    Address(NorFlashErrorKind),
    /// A write that would have to set bits.
    NotErased,
    /// The chips say so, with this status.
    Chips(u32),
    /// The chips are of another kind than this driver is for.
    Kind,
}

impl BoardFlash {
    /// Asks the chips what they are: there have to be two with this command
    /// set, size and block.
    pub(crate) fn open(bank: Bank) -> Result<Self, FlashError> {
        let mut flash = Self { bank };
        flash.command(0x55 * WORD, QUERY)?;
        let kind = flash.kind();
        flash.command(0, READ_ARRAY)?;
        match kind? {
            true => Ok(flash),
            false => Err(FlashError::Kind),
        }
    }

    /// Where payloads can run in place.
    pub(crate) fn mapping(&self) -> Mapping {
        self.bank.mapping()
    }

    /// Whether the answers to the query are the expected ones.
    fn kind(&self) -> Result<bool, FlashError> {
        let [size, ..] = (nor::LEN / 2).trailing_zeros().to_le_bytes();
        let blocks = nor::LEN / BLOCK - 1;
        let block = BLOCK / 2 / 256;
        let [blocks_low, blocks_high, ..] = blocks.to_le_bytes();
        let [block_low, block_high, ..] = block.to_le_bytes();
        let expected = [
            // "QRY", and command set 1.
            (0x10, u16::from(b'Q')),
            (0x11, u16::from(b'R')),
            (0x12, u16::from(b'Y')),
            (0x13, 1),
            (0x14, 0),
            // Size of a chip as a power of 2, and one kind of blocks: how many
            // but one, of how often 256 bytes.
            (0x27, u16::from(size)),
            (0x2c, 1),
            (0x2d, u16::from(blocks_low)),
            (0x2e, u16::from(blocks_high)),
            (0x2f, u16::from(block_low)),
            (0x30, u16::from(block_high)),
        ];
        for (place, value) in expected {
            if self.word(place * WORD)? != both(value) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Does something with commands, and makes the bank memory again.
    fn with_commands(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), FlashError>,
    ) -> Result<(), FlashError> {
        let result = work(self);
        self.command(0, READ_ARRAY)?;
        result
    }

    /// Waits for both chips.
    fn finish(&mut self, at: usize) -> Result<(), FlashError> {
        let status = loop {
            let status = self.word(at)?;
            if status & READY == READY {
                break status;
            }
        };
        if status & FAILED == 0 {
            return Ok(());
        }
        self.command(0, CLEAR_STATUS)?;
        Err(FlashError::Chips(status))
    }

    fn command(&mut self, at: usize, value: u32) -> Result<(), FlashError> {
        self.bank.command(at, value).ok_or(OUT)
    }

    fn word(&self, at: usize) -> Result<u32, FlashError> {
        self.bank.word(at).ok_or(OUT)
    }
}

const OUT: FlashError = FlashError::Address(NorFlashErrorKind::OutOfBounds);

fn place(offset: u32) -> Result<usize, FlashError> {
    usize::try_from(offset).map_err(|_| OUT)
}

/// The words to be written, each with its place.
fn words(at: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, u32)> {
    let (words, _) = bytes.as_chunks::<WORD>();
    let places = (at..).step_by(WORD);
    places.zip(words.iter().map(|word| u32::from_le_bytes(*word)))
}

impl ErrorType for BoardFlash {
    type Error = FlashError;
}

impl ReadNorFlash for BoardFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len()).map_err(FlashError::Address)?;
        self.bank.read(place(offset)?, bytes).ok_or(OUT)
    }

    fn capacity(&self) -> usize {
        nor::LEN
    }
}

impl NorFlash for BoardFlash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = BLOCK;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to).map_err(FlashError::Address)?;
        let (from, to) = (place(from)?, place(to)?);
        self.with_commands(|flash| {
            for block in (from..to).step_by(BLOCK) {
                flash.command(block, ERASE)?;
                flash.command(block, CONFIRM)?;
                flash.finish(block)?;
            }
            Ok(())
        })
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len()).map_err(FlashError::Address)?;
        let offset = place(offset)?;
        for (at, new) in words(offset, bytes) {
            if new & !self.word(at)? != 0 {
                return Err(FlashError::NotErased);
            }
        }
        self.with_commands(|flash| {
            for (at, new) in words(offset, bytes) {
                flash.command(at, PROGRAM)?;
                flash.command(at, new)?;
                flash.finish(at)?;
            }
            Ok(())
        })
    }
}

impl fmt::Display for FlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(kind) => write!(f, "{kind}"),
            Self::NotErased => f.write_str("written to without being erased"),
            Self::Chips(status) => write!(f, "the chips say {status:#x}"),
            Self::Kind => f.write_str("the chips are of another kind"),
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
